#include "unit_check.h"

#include "program/program.h"
#include "sandbox.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "terminal/users.h"
#include "unit_file.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void add_sentence(struct sentences *sentences, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = output_format_list(format, arguments);
    va_end(arguments);
    sentences->list =
        output_reallocate(sentences->list, sentences->count + 1, sizeof sentences->list[0]);
    sentences->list[sentences->count++] = text;
}

/* Whether there is such a service at all. */
static bool check_existence(struct unit_check *check, const struct unit *unit)
{
    const char *state = unit_value(unit, "LoadState");
    char *word = text_shell_word(unit->id);
    if (!ends_with(unit->id, ".service")) {
        add_sentence(&check->refusals, "is no service; name the .service that binds the port");
    } else if (strcmp(state, "not-found") == 0) {
        add_sentence(&check->refusals,
                     "there is no such unit; systemctl list-unit-files shows them");
    } else if (strcmp(state, "masked") == 0) {
        add_sentence(&check->refusals,
                     "is masked, so it cannot be started; systemctl unmask %s first", word);
    } else if (strcmp(state, "loaded") != 0) {
        add_sentence(&check->refusals, "systemd cannot load it (%s); see systemctl status %s",
                     state, word);
    } else if (unit_value(unit, "ExecStart")[0] == '\0') {
        add_sentence(&check->refusals, "has no ExecStart=, so there is no server in it");
    }
    free(word);
    return check->refusals.count == 0;
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
        add_sentence(
            &check->refusals,
            "ExecStart= runs libreuse itself already (%s); nothing is to be enabled, or write the "
            "server itself there",
            path);
    } else if (program.obstacle != OBSTACLE_NONE && !is_elsewhere) {
        char *reason = program_reason(&program, path);
        add_sentence(&check->refusals, "%s; %s", reason, program.way_out);
        free(reason);
    } else if (program.obstacle == OBSTACLE_NONE) {
        sandbox_check_library(check, unit, program.library->path);
        char *ours = unit_file_percent(program.preload);
        char *longer = library_add_to_preload(check->preload, ours, program.library, &program.elf);
        free(ours);
        free(check->preload);
        check->preload = longer;
    }
    if (program.notice != NULL) {
        add_sentence(&check->notices, "%s: %s", path, program.notice);
    }
    if (program.warning != NULL) {
        add_sentence(&check->notices, "%s: %s", path, program.warning);
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
            add_sentence(&check->refusals,
                         "ExecStart=: systemd shows \"%s\", which is not understood", line->value);
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
        add_sentence(&check->refusals, "%s takes %s away from it; take that out", where, name);
    } else if (strcmp(other, value) != 0) {
        add_sentence(&check->refusals,
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
        add_sentence(&check->refusals, "%s takes LD_PRELOAD away from it; take that out", where);
    } else if (strstr(other, "libreuse.so") == NULL) {
        add_sentence(
            &check->refusals,
            "%s sets LD_PRELOAD, and counts more than what would be written here; write there: "
            "LD_PRELOAD=%s%s%s",
            where, path, other[0] != '\0' ? ":" : "", other);
    }
    free(path);
    free(where);
    free(other);
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
        add_sentence(&check->notices,
                     "%s binds ports for it: for those systemd itself has set SO_REUSEADDR, "
                     "and libreuse has nothing to do",
                     socket);
    }
    if (proc[0] != '\0' && strcmp(proc, "default") != 0) {
        add_sentence(&check->notices,
                     "ProtectProc=%s: reports cannot name a holder that runs as another "
                     "user",
                     proc);
    }
    if (unit_is(unit, "ProcSubset", "pid")) {
        add_sentence(&check->notices,
                     "ProcSubset=pid: reports do not compare a port with the settings in "
                     "/proc/sys/net");
    }
    if (starts_with(errors, "file") || starts_with(errors, "append") ||
        starts_with(errors, "truncate") || starts_with(errors, "socket") ||
        starts_with(errors, "fd") || starts_with(errors, "tty")) {
        add_sentence(&check->notices,
                     "StandardError=%s: reports go there; --log=journal sends them to the "
                     "journal",
                     errors);
    }
    if (property(&unit->properties, "SystemCallFilter") == NULL) {
        add_sentence(&check->notices,
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
    sandbox_check_calls(check, unit);
    sandbox_check_families(check, unit);
    check_surroundings(check, unit);
}

void sentences_free(struct sentences *sentences)
{
    for (size_t i = 0; i < sentences->count; i++) {
        free(sentences->list[i]);
    }
    free(sentences->list);
}

void sentences_json(const struct sentences *sentences, struct json *json, const char *name)
{
    json_open_array(json, name);
    for (size_t i = 0; i < sentences->count; i++) {
        json_string(json, NULL, sentences->list[i]);
    }
    json_close(json);
}

void unit_check_free(struct unit_check *check)
{
    sentences_free(&check->refusals);
    sentences_free(&check->notices);
    free(check->preload);
    *check = (struct unit_check){0};
}
