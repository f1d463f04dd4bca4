#include "command.h"

#include "terminal/output.h"

#include <getopt.h>
#include <string.h>

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

/* What getopt_long(3) has refused: a whole word, or one of several letters in one (`optopt`). */
static void say_refused(const char *command, const char *word)
{
    const bool is_long = word[0] == '-' && word[1] == '-';
    if (optopt != 0 && is_long && strchr(word, '=') != NULL) {
        output_error("%s: %s: this option takes no value", command, word);
    } else if (optopt != 0) {
        output_error("%s: -%c: no such option", command, optopt);
    } else {
        output_error("%s: %s: no such option", command, word);
    }
}

int command_common_option(int option, const char *command, const char *help, const char *argument)
{
    switch (option) {
    case 'h':
        return command_help(help);
    case 'V':
        return command_version();
    case ':':
        output_error("%s: %s needs a value", command, argument);
        return command_usage(command);
    default:
        say_refused(command, argument);
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
