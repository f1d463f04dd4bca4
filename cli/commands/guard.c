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
#include "sockets/socket_list.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "unit/drop_in.h"
#include "unit/guard_subject.h"
#include "unit/systemctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse guard [--json]\n"
    "       libreuse guard on [--dry-run] [--json] UNIT|CGROUP|--host\n"
    "       libreuse guard off [--dry-run] [--json] UNIT|CGROUP|--host\n"
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
    "  -n, --dry-run    only show what would be done\n"
    "      --json       the same, or the list, as a JSON object\n"
    "  -h, --help, -V, --version\n"
    "\n"
    "Needs root, Linux 6.1, cgroup2, and the BPF file system at /sys/fs/bpf. What it\n"
    "cannot promise is in libreuse(1).\n"
    "\n"
    "Exit status: 0 fine; 1 there was no such guard or unit, it is refused, or\n"
    "listeners could not be armed; 2 wrong usage; 3 not permitted or not supported.\n";

struct request {
    bool dry_run;
    bool json;
};

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

/* Arms those that listen already, and notes their ports: the programs have not seen them begin. */
static void arm_running(struct group_arming *arming, const struct guard_subject *subject,
                        const struct request *request)
{
    size_t count = 0;
    int *pids = subject->group != NULL ? control_group_processes(subject->group, &count) : NULL;
    group_arm(arming, pids, count, request->dry_run);
    free(pids);
    for (size_t i = 0; i < arming->count && !request->dry_run; i++) {
        const struct group_listener *listener = &arming->listeners[i];
        const struct guard_port port = {.network = listener->network, .port = listener->port};
        guard_note(subject->name, &port);
    }
}

static void say_running(const struct group_arming *arming, const struct guard_subject *subject,
                        const struct request *request)
{
    const char *title = guard_subject_title(subject);
    if (arming->armed > 0) {
        output_text(TONE_PLAIN, "%s %zu listener%s that run%s already (",
                    request->dry_run ? "would arm" : "armed", arming->armed, plural(arming->armed),
                    arming->armed == 1 ? "s" : "");
        const char *separator = "";
        for (size_t i = 0; i < arming->count; i++) {
            if (!arming->listeners[i].was_armed) {
                output_text(TONE_PLAIN, "%s%s", separator, arming->listeners[i].address);
                separator = ", ";
            }
        }
        output_text(TONE_PLAIN, "); ");
    }
    if (request->dry_run) {
        output_line("from then on each listener of %s would be armed, and its restart would work",
                    title);
    } else {
        output_line("from now on each listener of %s is armed, and its restart works", title);
    }
    say_time_wait(arming);
}

static void say_unarmed(const struct group_arming *arming)
{
    const size_t refused = arming->refused;
    if (refused > 0) {
        output_error("guard: %zu listener%s that run%s already could not be armed (%s): %s next "
                     "restart fails for up to 60 s",
                     refused, plural(refused), refused == 1 ? "s" : "", strerror(arming->error),
                     refused == 1 ? "its" : "their");
    }
}

static void open_json(struct json *json, const struct guard_subject *subject,
                      const struct request *request)
{
    json_open_object(json, NULL);
    json_string(json, "name", subject->name);
    json_string(json, "control_group", subject->group);
    json_boolean(json, "dry_run", request->dry_run);
    json_string(json, "file", subject->file);
}

static void show_on_json(const struct group_arming *arming, const struct guard_subject *subject,
                         const struct request *request, const char *drop_in)
{
    struct json json = {0};
    open_json(&json, subject, request);
    json_string(&json, "content", drop_in);
    json_boolean(&json, "guarded", !request->dry_run || guard_is_there(subject->name));
    json_open_array(&json, "listeners");
    for (size_t i = 0; i < arming->count; i++) {
        const struct group_listener *listener = &arming->listeners[i];
        json_open_object(&json, NULL);
        json_string(&json, "listens_on", listener->address);
        json_number(&json, "port", listener->port);
        json_number(&json, "pid", listener->pid);
        json_boolean(&json, "reuseaddr_before", listener->was_armed);
        json_boolean(&json, "reuseaddr", listener->was_armed || !request->dry_run);
        json_number(&json, "time_wait", (int64_t)listener->time_wait);
        json_number(&json, "time_wait_seconds", sockets_seconds(listener->time_wait_ms));
        json_close(&json);
    }
    json_close(&json);
    json_number(&json, "armed", (int64_t)arming->armed);
    json_number(&json, "refused", (int64_t)arming->refused);
    json_string(&json, "error", arming->refused > 0 ? strerror(arming->error) : NULL);
    json_close(&json);
}

static int say_refused(char *why)
{
    output_error("guard: %s", why);
    free(why);
    return STATUS_REFUSED;
}

static int say_no_group(const char *group)
{
    output_error("guard: %s: there is no such control group: %s", group, strerror(errno));
    return STATUS_REFUSED;
}

/* The guard itself, and the drop-in: nothing that runs already. -1, else the exit status. */
static int place(const struct guard_subject *subject, const char *drop_in)
{
    char *why;
    if (subject->group != NULL && !guard_attach(subject->name, subject->group, &why)) {
        return say_refused(why);
    }
    if (drop_in != NULL && !guard_subject_write(subject, drop_in)) {
        guard_remove(subject->name);
        return STATUS_REFUSED;
    }
    return -1;
}

static void say_placed(const struct guard_subject *subject, const struct request *request,
                       const char *drop_in)
{
    if (drop_in != NULL && request->dry_run) {
        output_line("%s: would be written, and read by systemd:", subject->file);
        output_text(TONE_PLAIN, "%s", drop_in);
    } else if (drop_in != NULL) {
        output_line("%s: written, and read by systemd: each start puts the guard on",
                    subject->file);
    }
}

static int switch_on(const struct guard_subject *subject, const struct request *request)
{
    char *why;
    int status = -1;
    if (!guards_are_possible(&why)) {
        return say_refused(why);
    }
    char *drop_in = subject->is_service ? guard_subject_drop_in(subject, &status) : NULL;
    if (subject->is_service && drop_in == NULL) {
        return status;
    }
    if (request->dry_run) {
        const int group = subject->group != NULL ? control_group_open(subject->group) : -1;
        status = subject->group != NULL && group < 0 ? say_no_group(subject->group) : -1;
        if (group >= 0) {
            close(group);
        }
    } else {
        status = place(subject, drop_in);
    }
    if (status < 0) {
        struct group_arming arming;
        arm_running(&arming, subject, request);
        if (request->json) {
            show_on_json(&arming, subject, request, drop_in);
        } else {
            say_placed(subject, request, drop_in);
            say_running(&arming, subject, request);
        }
        say_unarmed(&arming);
        status = arming.refused > 0 ? STATUS_FOUND : STATUS_FINE;
        group_arming_free(&arming);
        if (!subject->is_service && !request->json) {
            const bool is_host = strcmp(subject->name, GUARD_HOST) == 0;
            char *word = text_shell_word(is_host ? "--host" : subject->name);
            output_line("until the next boot, or: libreuse guard off %s", word);
            free(word);
        }
    }
    free(drop_in);
    return status;
}

/* Takes off what is there. -1, or the exit status. */
static int take_off(const struct guard_subject *subject, bool has_file)
{
    char *why = NULL;
    if (has_file && !drop_in_remove(DROP_IN_GUARD, subject->name)) {
        output_error("guard: %s: cannot be removed: %s", subject->file, strerror(errno));
        return STATUS_REFUSED;
    }
    if (has_file && !systemctl_reload(&why)) {
        output_error("guard: %s; run: systemctl daemon-reload", why);
        free(why);
    }
    if (!guard_remove(subject->name) && errno != ENOENT) {
        output_error("guard: %s: cannot be taken off: %s", subject->name, strerror(errno));
        return STATUS_REFUSED;
    }
    return -1;
}

static int switch_off(const struct guard_subject *subject, const struct request *request)
{
    if (geteuid() != 0) {
        output_error("guard: only root may do this: run it as root");
        return STATUS_REFUSED;
    }
    char *text = NULL;
    const bool has_file =
        subject->is_service && drop_in_read(DROP_IN_GUARD, subject->name, &text) == DROP_IN_OURS;
    free(text);
    if (!guard_is_there(subject->name) && !has_file) {
        output_error("guard: %s: is not guarded; libreuse guard lists what is",
                     guard_subject_title(subject));
        return STATUS_FOUND;
    }
    const int status = request->dry_run ? -1 : take_off(subject, has_file);
    if (status >= 0) {
        return status;
    }
    if (request->json) {
        struct json json = {0};
        open_json(&json, subject, request);
        json_boolean(&json, "guarded", request->dry_run);
        json_close(&json);
    } else {
        output_line("%s: %s; listeners that are armed stay armed until they end, and their next "
                    "start is on its own",
                    guard_subject_title(subject),
                    request->dry_run ? "would not be guarded any more" : "no longer guarded");
    }
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

static int act(const char *verb, const char *what, bool is_host, const struct request *request)
{
    struct guard_subject subject;
    int status = guard_subject_find(&subject, what, is_host);
    if (status < 0) {
        status =
            strcmp(verb, "on") == 0 ? switch_on(&subject, request) : switch_off(&subject, request);
    } else if (status == STATUS_USAGE) {
        command_usage("guard");
    }
    guard_subject_free(&subject);
    return status;
}

int guard_unit(const char *unit, bool dry_run, bool json)
{
    const struct request request = {.dry_run = dry_run, .json = json};
    return act("on", unit, false, &request);
}

int guard_command(int argc, char **argv)
{
    enum { JSON = 1, HOST };
    static const struct option options[] = {
        {"json", no_argument, NULL, JSON},   {"host", no_argument, NULL, HOST},
        {"dry-run", no_argument, NULL, 'n'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'}, {0}};
    struct request request = {0};
    bool is_host = false;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "nhV", options, NULL)) != -1;) {
        if (option != JSON && option != HOST && option != 'n') {
            return command_common_option(option, "guard", help, argv[optind - 1]);
        }
        request.json = request.json || option == JSON;
        request.dry_run = request.dry_run || option == 'n';
        is_host = is_host || option == HOST;
    }
    const int words = argc - optind;
    const char *verb = words > 0 ? argv[optind] : "";
    const bool is_attach = strcmp(verb, "attach") == 0;
    if (words == 0 && !is_host && !request.dry_run) {
        return guard_list(request.json);
    }
    if (!is_attach && strcmp(verb, "on") != 0 && strcmp(verb, "off") != 0) {
        output_error("guard: %s: on or off was expected", words > 0 ? verb : argv[argc - 1]);
        return command_usage("guard");
    }
    if (words + is_host != 2) {
        output_error("guard: %s: one unit or control group was expected, or --host", verb);
        return command_usage("guard");
    }
    if (is_attach && (is_host || request.json || request.dry_run)) {
        output_error("guard: attach: a unit was expected, and no option");
        return command_usage("guard");
    }
    const char *what = is_host ? "" : argv[optind + 1];
    return is_attach ? attach(what) : act(verb, what, is_host, &request);
}
