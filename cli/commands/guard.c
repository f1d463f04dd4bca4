/*
 * libreuse guard: makes the listeners of a control group restart, whatever programs they are, with
 * BPF programs that live on without a process.
 *
 * A unit's control group is made anew at each start. So its guard comes with each start: a drop-in
 * runs "libreuse guard attach" before the unit's own commands, which survives daemon-reload and
 * reboot, needs nothing at boot, and cannot keep the unit from its start.
 */
#include "command.h"
#include "kernel/control_group.h"
#include "kernel/guard_list.h"
#include "kernel/guards.h"
#include "sockets/group_arming.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "unit/drop_in.h"
#include "unit/unit.h"
#include "unit/unit_file.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse guard [--json]\n"
    "       libreuse guard on UNIT|CGROUP|--host\n"
    "       libreuse guard off UNIT|CGROUP|--host\n"
    "\n"
    "Makes the TCP servers of a control group restartable, whatever they are: also\n"
    "static and Go programs, set-user-ID programs, and those that run already.\n"
    "Programs in the kernel switch SO_REUSEADDR on for each listener, and for each\n"
    "bind() of a port whose listener under guard is gone. Without arguments, the\n"
    "guards are listed.\n"
    "\n"
    "  on UNIT          from now on, and with each start of this service: a drop-in,\n"
    "                   /etc/systemd/system/UNIT.d/50-libreuse-guard.conf\n"
    "  on CGROUP        a slice, or the path of a control group: until the next boot\n"
    "  on --host        every control group: until the next boot\n"
    "  off ...          no longer, and nothing is left behind\n"
    "  attach UNIT      what the drop-in runs: on for its own control group\n"
    "\n"
    "      --json       the list as JSON\n"
    "  -h, --help       this text\n"
    "  -V, --version    the version\n"
    "\n"
    "Needs root, Linux 6.1, cgroup2, and the BPF file system at /sys/fs/bpf. What it\n"
    "cannot promise is in libreuse(1).\n"
    "\n"
    "Exit status: 0 fine; 1 there was no such guard, or listeners could not be\n"
    "armed; 2 wrong usage; 3 not permitted or not supported.\n";

static const char host[] = "/";

/* What is to be guarded. */
struct subject {
    char *name;      /* of the guard: the unit's, or the control group's path */
    char *group;     /* the control group; NULL where the unit does not run */
    bool is_service; /* a drop-in makes it last */
};

static void free_subject(struct subject *subject)
{
    free(subject->name);
    free(subject->group);
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
static int find_unit(struct subject *subject, const char *text)
{
    static const char *const properties[] = {"Id", "LoadState", "ControlGroup", NULL};
    char *name = unit_full_name(text, "guard");
    if (name == NULL) {
        return command_usage("guard");
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
    if (!subject->is_service) {
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

static int find_subject(struct subject *subject, const char *text, bool is_host)
{
    *subject = (struct subject){0};
    if (is_host || strchr(text, '/') != NULL) {
        subject->group = group_path(is_host ? host : text);
        subject->name = output_format("%s", subject->group);
        return -1;
    }
    return find_unit(subject, text);
}

static const char *title(const struct subject *subject)
{
    return strcmp(subject->name, host) == 0 ? "the host"
           : subject->group != NULL         ? subject->group + 1
                                            : subject->name;
}

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

static void say_time_wait(const struct group_arming *arming)
{
    for (size_t i = 0; i < arming->count; i++) {
        const struct group_listener *listener = &arming->listeners[i];
        bool is_first = listener->time_wait > 0;
        for (size_t j = 0; j < i; j++) {
            is_first = is_first && (arming->listeners[j].port != listener->port ||
                                    arming->listeners[j].network != listener->network);
        }
        if (is_first) {
            output_text(TONE_WARNING,
                        "port %u: %zu TIME_WAIT socket%s of connections that ended before cannot "
                        "be armed and will be in the way of a restart for up to %u s: wait, or: "
                        "libreuse free %u\n",
                        listener->port, listener->time_wait, plural(listener->time_wait),
                        listener->time_wait_ms / 1000 + 1, listener->port);
        }
    }
}

/* Notes the ports of those that listen already: the programs have not seen them begin. */
static int arm_running(const struct subject *subject)
{
    size_t count = 0;
    int *pids = subject->group != NULL ? control_group_processes(subject->group, &count) : NULL;
    struct group_arming arming;
    group_arm(&arming, pids, count);
    free(pids);
    for (size_t i = 0; i < arming.count; i++) {
        const struct group_listener *listener = &arming.listeners[i];
        const struct guard_port port = {.network = listener->network, .port = listener->port};
        guard_note(subject->name, &port);
    }
    if (arming.armed > 0) {
        output_text(TONE_PLAIN, "armed %zu listener%s that run%s already (", arming.armed,
                    plural(arming.armed), arming.armed == 1 ? "s" : "");
        const char *separator = "";
        for (size_t i = 0; i < arming.count; i++) {
            if (arming.listeners[i].armed_now) {
                output_text(TONE_PLAIN, "%s%s", separator, arming.listeners[i].address);
                separator = ", ";
            }
        }
        output_text(TONE_PLAIN, "); ");
    }
    output_line("from now on each listener of %s is armed, and its restart works", title(subject));
    say_time_wait(&arming);
    const size_t refused = arming.refused;
    if (refused > 0) {
        output_error("guard: %zu listener%s that run%s already could not be armed (%s): %s next "
                     "restart fails for up to 60 s",
                     refused, plural(refused), refused == 1 ? "s" : "", strerror(arming.error),
                     refused == 1 ? "its" : "their");
    }
    group_arming_free(&arming);
    return refused > 0 ? STATUS_FOUND : STATUS_FINE;
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

static bool write_drop_in(const char *unit)
{
    char *path = drop_in_path(DROP_IN_GUARD, unit);
    char *before = NULL;
    char *text = compose(unit);
    char *why = NULL;
    const enum drop_in state = drop_in_read(DROP_IN_GUARD, unit, &before);
    bool done = false;
    if (state == DROP_IN_FOREIGN) {
        output_error("guard: %s: was not written by libreuse guard, or a symbolic link is in the "
                     "way; it is left alone: move it away",
                     path);
    } else if (state == DROP_IN_UNREADABLE) {
        output_error("guard: %s: %s", path, strerror(errno));
    } else if ((before == NULL || strcmp(before, text) != 0) &&
               !drop_in_write(DROP_IN_GUARD, unit, text)) {
        output_error("guard: %s: cannot be written: %s", path, strerror(errno));
    } else if (!systemctl_reload(&why)) {
        output_error("guard: %s is written, but systemd does not read it: %s; run: systemctl "
                     "daemon-reload",
                     path, why);
    } else {
        done = true;
        output_line("%s: written, and read by systemd: each start puts the guard on", path);
    }
    free(why);
    free(text);
    free(before);
    free(path);
    return done;
}

static int say_refused(char *why)
{
    output_error("guard: %s", why);
    free(why);
    return STATUS_REFUSED;
}

static int switch_on(const struct subject *subject)
{
    char *why;
    char *root;
    if (!guards_are_possible(&why)) {
        return say_refused(why);
    }
    if (subject->is_service && has_own_root(subject->name, &root)) {
        output_error("guard: %s has %s: nothing outside of that can be run at its start; guard the "
                     "slice that it is in instead",
                     subject->name, root);
        free(root);
        return STATUS_REFUSED;
    }
    if (subject->group != NULL && !guard_attach(subject->name, subject->group, &why)) {
        return say_refused(why);
    }
    if (subject->is_service && !write_drop_in(subject->name)) {
        guard_remove(subject->name);
        return STATUS_REFUSED;
    }
    const int status = arm_running(subject);
    if (!subject->is_service) {
        char *word = text_shell_word(strcmp(subject->name, host) == 0 ? "--host" : subject->name);
        output_line("until the next boot, or: libreuse guard off %s", word);
        free(word);
    }
    return status;
}

static int switch_off(const struct subject *subject)
{
    if (geteuid() != 0) {
        output_error("guard: only root may do this: run it as root");
        return STATUS_REFUSED;
    }
    char *text = NULL;
    char *why = NULL;
    const bool has_file =
        subject->is_service && drop_in_read(DROP_IN_GUARD, subject->name, &text) == DROP_IN_OURS;
    free(text);
    if (has_file && !drop_in_remove(DROP_IN_GUARD, subject->name)) {
        char *path = drop_in_path(DROP_IN_GUARD, subject->name);
        output_error("guard: %s: cannot be removed: %s", path, strerror(errno));
        free(path);
        return STATUS_REFUSED;
    }
    if (has_file && !systemctl_reload(&why)) {
        output_error("guard: %s; run: systemctl daemon-reload", why);
        free(why);
    }
    const bool was_on = guard_remove(subject->name);
    if (!was_on && errno != ENOENT) {
        output_error("guard: %s: cannot be taken off: %s", subject->name, strerror(errno));
        return STATUS_REFUSED;
    }
    if (!was_on && !has_file) {
        output_error("guard: %s: is not guarded; libreuse guard lists what is", title(subject));
        return STATUS_FOUND;
    }
    output_line("%s: no longer guarded; listeners that are armed stay armed until they end, and "
                "their next start is on its own",
                title(subject));
    return STATUS_FINE;
}

/* Within the unit's start: the group that this process is in, up to the unit's own. */
static int attach(const char *unit)
{
    char *why;
    if (!guards_are_possible(&why)) {
        return say_refused(why);
    }
    char *group = control_group_of(getpid());
    char *component = output_format("/%s", unit);
    char *at = group != NULL ? strstr(group, component) : NULL;
    const size_t length = strlen(component);
    while (at != NULL && at[length] != '\0' && at[length] != '/') {
        at = strstr(at + 1, component);
    }
    if (at != NULL) {
        at[length] = '\0';
    }
    free(component);
    if (at == NULL) {
        char *word = text_shell_word(unit);
        output_error("guard: attach %s: this process is not in the unit's control group, but in "
                     "%s; it is for the unit's start: run libreuse guard on %s",
                     unit, group != NULL ? group : "none", word);
        free(word);
        free(group);
        return STATUS_USAGE;
    }
    const bool done = guard_attach(unit, group, &why);
    free(group);
    return done ? STATUS_FINE : say_refused(why);
}

static int act(const char *verb, const char *what, bool is_host)
{
    if (strcmp(verb, "attach") == 0) {
        return attach(what);
    }
    struct subject subject;
    int status = find_subject(&subject, what, is_host);
    if (status < 0) {
        status = strcmp(verb, "on") == 0 ? switch_on(&subject) : switch_off(&subject);
    }
    free_subject(&subject);
    return status;
}

int guard_unit(const char *unit)
{
    return act("on", unit, false);
}

int guard_command(int argc, char **argv)
{
    enum { JSON = 1, HOST };
    static const struct option options[] = {{"json", no_argument, NULL, JSON},
                                            {"host", no_argument, NULL, HOST},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    bool json = false;
    bool is_host = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "hV", options, NULL)) != -1;) {
        if (option != JSON && option != HOST) {
            return command_common_option(option, "guard", help, argv[optind - 1]);
        }
        json = json || option == JSON;
        is_host = is_host || option == HOST;
    }
    const int words = argc - optind;
    const char *verb = words > 0 ? argv[optind] : "";
    const bool is_verb =
        strcmp(verb, "on") == 0 || strcmp(verb, "off") == 0 || strcmp(verb, "attach") == 0;
    if (words == 0 && !is_host) {
        return guard_list(json);
    }
    if (!is_verb) {
        output_error("guard: %s: on or off was expected", words > 0 ? verb : "--host");
        return command_usage("guard");
    }
    if (words + is_host != 2 || json) {
        output_error("guard: %s: one unit or control group was expected, or --host", verb);
        return command_usage("guard");
    }
    return act(verb, is_host ? "" : argv[optind + 1], is_host);
}
