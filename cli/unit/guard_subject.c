#include "guard_subject.h"

#include "drop_in.h"
#include "kernel/control_group.h"
#include "systemctl.h"
#include "terminal/exit_status.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "unit.h"
#include "unit_file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void guard_subject_free(struct guard_subject *subject)
{
    free(subject->name);
    free(subject->group);
    free(subject->file);
}

/* A control group's path: as it is listed, or with the folder where cgroup2 is mounted. */
static char *group_path(const char *text)
{
    char *mount = control_groups_mount();
    const size_t length = mount != NULL ? strlen(mount) : 0;
    if (length > 0 && strncmp(text, mount, length) == 0 &&
        (text[length] == '/' || text[length] == '\0')) {
        text += length;
    }
    free(mount);
    char *path = output_format("/%s", text + strspn(text, "/"));
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/';) {
        path[--end] = '\0';
    }
    return path;
}

/* -1 where it is found, else the status, after an error message. */
static int find_unit(struct guard_subject *subject, const char *text)
{
    static const char *const properties[] = {"Id", "LoadState", "ControlGroup", NULL};
    char *name = unit_full_name(text, "guard");
    if (name == NULL) {
        return STATUS_USAGE;
    }
    struct properties answer;
    char *why;
    if (!systemctl_show(&answer, name, properties, &why)) {
        output_error("guard: %s: %s; give the path of the control group instead", name, why);
        free(why);
        free(name);
        properties_free(&answer);
        return STATUS_REFUSED;
    }
    const char *id = property(&answer, "Id");
    const char *load = property(&answer, "LoadState");
    const char *group = property(&answer, "ControlGroup");
    const bool is_there = load != NULL && strcmp(load, "loaded") == 0;
    subject->name = output_format("%s", id != NULL ? id : name);
    subject->group = group != NULL && group[0] != '\0' ? output_format("%s", group) : NULL;
    subject->is_service = ends_with(subject->name, ".service");
    properties_free(&answer);
    free(name);
    if (!is_there) {
        output_error("guard: %s: systemd has no such unit, or cannot load it", subject->name);
        return STATUS_FOUND;
    }
    if (subject->is_service) {
        subject->file = drop_in_path(DROP_IN_GUARD, subject->name);
    } else {
        if (subject->group == NULL) {
            output_error("guard: %s: has no control group now; give the slice that it belongs to",
                         subject->name);
            return STATUS_FOUND;
        }
        free(subject->name);
        subject->name = output_format("%s", subject->group);
    }
    return -1;
}

int guard_subject_find(struct guard_subject *subject, const char *text, bool is_host)
{
    *subject = (struct guard_subject){0};
    if (is_host || strchr(text, '/') != NULL) {
        subject->group = group_path(is_host ? GUARD_HOST : text);
        subject->name = output_format("%s", subject->group);
        return -1;
    }
    return find_unit(subject, text);
}

const char *guard_subject_title(const struct guard_subject *subject)
{
    return strcmp(subject->name, GUARD_HOST) == 0 ? "the host"
           : subject->group != NULL               ? subject->group + 1
                                                  : subject->name;
}

/* The file that attaches the guard at each start. The caller frees it. */
static char *compose(const char *unit)
{
    char path[PATH_MAX] = "";
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    char *program = unit_file_percent(length > 0 ? path : "/usr/bin/libreuse");
    char *name = unit_file_percent(unit);
    char *word = text_shell_word(unit);
    char *text = output_format(DROP_IN_GUARD_MARK " on; to undo it: libreuse guard off %s\n"
                                                  "[Service]\n"
                                                  "ExecStartPre=-+\"%s\" guard attach \"%s\"\n",
                               word, program, name);
    free(word);
    free(name);
    free(program);
    return text;
}

/* A unit in a root folder of its own cannot run the command before its start. */
static bool has_own_root(const char *unit, char **where)
{
    static const char *const names[] = {"RootDirectory", "RootImage", NULL};
    struct properties answer;
    char *why = NULL;
    *where = NULL;
    if (systemctl_show(&answer, unit, names, &why)) {
        for (size_t i = 0; names[i] != NULL && *where == NULL; i++) {
            const char *value = property(&answer, names[i]);
            if (value != NULL && value[0] != '\0') {
                *where = output_format("%s=%s", names[i], value);
            }
        }
    }
    properties_free(&answer);
    free(why);
    return *where != NULL;
}

char *guard_subject_drop_in(const struct guard_subject *subject, int *status)
{
    char *root;
    char *before = NULL;
    char *text = NULL;
    *status = STATUS_FOUND;
    if (has_own_root(subject->name, &root)) {
        output_error("guard: %s has %s: nothing outside of that can be run at its start; guard the "
                     "slice that it is in instead",
                     subject->name, root);
        free(root);
        return NULL;
    }
    switch (drop_in_read(DROP_IN_GUARD, subject->name, &before)) {
    case DROP_IN_FOREIGN:
        output_error("guard: %s: was not written by libreuse guard, or a symbolic link is in the "
                     "way; it is left alone: move it away",
                     subject->file);
        break;
    case DROP_IN_UNREADABLE:
        output_error("guard: %s: %s", subject->file, strerror(errno));
        *status = STATUS_REFUSED;
        break;
    default:
        text = compose(subject->name);
        break;
    }
    free(before);
    return text;
}

bool guard_subject_write(const struct guard_subject *subject, const char *text)
{
    char *before = NULL;
    char *why = NULL;
    bool done = false;
    drop_in_read(DROP_IN_GUARD, subject->name, &before);
    if ((before == NULL || strcmp(before, text) != 0) &&
        !drop_in_write(DROP_IN_GUARD, subject->name, text)) {
        output_error("guard: %s: cannot be written: %s", subject->file, strerror(errno));
    } else if (!systemctl_reload(&why)) {
        output_error("guard: %s is written, but systemd does not read it: %s; run: systemctl "
                     "daemon-reload",
                     subject->file, why);
    } else {
        done = true;
    }
    free(why);
    free(before);
    return done;
}
