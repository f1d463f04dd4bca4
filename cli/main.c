/*
 * The libreuse command: finds the subcommand that the first argument names, and calls it.
 */
#include "commands/command.h"
#include "guest/spelling.h"
#include "terminal/output.h"

#include <string.h>

static const char help[] =
    "Usage: libreuse COMMAND [OPTION]... [ARGUMENT]...\n"
    "\n"
    "Makes TCP servers restartable while connections of the last run are in\n"
    "TIME_WAIT.\n"
    "\n"
    "  run [OPTION]... PROGRAM [ARG]...  run it with libreuse.so preloaded\n"
    "  check PROGRAM|PID                 can it be, or is it, preloaded?\n"
    "  why [ADDRESS:]PORT                why does bind() fail, and for how long?\n"
    "  audit                             which servers on this host restart cleanly?\n"
    "  watch                             every failed bind() of this host, and why\n"
    "  arm PID|PORT                      make a running server restartable\n"
    "  free PORT                         remove the TIME_WAIT sockets of a port\n"
    "  guard [on|off UNIT]               the same for what no preload reaches\n"
    "  enable UNIT                       preload it into a service of systemd\n"
    "  disable UNIT                      no longer\n"
    "  status [UNIT]...                  which services have it, and is it in them?\n"
    "\n"
    "  help [COMMAND]                    this, or the options of a command\n"
    "  version                           the version\n"
    "\n"
    "Exit status: 0 fine, 1 found something, 2 wrong usage, 3 not permitted or not\n"
    "supported; of run: the program's, 125 libreuse failed, 126 refused, 127 not\n"
    "found.\n";

static const struct {
    const char *name;
    int (*command)(int argc, char **argv);
} commands[] = {
    {"run", run_command},         {"check", check_command},   {"why", why_command},
    {"audit", audit_command},     {"watch", watch_command},   {"arm", arm_command},
    {"free", free_command},       {"guard", guard_command},   {"enable", enable_command},
    {"disable", disable_command}, {"status", status_command},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static const char names[] =
    "run, check, why, audit, watch, arm, free, guard, enable, disable and status";

/* The place of a command; COMMANDS where there is none of that name. */
static size_t find(const char *name)
{
    size_t i = 0;
    while (i < COMMANDS && strcmp(name, commands[i].name) != 0) {
        i++;
    }
    return i;
}

static int say_unknown(const char *name)
{
    const char *nearest = NULL;
    unsigned int distance =
        strlen(name) > 2 ? 3 : 2; /* more letters than that are no mistake in typing */
    for (size_t i = 0; i < COMMANDS; i++) {
        const unsigned int its = spelling_distance(name, commands[i].name);
        if (its < distance) {
            distance = its;
            nearest = commands[i].name;
        }
    }
    if (nearest != NULL) {
        output_error("%s: no such command; did you mean %s?", name, nearest);
    } else {
        output_error("%s: no such command; there are %s", name, names);
    }
    return command_usage("");
}

/* "libreuse help", "libreuse help COMMAND". */
static int help_command(int argc, char **argv)
{
    if (argc == 1) {
        return command_help(help);
    }
    if (argc > 2) {
        output_error("help: %s: one command was expected", argv[2]);
        return command_usage("");
    }
    const size_t place = find(argv[1]);
    if (place == COMMANDS) {
        return say_unknown(argv[1]);
    }
    char option[] = "--help";
    char *arguments[] = {argv[1], option, NULL};
    return commands[place].command(2, arguments);
}

static int version_command(int argc, char **argv)
{
    if (argc > 1) {
        output_error("version: %s: no argument was expected", argv[1]);
        return command_usage("");
    }
    return command_version();
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        output_error("no command given; there are %s", names);
        return command_usage("");
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        return command_help(help);
    }
    if (strcmp(name, "help") == 0) {
        return help_command(argc - 1, argv + 1);
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0 || strcmp(name, "version") == 0) {
        return version_command(argc - 1, argv + 1);
    }
    if (name[0] == '-') {
        output_error("%s: no such option; options follow the command", name);
        return command_usage("");
    }
    const size_t place = find(name);
    return place < COMMANDS ? commands[place].command(argc - 1, argv + 1) : say_unknown(name);
}

int main(int argc, char **argv)
{
    return output_finish(dispatch(argc, argv));
}
