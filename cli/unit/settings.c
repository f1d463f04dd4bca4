#include "settings.h"

#include "guest/config.h"
#include "terminal/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct variable {
    const char *option;
    int has_value;
    const char *name;
    const char *value; /* of an option that takes none */
} variables[SETTINGS] = {
    {"log", required_argument, "LIBREUSE_LOG", NULL},
    {"format", required_argument, "LIBREUSE_FORMAT", NULL},
    {"level", required_argument, "LIBREUSE_LEVEL", NULL},
    {"ports", required_argument, "LIBREUSE_PORTS", NULL},
    {"wait", required_argument, "LIBREUSE_WAIT", NULL},
    {"swallowed", required_argument, "LIBREUSE_SWALLOWED", NULL},
    {"explain", no_argument, "LIBREUSE_EXPLAIN", "1"},
    {"no-explain", no_argument, "LIBREUSE_EXPLAIN", "0"},
    {"report-only", no_argument, "LIBREUSE_DRY_RUN", "1"}, /* the last: settings_report_only() */
};

void settings_options(struct option options[SETTINGS])
{
    for (int i = 0; i < SETTINGS; i++) {
        options[i] =
            (struct option){variables[i].option, variables[i].has_value, NULL, SETTINGS_OPTION + i};
    }
}

bool settings_take(struct settings *settings, int option, const char *argument)
{
    const int place = option - SETTINGS_OPTION;
    if (place < 0 || place >= SETTINGS) {
        return false;
    }
    for (int i = 0; i < SETTINGS; i++) { /* --explain and --no-explain: the last one counts */
        if (strcmp(variables[i].name, variables[place].name) == 0) {
            settings->given[i] = NULL;
        }
    }
    settings->given[place] =
        variables[place].has_value == required_argument ? argument : variables[place].value;
    return true;
}

bool settings_apply(const struct settings *settings, const char *command)
{
    bool understood = true;
    for (int i = 0; i < SETTINGS; i++) {
        if (settings->given[i] != NULL && setenv(variables[i].name, settings->given[i], 1) != 0) {
            output_error("%s: %s: %s", command, variables[i].name, strerror(errno));
            return false;
        }
    }
    struct complaint complaint;
    config_load();
    while (config_take_complaint(&complaint)) {
        for (int i = 0; i < SETTINGS; i++) {
            if (complaint.expected != NULL && settings->given[i] != NULL &&
                strcmp(variables[i].name, complaint.variable) == 0) {
                output_error("%s: --%s=%s: not understood, expected %s", command,
                             variables[i].option, settings->given[i], complaint.expected);
                understood = false;
            }
        }
    }
    return understood;
}

const char *settings_variable(int place)
{
    return variables[place].name;
}

bool settings_report_only(const struct settings *settings)
{
    return settings->given[SETTINGS - 1] != NULL;
}
