#include "command.h"

#include "output.h"

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
    output_error("see: libreuse %s%s--help", command, command[0] != '\0' ? " " : "");
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
