#include "config.h"

#include "kernel.h"

#include "port_list.h"
#include "spelling.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum { PORTS = 65536, WORD = 32 };

static const char *const level_names[] = {"err", "warning", "notice", "info"};
enum { LEVELS = sizeof level_names / sizeof level_names[0] };

/* All of it is atomic and is only ever stored as what the environment says, so that it may be
   loaded twice at the same time: by a thread, and by a signal handler that interrupts it. */
static atomic_bool loaded;
static _Atomic(enum level) level = LEVEL_NOTICE;
static atomic_bool dry_run;
static _Atomic(enum log) log_to;
static _Atomic char log_path[LOG_PATH_SIZE];
static atomic_bool json;
static atomic_bool no_explain;
static atomic_uint wait_seconds;
static _Atomic(enum swallowed) on_swallowed;
static _Atomic uint64_t journal_device;
static _Atomic uint64_t journal_inode;
static atomic_bool some_ports; /* LIBREUSE_PORTS is set, and `selected` says to what */
static _Atomic unsigned int selected[PORTS / WORD];

/* Looks a word up in a list. The list's length where it is not there. */
static unsigned int word(const char *value, const char *const words[], unsigned int count)
{
    unsigned int i = 0;
    while (i < count && strcmp(value, words[i]) != 0) {
        i++;
    }
    return i;
}

/* Other programs' words for the first levels. */
static const char *const other_level_names[] = {"error", "warn"};
enum { OTHER_LEVELS = sizeof other_level_names / sizeof other_level_names[0] };

static bool parse_level(const char *value)
{
    unsigned int found = word(value, other_level_names, OTHER_LEVELS);
    if (found == OTHER_LEVELS) {
        found = word(value, level_names, LEVELS);
    }
    if (found < LEVELS) {
        level = (enum level)found;
    }
    return found < LEVELS;
}

static const char *const switch_words[] = {"0", "1"};

static bool parse_dry_run(const char *value)
{
    const unsigned int on = word(value, switch_words, 2);
    dry_run = on == 1;
    return on < 2;
}

static bool parse_explain(const char *value)
{
    const unsigned int on = word(value, switch_words, 2);
    no_explain = on == 0;
    return on < 2;
}

static bool parse_format(const char *value)
{
    static const char *const words[] = {"text", "json"};
    const unsigned int format = word(value, words, 2);
    json = format == 1;
    return format < 2;
}

static bool parse_swallowed(const char *value)
{
    static const char *const words[] = {"log", "fail", "exit"};
    const unsigned int found = word(value, words, 3);
    on_swallowed = found < 3 ? (enum swallowed)found : SWALLOWED_LOG;
    return found < 3;
}

/* 65, or 65s. */
static bool parse_wait(const char *value)
{
    unsigned int seconds = 0;
    const char *digit = value;
    while (*digit >= '0' && *digit <= '9' && seconds <= WAIT_MAX) {
        seconds = seconds * 10 + (unsigned int)(*digit++ - '0');
    }
    const bool has_unit = digit > value && strcmp(digit, "s") == 0;
    const bool understood = (*digit == '\0' || has_unit) && seconds <= WAIT_MAX;
    wait_seconds = understood ? seconds : 0;
    return understood;
}

/* Copies a text to where others may be reading, as much as there is room for. */
static void copy_text(_Atomic char *to, size_t size, const char *text)
{
    size_t i = 0;
    while (i < size - 1 && text[i] != '\0') {
        to[i] = text[i];
        i++;
    }
    to[i] = '\0';
}

static const char *const log_names[] = {
    [LOG_AUTO] = "auto",     [LOG_STDERR] = "stderr", [LOG_JOURNAL] = "journal",
    [LOG_SYSLOG] = "syslog", [LOG_NONE] = "none",
};

/* Paths that lead to descriptor 2, whatever the program has made of it. */
static const char *const stderr_paths[] = {"/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"};
enum { STDERR_PATHS = sizeof stderr_paths / sizeof stderr_paths[0] };

static bool parse_log(const char *value)
{
    if (word(value, stderr_paths, STDERR_PATHS) < STDERR_PATHS) {
        log_to = LOG_STDERR;
        return true;
    }
    if (value[0] == '/' && strlen(value) < LOG_PATH_SIZE) {
        copy_text(log_path, LOG_PATH_SIZE, value);
        log_to = LOG_FILE;
        return true;
    }
    const unsigned int found = word(value, log_names, LOG_FILE);
    log_to = found < LOG_FILE ? (enum log)found : LOG_AUTO;
    return found < LOG_FILE;
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
    if (!port_list_each(value, only_check)) {
        return false;
    }
    port_list_each(value, select_ports);
    some_ports = true;
    return true;
}

static const struct {
    const char *name;
    bool (*parse)(const char *value);
    const char *expected;
    const char *in_use;
} variables[] = {
    {"LIBREUSE_LOG", parse_log,
     "auto, stderr, journal, syslog, none or an absolute path of at most 255 bytes", "auto"},
    {"LIBREUSE_FORMAT", parse_format, "text or json", "text"},
    {"LIBREUSE_LEVEL", parse_level, "err, warning, notice or info", "notice"},
    {"LIBREUSE_DRY_RUN", parse_dry_run, "0 or 1", "0"},
    {"LIBREUSE_PORTS", parse_ports,
     "ports from 1 to 65535, ranges, and services of /etc/services, like 9999,8000-8099,http",
     "all ports"},
    {"LIBREUSE_WAIT", parse_wait, "seconds from 0 to 86400", "0"},
    {"LIBREUSE_SWALLOWED", parse_swallowed, "log, fail or exit", "log"},
    {"LIBREUSE_EXPLAIN", parse_explain, "0 or 1", "1"},
};
enum { VARIABLES = sizeof variables / sizeof variables[0] };

/*
 * Bit V is set while a complaint about variables[V] waits to be taken; the bits that follow stand
 * for names that begin like those of the variables, and are none of them.
 */
enum { UNKNOWN_NAMES = 4, COMPLAINTS = VARIABLES + UNKNOWN_NAMES };
static _Atomic unsigned int complaints;
static _Atomic char complained_values[COMPLAINTS][sizeof((struct complaint *)0)->value];

static void complain(unsigned int place, const char *value)
{
    copy_text(complained_values[place], sizeof complained_values[0], value);
    atomic_fetch_or(&complaints, 1U << place);
}

static bool is_variable(const char *setting)
{
    for (unsigned int i = 0; i < VARIABLES; i++) {
        const size_t length = strlen(variables[i].name);
        if (strncmp(setting, variables[i].name, length) == 0 && setting[length] == '=') {
            return true;
        }
    }
    return false;
}

static void complain_of_unknown_names(void)
{
    static const char prefix[] = "LIBREUSE_";
    unsigned int place = VARIABLES;
    for (char **setting = environ; *setting != NULL && place < COMPLAINTS; setting++) {
        if (strncmp(*setting, prefix, sizeof prefix - 1) == 0 && !is_variable(*setting)) {
            complain(place++, *setting);
        }
    }
}

/*
 * The variable whose name is nearest to another name; NULL where none is near: where half of what
 * follows the prefix is another, or more, it is another word and not misspelt.
 */
static const char *nearest_variable(const char *name)
{
    enum { NEAR = 4 };
    unsigned int shortest = NEAR;
    const char *nearest = NULL;
    for (unsigned int i = 0; i < VARIABLES; i++) {
        const unsigned int distance = spelling_distance(name, variables[i].name);
        const size_t length = strlen(variables[i].name) - (sizeof "LIBREUSE_" - 1);
        if (distance < shortest && 2 * distance <= length) {
            shortest = distance;
            nearest = variables[i].name;
        }
    }
    return nearest;
}

/* JOURNAL_STREAM is DEVICE:INODE, in decimal. It is systemd's, and not complained about. */
static void load_journal_stream(const char *value)
{
    uint64_t numbers[2] = {0, 0};
    for (unsigned int i = 0; i < 2; i++) {
        while (*value >= '0' && *value <= '9') {
            numbers[i] = numbers[i] * 10 + (uint64_t)(*value++ - '0');
        }
        if (*value++ != (i == 0 ? ':' : '\0')) {
            return;
        }
    }
    journal_device = numbers[0];
    journal_inode = numbers[1];
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
    return kernel_is_another_user();
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
    if (!privileged) {
        complain_of_unknown_names();
    }
    const char *journal_stream = getenv("JOURNAL_STREAM");
    if (journal_stream != NULL && !privileged) {
        load_journal_stream(journal_stream);
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

/* What waits is the beginning of the setting; its name ends at the equals sign. */
static void describe_unknown_name(struct complaint *complaint)
{
    complaint->value[strcspn(complaint->value, "=")] = '\0';
    complaint->variable = nearest_variable(complaint->value);
    complaint->expected = NULL;
    complaint->in_use = NULL;
}

bool config_take_complaint(struct complaint *complaint)
{
    need_loaded();
    for (unsigned int i = 0; i < COMPLAINTS; i++) {
        const unsigned int bit = 1U << i;
        if ((atomic_fetch_and(&complaints, ~bit) & bit) == 0) {
            continue;
        }
        for (size_t c = 0; c < sizeof complaint->value; c++) {
            complaint->value[c] = complained_values[i][c];
        }
        if (i >= VARIABLES) {
            describe_unknown_name(complaint);
        } else {
            complaint->variable = variables[i].name;
            complaint->expected = variables[i].expected;
            complaint->in_use = variables[i].in_use;
        }
        return true;
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

enum log config_log(void)
{
    need_loaded();
    return log_to;
}

const char *config_log_name(enum log log)
{
    return log_names[log];
}

void config_log_path(char path[LOG_PATH_SIZE])
{
    need_loaded();
    for (size_t i = 0; i < LOG_PATH_SIZE; i++) {
        path[i] = log_path[i];
    }
}

bool config_json(void)
{
    need_loaded();
    return json;
}

unsigned int config_wait(void)
{
    need_loaded();
    return wait_seconds;
}

enum swallowed config_swallowed(void)
{
    need_loaded();
    return on_swallowed;
}

bool config_explain(void)
{
    need_loaded();
    return !no_explain;
}

bool config_is_journal_stream(uint64_t device, uint64_t inode)
{
    need_loaded();
    return journal_inode != 0 && journal_device == device && journal_inode == inode;
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
