/*
 * The variables: whatever they hold, the settings stay within their ranges, and a value is
 * complained about exactly when a regular expression finds it wrong. The input is one value after
 * the other, each on a line of its own.
 */
#include "fuzz.h"

#include "guest/config.h"
#include "guest/port_list.h"

#include <regex.h>
#include <stdbool.h>

#define NUMBER "0*[0-9]{1,5}"
#define PORT                                                                                       \
    "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
#define RANGE PORT "(-" PORT ")?"

static const struct {
    const char *name;
    const char *grammar; /* of a value that is understood */
} variables[] = {
    {"LIBREUSE_LOG", "^(auto|stderr|journal|syslog|none|/.{0,254})$"},
    {"LIBREUSE_FORMAT", "^(text|json)$"},
    {"LIBREUSE_LEVEL", "^(err|error|warn|warning|notice|info)$"},
    {"LIBREUSE_DRY_RUN", "^[01]$"},
    {"LIBREUSE_PORTS", "^" RANGE "(," RANGE ")*$"},
    {"LIBREUSE_WAIT", "^(" NUMBER "|[0-9]" NUMBER "?s|" NUMBER "s)$"},
    {"LIBREUSE_SWALLOWED", "^(log|fail|exit)$"},
    {"LIBREUSE_EXPLAIN", "^[01]$"},
    {"JOURNAL_STREAM", "^"}, /* never complained about */
};
enum { VARIABLES = sizeof variables / sizeof variables[0] };

/* A range must not run backwards, which no regular expression knows. */
static bool ranges_run_forwards(const char *list)
{
    while (*list != '\0') {
        char *end;
        const unsigned long first = strtoul(list, &end, 10);
        if (*end == '-' && strtoul(end + 1, &end, 10) < first) {
            return false;
        }
        list = *end == ',' ? end + 1 : end;
    }
    return true;
}

/* What /etc/services has, no regular expression knows. */
static bool names_a_service(const char *list)
{
    return strpbrk(list, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
}

static void use_nothing(unsigned int first, unsigned int last)
{
    MUST(first > 0 && first <= last && last < 65536);
}

static bool is_right(size_t variable, const char *value)
{
    if (strcmp(variables[variable].name, "LIBREUSE_PORTS") == 0 && names_a_service(value)) {
        return port_list_each(value, use_nothing);
    }
    static regex_t grammars[VARIABLES];
    static bool compiled[VARIABLES];
    if (!compiled[variable]) {
        MUST(regcomp(&grammars[variable], variables[variable].grammar, REG_EXTENDED | REG_NOSUB) ==
             0);
        compiled[variable] = true;
    }
    if (regexec(&grammars[variable], value, 0, NULL, 0) != 0) {
        return false;
    }
    if (strcmp(variables[variable].name, "LIBREUSE_PORTS") == 0) {
        return ranges_run_forwards(value);
    }
    return strcmp(variables[variable].name, "LIBREUSE_WAIT") != 0 ||
           strtoul(value, NULL, 10) <= WAIT_MAX;
}

/* Sets the variables from the input; the result has a bit for each that is wrong. */
static unsigned int set_variables(const uint8_t *data, size_t size)
{
    unsigned int wrong = 0;
    for (size_t i = 0; i < VARIABLES; i++) {
        const uint8_t *const stop = size > 0 ? memchr(data, '\n', size) : NULL;
        const size_t length = stop != NULL ? (size_t)(stop - data) : size;
        char *const value = calloc(1, length + 1);
        MUST(value != NULL);
        if (length > 0) {
            memcpy(value, data, length);
        }
        setenv(variables[i].name, value, 1);
        wrong |= value[0] != '\0' && !is_right(i, value) ? 1U << i : 0;
        free(value);
        const size_t taken = stop != NULL ? length + 1 : length;
        data += taken;
        size -= taken;
    }
    return wrong;
}

static void check_settings(void)
{
    char path[LOG_PATH_SIZE];
    config_log_path(path);
    MUST(memchr(path, '\0', sizeof path) != NULL);
    MUST(config_level() <= LEVEL_INFO);
    MUST(config_log() <= LOG_FILE);
    MUST(config_swallowed() <= SWALLOWED_EXIT);
    MUST(config_wait() <= WAIT_MAX);
    MUST(config_log() != LOG_FILE || path[0] == '/');
    for (unsigned int port = 1; port < 65536; port += 255) {
        config_port(port);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct complaint complaint;
    unsigned int wrong = set_variables(data, size);
    config_load();
    check_settings();
    while (config_take_complaint(&complaint)) {
        MUST(memchr(complaint.value, '\0', sizeof complaint.value) != NULL);
        size_t i = 0;
        while (strcmp(variables[i].name, complaint.variable) != 0) {
            i++;
            MUST(i < VARIABLES);
        }
        MUST((wrong & 1U << i) != 0);
        wrong &= ~(1U << i);
    }
    MUST(wrong == 0);
    return 0;
}
