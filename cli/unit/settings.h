/*
 * The LIBREUSE_* variables as options: of "libreuse run", which sets them for a program, and of
 * "libreuse enable", which writes them for a unit.
 */
#ifndef LIBREUSE_SETTINGS_H
#define LIBREUSE_SETTINGS_H

#include <getopt.h>
#include <stdbool.h>

enum {
    SETTINGS = 9,
    SETTINGS_OPTION = 256, /* what getopt_long(3) returns for the first of them */
};

/* The values of the options that were given, else NULL; they belong to argv. */
struct settings {
    const char *given[SETTINGS];
};

/*
 * Fills SETTINGS places of getopt_long(3)'s table. The option for LIBREUSE_DRY_RUN is
 * --report-only:
 * --dry-run is the command's own, in every command.
 */
void settings_options(struct option options[SETTINGS]);

/* Takes what getopt_long(3) returned with its optarg; false where that is none of these options. */
bool settings_take(struct settings *settings, int option, const char *argument);

/*
 * Sets the variables in the environment of this process, and lets the shim's own reader say whether
 * it would understand them. Where it would not, says so in the name of the command; false.
 */
bool settings_apply(const struct settings *settings, const char *command);

/* Whether LIBREUSE_DRY_RUN was asked for. */
bool settings_report_only(const struct settings *settings);

/* The name of the variable that a place of `given` is for. */
const char *settings_variable(int place);

#endif
