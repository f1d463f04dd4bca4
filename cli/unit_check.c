#include "unit_check.h"

#include "output.h"
#include "program.h"
#include "unit_file.h"
#include "users.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

OUTPUT_PRINTF(2, 3) static void add(struct sentences *sentences, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = output_format_list(format, arguments);
    va_end(arguments);
    sentences->list =
        output_reallocate(sentences->list, sentences->count + 1, sizeof sentences->list[0]);
    sentences->list[sentences->count++] = text;
}

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

/* Whether there is such a service at all. */
static bool check_existence(struct unit_check *check, const struct unit *unit)
{
    const char *state = unit_value(unit, "LoadState");
    if (!ends_with(unit->id, ".service")) {
        add(&check->refusals, "is no service; name the .service that binds the port");
    } else if (strcmp(state, "not-found") == 0) {
        add(&check->refusals, "there is no such unit; systemctl list-unit-files shows them");
    } else if (strcmp(state, "masked") == 0) {
        add(&check->refusals, "is masked, so it cannot be started; systemctl unmask %s first",
            unit->id);
    } else if (strcmp(state, "loaded") != 0) {
        add(&check->refusals, "systemd cannot load it (%s); see systemctl status %s", state,
            unit->id);
    } else if (unit_value(unit, "ExecStart")[0] == '\0') {
        add(&check->refusals, "has no ExecStart=, so there is no server in it");
    }
    return check->refusals.count == 0;
}

/* Whether a path is in a folder, or is that. */
static bool is_below(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') {
        length--;
    }
    return strncmp(path, folder, length) == 0 &&
           (path[length] == '/' || path[length] == '\0' || length == 1);
}

/*
 * The item of a list of paths that covers a path. A leading "-" or "+", and what follows a colon
 * (options; for Bind...= the place comes second), is not of the path. The caller frees it.
 */
static char *covering(const struct unit *unit, const char *name, const char *path)
{
    struct words items;
    words_split(&items, unit_value(unit, name));
    char *found = NULL;
    for (size_t i = 0; i < items.count && found == NULL; i++) {
        const char *item = items.list[i] + strspn(items.list[i], "-+");
        const char *colon = strchr(item, ':');
        if (starts_with(name, "Bind") && colon != NULL) {
            item = colon + 1;
        }
        char *folder = output_format("%.*s", (int)strcspn(item, ":"), item);
        if (folder[0] == '/' && is_below(path, folder)) {
            found = folder;
        } else {
            free(folder);
        }
    }
    words_free(&items);
    return found;
}

static bool covers(const struct unit *unit, const char *name, const char *path)
{
    char *item = covering(unit, name, path);
    free(item);
    return item != NULL;
}

/* Whether the service has a path of the host mounted into its view of the files. */
static bool is_bound(const struct unit *unit, const char *path)
{
    return covers(unit, "BindReadOnlyPaths", path) || covers(unit, "BindPaths", path);
}

/* The setting that keeps a file of the host from the service; NULL. The caller frees it. */
static char *what_hides(const struct unit *unit, const char *path)
{
    static const char *const lists[] = {"InaccessiblePaths", "InaccessibleDirectories",
                                        "TemporaryFileSystem"};
    const char *home = unit_value(unit, "ProtectHome");
    const char *temporary = unit_value(unit, "PrivateTmp");
    if (is_bound(unit, path)) {
        return NULL;
    }
    if ((strcmp(home, "yes") == 0 || strcmp(home, "tmpfs") == 0) &&
        (is_below(path, "/home") || is_below(path, "/root") || is_below(path, "/run/user"))) {
        return output_format("ProtectHome=%s", home);
    }
    if (temporary[0] != '\0' && strcmp(temporary, "no") != 0 &&
        (is_below(path, "/tmp") || is_below(path, "/var/tmp"))) {
        return output_format("PrivateTmp=%s", temporary);
    }
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        char *item = covering(unit, lists[i], path);
        if (item != NULL) {
            char *what = output_format("%s=%s", lists[i], item);
            free(item);
            return what;
        }
    }
    return covers(unit, "NoExecPaths", path) && !covers(unit, "ExecPaths", path)
               ? output_format("NoExecPaths=%s", unit_value(unit, "NoExecPaths"))
               : NULL;
}

/* Whether the service can load the library from where it is. */
static void check_library(struct unit_check *check, const struct unit *unit, const char *path)
{
    const char *image = unit_value(unit, "RootImage");
    const char *root = unit_value(unit, "RootDirectory");
    if (image[0] != '\0' && !is_bound(unit, path)) {
        add(&check->refusals,
            "RootImage=%s: its files are in there, and %s may not be; add "
            "BindReadOnlyPaths=%s to the unit",
            image, path, path);
    } else if (root[0] != '\0' && strcmp(root, "/") != 0 && !is_bound(unit, path)) {
        char *inside = output_format("%s%s", root, path);
        if (access(inside, F_OK) != 0) {
            add(&check->refusals,
                "RootDirectory=%s: the library is not there as %s; copy it, or add "
                "BindReadOnlyPaths=%s to the unit",
                root, inside, path);
        }
        free(inside);
    }
    char *what = what_hides(unit, path);
    if (what != NULL) {
        add(&check->refusals,
            "%s keeps the library %s from it, and the program would start without; install "
            "libreuse below /usr",
            what, path);
    }
    free(what);
}

/* One line of ExecStart=. */
struct execution {
    char *path;
    bool as_root; /* "+" or "!": User= does not count */
};

/* "{ path=/bin/x ; argv[]=... ; flags=privileged ; ... }" */
static struct execution parse_execution(const char *text)
{
    static const char start[] = "path=";
    const char *path = strstr(text, start);
    const char *end = path != NULL ? strstr(path, " ; argv[]=") : NULL;
    const char *flags = NULL;
    for (const char *at = text; (at = strstr(at, " ; flags=")) != NULL;) {
        at += sizeof " ; flags=" - 1; /* the last one: an argument may look like it */
        flags = at;
    }
    struct execution execution = {0};
    if (end != NULL) {
        path += sizeof start - 1;
        execution.path = output_format("%.*s", (int)(end - path), path);
    }
    if (flags != NULL) {
        char *list = output_format("%.*s", (int)strcspn(flags, ";"), flags);
        execution.as_root = strstr(list, "privileged") != NULL || strstr(list, "no-setuid") != NULL;
        free(list);
    }
    return execution;
}

/* Who executes the service's program. */
static struct caller caller_of(const struct unit *unit, const struct execution *execution)
{
    struct caller caller = {.no_new_privileges = unit_is(unit, "NoNewPrivileges", "yes")};
    const char *user = unit_value(unit, "User");
    const char *group = unit_value(unit, "Group");
    const uid_t stand_in = (uid_t)-2; /* another user than root, of whom no more is known */
    memset(&caller.bounding, 0xff, sizeof caller.bounding);
    if (!execution->as_root) {
        if (user[0] != '\0' && !user_find(user, &caller.uid, &caller.gid) &&
            !user_find(unit_value(unit, "UID"), &caller.uid, &caller.gid)) {
            caller.uid = stand_in;
            caller.gid = stand_in;
        } else if (user[0] == '\0' && unit_is(unit, "DynamicUser", "yes")) {
            caller.uid = stand_in;
            caller.gid = stand_in;
        }
        if (group[0] != '\0' && !group_find(group, &caller.gid)) {
            caller.gid = stand_in;
        }
    }
    caller.effective_uid = caller.uid;
    caller.effective_gid = caller.gid;
    return caller;
}

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Examines one program, and adds its library to LD_PRELOAD. */
static void check_execution(struct unit_check *check, const struct unit *unit,
                            const struct execution *execution, const struct libraries *libraries)
{
    struct program program;
    const struct caller caller = caller_of(unit, execution);
    const char *root = unit_value(unit, "RootDirectory");
    const bool is_elsewhere = unit_value(unit, "RootImage")[0] != '\0';
    char *path = output_format("%s%s", strcmp(root, "/") != 0 ? root : "", execution->path);
    program_examine_for(&program, path, libraries, &caller);
    if (strcmp(file_name(path), "libreuse") == 0) {
        add(&check->refusals,
            "ExecStart= runs libreuse itself already (%s); nothing is to be enabled, or write the "
            "server itself there",
            path);
    } else if (program.obstacle != OBSTACLE_NONE && !is_elsewhere) {
        char *reason = program_reason(&program, path);
        add(&check->refusals, "%s; %s", reason, program.way_out);
        free(reason);
    } else if (program.obstacle == OBSTACLE_NONE) {
        check_library(check, unit, program.library->path);
        char *ours = unit_file_percent(program.preload);
        char *longer = library_add_to_preload(check->preload, ours, program.library, &program.elf);
        free(ours);
        free(check->preload);
        check->preload = longer;
    }
    if (program.notice != NULL) {
        add(&check->notices, "%s: %s", path, program.notice);
    }
    program_free(&program);
    free(path);
}

static void check_executions(struct unit_check *check, const struct unit *unit,
                             const struct libraries *libraries)
{
    const bool has_flags = property(&unit->properties, "ExecStartEx") != NULL;
    for (size_t i = 0; i < unit->properties.count; i++) {
        const struct property *line = &unit->properties.list[i];
        if (strcmp(line->name, has_flags ? "ExecStartEx" : "ExecStart") != 0) {
            continue;
        }
        struct execution execution = parse_execution(line->value);
        if (execution.path == NULL) {
            add(&check->refusals, "ExecStart=: systemd shows \"%s\", which is not understood",
                line->value);
        } else {
            check_execution(check, unit, &execution, libraries);
        }
        free(execution.path);
    }
}

void unit_check_variable(struct unit_check *check, const struct unit *unit, const char *name,
                         const char *value)
{
    char *where;
    char *other;
    if (!unit_replaces(unit, name, &where, &other)) {
        return;
    }
    if (other == NULL) {
        add(&check->refusals, "%s takes %s away from it; take that out", where, name);
    } else if (strcmp(other, value) != 0) {
        add(&check->refusals,
            "%s sets %s, and counts more than what would be written here; write "
            "there: %s=%s",
            where, name, name, value);
    }
    free(where);
    free(other);
}

/*
 * The same for LD_PRELOAD, which there is to name the library besides what it names. A file that
 * names it already is fine.
 */
static void check_preload(struct unit_check *check, const struct unit *unit)
{
    char *where;
    char *other;
    if (!unit_replaces(unit, "LD_PRELOAD", &where, &other)) {
        return;
    }
    const size_t first = strcspn(check->preload, ":");
    char *path = output_format("%.*s", (int)first, check->preload);
    if (other == NULL) {
        add(&check->refusals, "%s takes LD_PRELOAD away from it; take that out", where);
    } else if (strstr(other, "libreuse.so") == NULL) {
        add(&check->refusals,
            "%s sets LD_PRELOAD, and counts more than what would be written here; write there: "
            "LD_PRELOAD=%s%s%s",
            where, path, other[0] != '\0' ? ":" : "", other);
    }
    free(path);
    free(where);
    free(other);
}

/* What a filter does with a call. */
enum fate { FATE_ALLOWED, FATE_REFUSED, FATE_KILLED };

/*
 * The calls that the library makes, in every situation: shim/kernel.c, and what it calls of the C
 * library. bind() and listen() are the server's own.
 */
static const char *const calls[] = {
    "getsockopt",      "setsockopt",    "getsockname", "socket", "sendto",     "recvmsg",
    "connect",         "openat",        "read",        "write",  "close",      "fstat",
    "newfstatat",      "statx",         "fstatfs",     "fcntl",  "getdents64", "readlinkat",
    "rt_sigprocmask",  "rt_sigpending", "ppoll",       "prctl",  "capget",     "uname",
    "getpid",          "getuid",        "geteuid",     "getgid", "getegid",    "clock_gettime",
    "rt_sigtimedwait", "exit_group",
};

/* The action of a word "call:errno" or of SystemCallErrorNumber=. */
static enum fate action(const char *number)
{
    static const char kill_number[] = "2147483646"; /* as systemd shows "kill" since 247 */
    return number[0] == '\0' || strcmp(number, "0") == 0 || strcmp(number, "kill") == 0 ||
                   strcmp(number, kill_number) == 0
               ? FATE_KILLED
               : FATE_REFUSED;
}

/* A list of calls that are allowed; or, after a "~", of calls that are not. */
static enum fate fate_of(const struct words *filter, bool is_deny_list, enum fate otherwise,
                         const char *call)
{
    const size_t length = strlen(call);
    for (size_t i = 0; i < filter->count; i++) {
        const char *word = filter->list[i];
        if (strncmp(word, call, length) == 0 && word[length] == ':') {
            return action(word + length + 1);
        }
        if (strcmp(word, call) == 0) {
            return is_deny_list ? otherwise : FATE_ALLOWED;
        }
    }
    return is_deny_list ? FATE_ALLOWED : otherwise;
}

/* Adds a word to a list, and frees the old one. */
static char *with(char *list, const char *word)
{
    char *longer = output_format("%s%s%s", list, list[0] != '\0' ? " " : "", word);
    free(list);
    return longer;
}

static void check_system_calls(struct unit_check *check, const struct unit *unit)
{
    const char *value = unit_value(unit, "SystemCallFilter");
    const bool is_deny_list = value[0] == '~';
    if (value[0] == '\0' || strcmp(value, "~") == 0) {
        return;
    }
    struct words filter;
    words_split(&filter, value + is_deny_list);
    const enum fate otherwise = action(unit_value(unit, "SystemCallErrorNumber"));
    char *killed = output_format("%s", "");
    char *refused = output_format("%s", "");
    bool is_needed = false;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        const enum fate fate = fate_of(&filter, is_deny_list, otherwise, calls[i]);
        if (fate == FATE_KILLED) {
            killed = with(killed, calls[i]);
        } else if (fate == FATE_REFUSED) {
            refused = with(refused, calls[i]);
            is_needed = is_needed || ends_with(calls[i], "sockopt");
        }
    }
    if (killed[0] != '\0') {
        add(&check->refusals,
            "SystemCallFilter= would end it with SIGSYS at a call that libreuse makes; systemctl "
            "edit %s, and write below [Service]: SystemCallFilter=%s",
            unit->id, killed);
    }
    if (is_needed) {
        add(&check->refusals,
            "SystemCallFilter= refuses what libreuse cannot work without; systemctl edit %s, and "
            "write below [Service]: SystemCallFilter=%s",
            unit->id, refused);
    } else if (refused[0] != '\0') {
        add(&check->notices, "SystemCallFilter= refuses %s: its reports will say less", refused);
    }
    free(killed);
    free(refused);
    words_free(&filter);
}

static bool is_family_allowed(const struct unit *unit, const char *family)
{
    const char *value = property(&unit->properties, "RestrictAddressFamilies");
    if (value == NULL) {
        return true;
    }
    const bool is_deny_list = value[0] == '~';
    struct words families;
    words_split(&families, value + is_deny_list);
    const bool is_named = words_have(&families, family);
    words_free(&families);
    return is_named != is_deny_list;
}

static void check_families(struct unit_check *check, const struct unit *unit)
{
    if (!is_family_allowed(unit, "AF_INET") && !is_family_allowed(unit, "AF_INET6")) {
        add(&check->refusals, "RestrictAddressFamilies= gives it neither AF_INET nor AF_INET6, so "
                              "it binds no TCP port; name the service that does");
        return;
    }
    if (!is_family_allowed(unit, "AF_NETLINK")) {
        add(&check->notices, "RestrictAddressFamilies= has no AF_NETLINK: who holds a port is "
                             "looked up in /proc/net instead, with less detail");
    }
    if (!is_family_allowed(unit, "AF_UNIX")) {
        add(&check->notices, "RestrictAddressFamilies= has no AF_UNIX: reports cannot be sent to "
                             "the journal with their fields, and go to standard error as text");
    }
}

/* The socket unit that starts it; NULL. The caller frees it. */
static char *activating_socket(const struct unit *unit)
{
    struct words triggers;
    char *found = NULL;
    words_split(&triggers, unit_value(unit, "TriggeredBy"));
    for (size_t i = 0; i < triggers.count && found == NULL; i++) {
        if (ends_with(triggers.list[i], ".socket")) {
            found = output_format("%s", triggers.list[i]);
        }
    }
    words_free(&triggers);
    return found;
}

static void check_surroundings(struct unit_check *check, const struct unit *unit)
{
    char *socket = activating_socket(unit);
    const char *proc = unit_value(unit, "ProtectProc");
    const char *errors = unit_is(unit, "StandardError", "inherit")
                             ? unit_value(unit, "StandardOutput")
                             : unit_value(unit, "StandardError");
    if (socket != NULL) {
        add(&check->notices,
            "%s binds ports for it: for those systemd itself has set SO_REUSEADDR, "
            "and libreuse has nothing to do",
            socket);
    }
    if (proc[0] != '\0' && strcmp(proc, "default") != 0) {
        add(&check->notices,
            "ProtectProc=%s: reports cannot name a holder that runs as another "
            "user",
            proc);
    }
    if (unit_is(unit, "ProcSubset", "pid")) {
        add(&check->notices, "ProcSubset=pid: reports do not compare a port with the settings in "
                             "/proc/sys/net");
    }
    if (starts_with(errors, "file") || starts_with(errors, "append") ||
        starts_with(errors, "truncate") || starts_with(errors, "socket") ||
        starts_with(errors, "fd") || starts_with(errors, "tty")) {
        add(&check->notices,
            "StandardError=%s: reports go there; --log=journal sends them to the "
            "journal",
            errors);
    }
    if (property(&unit->properties, "SystemCallFilter") == NULL) {
        add(&check->notices,
            "this systemd does not show SystemCallFilter=: where the unit has one, "
            "try it first");
    }
    free(socket);
}

void unit_check(struct unit_check *check, const struct unit *unit,
                const struct libraries *libraries)
{
    *check = (struct unit_check){0};
    if (!check_existence(check, unit)) {
        return;
    }
    check->preload = unit_own_preload(unit);
    check_executions(check, unit, libraries);
    if (check->refusals.count == 0 && check->preload != NULL) {
        check_preload(check, unit);
    }
    check_system_calls(check, unit);
    check_families(check, unit);
    check_surroundings(check, unit);
}

static void free_sentences(struct sentences *sentences)
{
    for (size_t i = 0; i < sentences->count; i++) {
        free(sentences->list[i]);
    }
    free(sentences->list);
}

void unit_check_free(struct unit_check *check)
{
    free_sentences(&check->refusals);
    free_sentences(&check->notices);
    free(check->preload);
    *check = (struct unit_check){0};
}
