#include "config.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum { PORTS = 65536, WORD = 32 };

static const char *const level_names[] = {"err", "warning", "notice", "info", "debug"};
enum { LEVELS = sizeof level_names / sizeof level_names[0] };

/* All of it is atomic and is only ever stored as what the environment says, so that it may be
   loaded twice at the same time: by a thread, and by a signal handler that interrupts it. */
static atomic_bool loaded;
static _Atomic(enum level) level = LEVEL_NOTICE;
static atomic_bool dry_run;
static atomic_bool some_ports; /* LIBREUSE_PORTS is set, and `selected` says to what */
static _Atomic unsigned int selected[PORTS / WORD];

static bool parse_level(const char *value)
{
    for (unsigned int i = 0; i < LEVELS; i++) {
        if (strcmp(value, level_names[i]) == 0) {
            level = (enum level)i;
            return true;
        }
    }
    return false;
}

static bool parse_dry_run(const char *value)
{
    dry_run = strcmp(value, "1") == 0;
    return dry_run || strcmp(value, "0") == 0;
}

/* Reads a decimal port and moves on behind it; 0 where there is none. */
static unsigned int parse_port(const char **text)
{
    unsigned int port = 0;
    while (**text >= '0' && **text <= '9' && port < PORTS) {
        port = port * 10 + (unsigned int)(**text - '0');
        (*text)++;
    }
    return port < PORTS ? port : 0;
}

/* Calls `use` for each range of a list like 9999,8000-8099. False where it is no such list. */
static bool each_range(const char *list, void (*use)(unsigned int first, unsigned int last))
{
    for (;;) {
        const unsigned int first = parse_port(&list);
        unsigned int last = first;
        if (*list == '-') {
            list++;
            last = parse_port(&list);
        }
        if (first == 0 || last < first) {
            return false;
        }
        use(first, last);
        if (*list == '\0') {
            return true;
        }
        if (*list++ != ',') {
            return false;
        }
    }
}

static void only_check(unsigned int first, unsigned int last)
{
    (void)first;
    (void)last;
}

static void select_ports(unsigned int first, unsigned int last)
{
    for (unsigned int port = first; port <= last; port++) {
        atomic_fetch_or(&selected[port / WORD], 1U << port % WORD);
    }
}

/* The list is checked whole before the first port is selected: a bad one selects nothing. */
static bool parse_ports(const char *value)
{
    if (!each_range(value, only_check)) {
        return false;
    }
    each_range(value, select_ports);
    some_ports = true;
    return true;
}

static const struct {
    const char *name;
    bool (*parse)(const char *value);
    const char *expected;
    const char *in_use;
} variables[] = {
    {"LIBREUSE_LEVEL", parse_level, "err, warning, notice, info or debug", "notice"},
    {"LIBREUSE_DRY_RUN", parse_dry_run, "0 or 1", "0"},
    {"LIBREUSE_PORTS", parse_ports, "ports from 1 to 65535 and ranges, like 9999,8000-8099",
     "all ports"},
};
enum { VARIABLES = sizeof variables / sizeof variables[0] };

/* Bit V is set while a complaint about variables[V] waits to be taken. */
static _Atomic unsigned int complaints;
static _Atomic char complained_values[VARIABLES][sizeof((struct complaint *)0)->value];

static void complain(unsigned int variable, const char *value)
{
    size_t i = 0;
    while (i < sizeof complained_values[0] - 1 && value[i] != '\0') {
        complained_values[variable][i] = value[i];
        i++;
    }
    complained_values[variable][i] = '\0';
    atomic_fetch_or(&complaints, 1U << variable);
}

/*
 * secure_getenv(3) is too new for the oldest C library, and so is getauxval(3), which is therefore
 * looked up. Without it the ids tell all but file capabilities.
 */
static bool host_is_privileged(void)
{
    const union {
        void *object;
        unsigned long (*getauxval)(unsigned long);
    } found = {.object = dlsym(RTLD_DEFAULT, "getauxval")};
    if (found.object != NULL) {
        return found.getauxval(AT_SECURE) != 0;
    }
    return getuid() != geteuid() || getgid() != getegid();
}

void config_load(void)
{
    if (environ == NULL) {
        return; /* the C library is not there yet: DT_PREINIT_ARRAY runs */
    }
    const bool privileged = host_is_privileged();
    for (unsigned int i = 0; i < VARIABLES && !privileged; i++) {
        const char *value = getenv(variables[i].name);
        if (value != NULL && value[0] != '\0' && !variables[i].parse(value)) {
            complain(i, value);
        }
    }
    loaded = true;
}

static void need_loaded(void)
{
    if (!loaded) {
        config_load();
    }
}

bool config_is_loaded(void)
{
    need_loaded();
    return loaded;
}

bool config_take_complaint(struct complaint *complaint)
{
    need_loaded();
    for (unsigned int i = 0; i < VARIABLES; i++) {
        const unsigned int bit = 1U << i;
        if ((atomic_fetch_and(&complaints, ~bit) & bit) != 0) {
            complaint->variable = variables[i].name;
            complaint->expected = variables[i].expected;
            complaint->in_use = variables[i].in_use;
            for (size_t c = 0; c < sizeof complaint->value; c++) {
                complaint->value[c] = complained_values[i][c];
            }
            return true;
        }
    }
    return false;
}

enum level config_level(void)
{
    need_loaded();
    return level;
}

const char *config_level_name(enum level which)
{
    return level_names[which];
}

bool config_dry_run(void)
{
    need_loaded();
    return dry_run;
}

bool config_all_ports(void)
{
    need_loaded();
    return !some_ports;
}

bool config_port(unsigned int port)
{
    need_loaded();
    return !some_ports || (selected[port / WORD] >> port % WORD & 1) != 0;
}
