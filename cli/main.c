/*
 * The libreuse command: finds the subcommand that the first argument names, and calls it.
 */
#include "command.h"
#include "output.h"

#include <string.h>

static const char help[] =
    "Usage: libreuse COMMAND [OPTION]... [ARGUMENT]...\n"
    "\n"
    "Makes TCP servers restartable while connections of the last run are in TIME_WAIT.\n"
    "\n"
    "  run [OPTION]... [--] PROGRAM [ARG]...   run PROGRAM with libreuse.so preloaded\n"
    "  check PROGRAM|PID                       can it be, or is it, preloaded?\n"
    "  why [ADDRESS:]PORT                      why does bind() fail, and for how long?\n"
    "  audit                                   which servers on this host restart cleanly?\n"
    "  arm PID|PORT                            make a running server restartable\n"
    "  free PORT                               remove the TIME_WAIT sockets of a port\n"
    "  enable UNIT                             preload it into a service of systemd\n"
    "  disable UNIT                            no longer\n"
    "  status [UNIT]...                        which services have it, and is it in them?\n"
    "\n"
    "  libreuse COMMAND --help                 the options of a command\n"
    "  libreuse --version                      the version\n"
    "\n"
    "Exit status: 0 fine, 1 found something, 2 wrong usage, 3 not permitted or not supported;\n"
    "of run: the program's, 125 libreuse failed, 126 refused, 127 not found.\n";

static const struct {
    const char *name;
    int (*command)(int argc, char **argv);
} commands[] = {
    {"run", run_command},       {"check", check_command},     {"why", why_command},
    {"audit", audit_command},   {"arm", arm_command},         {"free", free_command},
    {"enable", enable_command}, {"disable", disable_command}, {"status", status_command},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const char names[] = "run, check, why, audit, arm, free, enable, disable and status";

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        output_error("no command given; there are %s", names);
        return command_usage("");
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        return command_help(help);
    }
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        return command_version();
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].command(argc - 1, argv + 1);
        }
    }
    output_error("%s: no such command; there are %s", argv[1], names);
    return command_usage("");
}

int main(int argc, char **argv)
{
    return output_finish(dispatch(argc, argv));
}
