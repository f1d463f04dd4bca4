#include "sandbox.h"

#include "terminal/output.h"
#include "terminal/text.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

void sandbox_check_library(struct unit_check *check, const struct unit *unit, const char *path)
{
    const char *image = unit_value(unit, "RootImage");
    const char *root = unit_value(unit, "RootDirectory");
    if (image[0] != '\0' && !is_bound(unit, path)) {
        add_sentence(&check->refusals,
                     "RootImage=%s: its files are in there, and %s may not be; add "
                     "BindReadOnlyPaths=%s to the unit",
                     image, path, path);
    } else if (root[0] != '\0' && strcmp(root, "/") != 0 && !is_bound(unit, path)) {
        char *inside = output_format("%s%s", root, path);
        if (access(inside, F_OK) != 0) {
            add_sentence(&check->refusals,
                         "RootDirectory=%s: the library is not there as %s; copy it, or add "
                         "BindReadOnlyPaths=%s to the unit",
                         root, inside, path);
        }
        free(inside);
    }
    char *what = what_hides(unit, path);
    if (what != NULL) {
        add_sentence(
            &check->refusals,
            "%s keeps the library %s from it, and the program would start without; install "
            "libreuse below /usr",
            what, path);
    }
    free(what);
}

/* What a filter does with a call. */
enum fate { FATE_ALLOWED, FATE_REFUSED, FATE_KILLED };

/*
 * The calls that the library makes, in every situation: shim/guest/kernel.c, and what it calls of
 * the C library. bind() and listen() are the server's own, and close_range() is called only where
 * close() is refused.
 */
static const char *const calls[] = {
    "getsockopt",      "setsockopt",    "getsockname", "socket",     "sendto",     "recvmsg",
    "connect",         "openat",        "read",        "write",      "close",      "fstat",
    "newfstatat",      "statx",         "fstatfs",     "fcntl",      "getdents64", "readlinkat",
    "rt_sigprocmask",  "rt_sigpending", "ppoll",       "prctl",      "capget",     "uname",
    "getpid",          "getuid",        "geteuid",     "getgid",     "getegid",    "clock_gettime",
    "rt_sigtimedwait", "ioctl",         "lseek",       "exit_group",
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

void sandbox_check_calls(struct unit_check *check, const struct unit *unit)
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
    char *word = text_shell_word(unit->id);
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
        add_sentence(
            &check->refusals,
            "SystemCallFilter= would end it with SIGSYS at a call that libreuse makes; systemctl "
            "edit %s, and write below [Service]: SystemCallFilter=%s",
            word, killed);
    }
    if (is_needed) {
        add_sentence(
            &check->refusals,
            "SystemCallFilter= refuses what libreuse cannot work without; systemctl edit %s, and "
            "write below [Service]: SystemCallFilter=%s",
            word, refused);
    } else if (refused[0] != '\0') {
        add_sentence(&check->notices, "SystemCallFilter= refuses %s: its reports will say less",
                     refused);
    }
    free(word);
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

void sandbox_check_families(struct unit_check *check, const struct unit *unit)
{
    if (!is_family_allowed(unit, "AF_INET") && !is_family_allowed(unit, "AF_INET6")) {
        add_sentence(&check->refusals,
                     "RestrictAddressFamilies= gives it neither AF_INET nor AF_INET6, so "
                     "it binds no TCP port; name the service that does");
        return;
    }
    if (!is_family_allowed(unit, "AF_NETLINK")) {
        add_sentence(&check->notices,
                     "RestrictAddressFamilies= has no AF_NETLINK: who holds a port is "
                     "looked up in /proc/net instead, with less detail");
    }
    if (!is_family_allowed(unit, "AF_UNIX")) {
        add_sentence(&check->notices,
                     "RestrictAddressFamilies= has no AF_UNIX: reports cannot be sent to "
                     "the journal with their fields, and go to standard error as text");
    }
}
