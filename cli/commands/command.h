/*
 * The subcommands of libreuse(1), each in the file of its name. They take the arguments from their
 * own name on (argv[0] is "run"), read their options with getopt_long(3), understand --help and
 * --version, write results to standard output, errors with output_error(), and return the exit
 * status of the process.
 */
#ifndef LIBREUSE_COMMAND_H
#define LIBREUSE_COMMAND_H

#include "terminal/exit_status.h"

#include <stdbool.h>

int run_command(int argc, char **argv);
int check_command(int argc, char **argv);
int why_command(int argc, char **argv);
int audit_command(int argc, char **argv);
int watch_command(int argc, char **argv);
int arm_command(int argc, char **argv);
int free_command(int argc, char **argv);
int guard_command(int argc, char **argv);
int enable_command(int argc, char **argv);
int disable_command(int argc, char **argv);
int status_command(int argc, char **argv);

/* The examination of a program, to standard output; the status of "libreuse check". */
int check_program(const char *name, bool json);

/*
 * What "libreuse guard on UNIT" does, and its status: "libreuse enable --guard UNIT" is the same.
 */
int guard_unit(const char *unit, bool dry_run, bool json);

/* Prints the version to standard output: what every subcommand does for --version. */
int command_version(void);

/* Prints a help text to standard output: what every subcommand does for --help. */
int command_help(const char *text);

/*
 * The options that every subcommand has, and those that it has not: prints what --help or --version
 * asks for, or says that there is no such option, or that its value is missing or one too much.
 * `option` is what getopt_long(3) has found, and `argument` the word before argv[optind]. The
 * result is the subcommand's status.
 */
int command_common_option(int option, const char *command, const char *help, const char *argument);

/*
 * Reads the options of a subcommand that has --json besides those that all have: -1 where it is to
 * go on with the arguments from `optind` on, else its status.
 */
int command_json_option(int argc, char **argv, const char *command, const char *help, bool *json);

/*
 * Points to the help after a wrong option or a missing argument, once the error is said.
 * The result is STATUS_USAGE.
 */
int command_usage(const char *command);

#endif
