#include "command.h"

#include "terminal/output.h"

#include <getopt.h>

int command_version(void)
{
    output_text(TONE_PLAIN, "libreuse %s\n", LIBREUSE_VERSION);
    return STATUS_FINE;
}

int command_help(const char *text)
{
    output_text(TONE_PLAIN, "%s", text);
    return STATUS_FINE;
}

int command_usage(const char *command)
{
    output_error("see: libreuse help%s%s", command[0] != '\0' ? " " : "", command);
    return STATUS_USAGE;
}

int command_common_option(int option, const char *command, const char *help, const char *argument)
{
    switch (option) {
    case 'h':
        return command_help(help);
    case 'V':
        return command_version();
    default:
        output_error("%s: %s: no such option", command, argument);
        return command_usage(command);
    }
}

int command_json_option(int argc, char **argv, const char *command, const char *help, bool *json)
{
    enum { JSON = 1 };
    static const struct option options[] = {{"json", no_argument, NULL, JSON},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    *json = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "hV", options, NULL)) != -1;) {
        if (option != JSON) {
            return command_common_option(option, command, help, argv[optind - 1]);
        }
        *json = true;
    }
    return -1;
}
