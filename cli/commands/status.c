/*
 * libreuse status: the services that "libreuse enable" was called for, and whether libreuse.so is
 * really at work in each.
 */
#include "command.h"
#include "sockets/running.h"
#include "sockets/socket_list.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "unit/drop_in.h"
#include "unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse status [--json] [UNIT]...\n"
    "\n"
    "Lists the services that were enabled with \"libreuse enable\": their state,\n"
    "whether libreuse.so is loaded in the main process, where that listens, and what\n"
    "is missing until it is in effect. With UNITs, only those.\n"
    "\n"
    "      --json     for programs\n"
    "  -h, --help     this text\n"
    "  -V, --version  the version\n"
    "\n"
    "\"(ephemeral)\": listens on a port that the kernel gives out by itself, as to a\n"
    "server that has lost its own; or it is meant to listen there.\n"
    "\n"
    "To look into the processes of other users needs root.\n"
    "Exit status: 0 in effect, or will be when the service is started; 1 one of them\n"
    "is not; 2 wrong usage; 3 systemd does not answer, or not permitted to see it.\n";

struct service {
    char *name;
    char *state; /* "active", "inactive", "not-found" */
    bool needs_reload;
    int pid; /* 0: it does not run */
    struct running running;
    int status;
    char *verdict;
};

static size_t count_unarmed(const struct running *running)
{
    size_t count = 0;
    for (size_t i = 0; i < running->listeners_count; i++) {
        count += running->listeners[i].armed == 0;
    }
    return count;
}

static bool is_armed_by_guard(const struct running *running)
{
    size_t armed = 0;
    for (size_t i = 0; i < running->listeners_count; i++) {
        armed += running->listeners[i].armed == 1;
    }
    return running->is_guarded && armed > 0 && armed == running->listeners_count;
}

static void judge(struct service *service, int status, char *verdict)
{
    service->status = status;
    service->verdict = verdict;
}

/* The file is there and systemd has read it: is the library in the process? */
/* A verdict with a command about the service. */
static char *with_command(const char *before, const struct service *service, const char *after)
{
    char *word = text_shell_word(service->name);
    char *verdict = output_format("%s %s%s", before, word, after);
    free(word);
    return verdict;
}

static void judge_process(struct service *service)
{
    const struct running *running = &service->running;
    if (running->library != NULL) {
        const size_t unarmed = count_unarmed(running);
        const struct listener *lost = running_lost(running);
        if (lost != NULL) {
            char *text = loss_text(lost->loss);
            judge(service, STATUS_FOUND, output_format("%s, listens on %s", text, lost->address));
            free(text);
        } else if (unarmed > 0) {
            judge(service, STATUS_FOUND,
                  output_format("loaded, but %zu of %zu listeners are not armed: libreuse check %d",
                                unarmed, running->listeners_count, service->pid));
        } else {
            judge(service, STATUS_FINE, output_format("in effect"));
        }
    } else if (is_armed_by_guard(running)) {
        judge(service, STATUS_FINE, output_format("restarts cleanly (guard)"));
    } else if (running->maps_error != 0) {
        judge(service, STATUS_REFUSED,
              output_format("not known: %s%s", strerror(running->maps_error),
                            geteuid() == 0 ? "" : "; run it as root"));
    } else if (running->preload_names_us) {
        judge(service, STATUS_FOUND,
              output_format("not loaded, though LD_PRELOAD names it: libreuse check %d",
                            service->pid));
    } else {
        judge(service, STATUS_FOUND,
              with_command("not loaded yet: systemctl restart", service, ""));
    }
}

/* Whether the LD_PRELOAD that systemd knows is the one that our file sets. */
static bool is_overridden(const struct unit *unit)
{
    struct words environment;
    words_split(&environment, unit_value(unit, "Environment"));
    const char *preload = words_variable(&environment, "LD_PRELOAD");
    const bool is_ours = preload != NULL && strstr(preload, "libreuse.so") != NULL;
    words_free(&environment);
    char *where;
    char *value;
    const bool is_replaced = unit_replaces(unit, "LD_PRELOAD", &where, &value) &&
                             (value == NULL || strstr(value, "libreuse.so") == NULL);
    free(where);
    free(value);
    return !is_ours || is_replaced;
}

static void judge_unit(struct service *service, const struct unit *unit, enum drop_in file)
{
    if (file == DROP_IN_FOREIGN) {
        judge(service, STATUS_FOUND,
              output_format("not enabled: %s is somebody else's", unit->drop_in));
    } else if (file != DROP_IN_OURS && unit_has_drop_in(unit)) {
        judge(service, STATUS_FOUND,
              output_format("disabled, but not forgotten: systemctl daemon-reload"));
    } else if (file != DROP_IN_OURS && is_armed_by_guard(&service->running)) {
        judge(service, STATUS_FINE, output_format("restarts cleanly (guard)"));
    } else if (file != DROP_IN_OURS) {
        judge(service, STATUS_FOUND, output_format("not enabled"));
    } else if (!unit_is(unit, "LoadState", "loaded")) {
        judge(service, STATUS_FOUND,
              with_command("there is no such unit to start: libreuse disable", service, ""));
    } else if (!unit_has_drop_in(unit) || service->needs_reload) {
        judge(service, STATUS_FOUND,
              output_format("systemd has not read it yet: systemctl daemon-reload"));
    } else if (is_overridden(unit)) {
        judge(service, STATUS_FOUND,
              with_command("something else sets its LD_PRELOAD: libreuse enable", service,
                           " says what"));
    } else if (service->pid == 0) {
        judge(service, STATUS_FINE, output_format("in effect when it is started"));
    } else {
        judge_process(service);
    }
}

/* False where systemd does not answer: `why` says so. */
static bool look_at(struct service *service, const char *name, char **why)
{
    struct unit unit;
    *service = (struct service){0};
    if (!unit_ask(&unit, name, why)) {
        unit_free(&unit);
        return false;
    }
    char *text;
    const enum drop_in file = drop_in_read(DROP_IN_PRELOAD, unit.id, &text);
    free(text);
    service->name = output_format("%s", unit.id);
    service->state =
        output_format("%s", unit_value(&unit, unit_is(&unit, "LoadState", "loaded") ? "ActiveState"
                                                                                    : "LoadState"));
    service->needs_reload = unit_is(&unit, "NeedDaemonReload", "yes");
    service->pid = atoi(unit_value(&unit, "MainPID"));
    if (service->pid > 0 && !running_examine(&service->running, service->pid)) {
        service->pid = 0;
    }
    judge_unit(service, &unit, file);
    unit_free(&unit);
    return true;
}

/* "0.0.0.0:9999 armed, [::]:9999 not armed". The caller frees it. */
static char *listeners_text(const struct running *running)
{
    char *text = output_format("%s", running->listeners_count > 0 ? "" : "-");
    for (size_t i = 0; i < running->listeners_count; i++) {
        const struct listener *listener = &running->listeners[i];
        char *longer = output_format("%s%s%s%s %s", text, i > 0 ? ", " : "", listener->address,
                                     listener->ephemeral == 1 ? " (ephemeral)" : "",
                                     listener->armed > 0    ? "armed"
                                     : listener->armed == 0 ? "not armed"
                                                            : "?");
        free(text);
        text = longer;
    }
    return text;
}

static void show(const struct service *services, size_t count)
{
    static const char *const headings[] = {"UNIT",   "STATE",     "RELOAD", "PID",
                                           "LOADED", "LISTENERS", "VERDICT"};
    enum { COLUMNS = sizeof headings / sizeof headings[0], PID_COLUMN = 3 };
    struct table *table = table_create(COLUMNS);
    table_align_right(table, PID_COLUMN);
    for (size_t i = 0; i < COLUMNS; i++) {
        table_cell(table, TONE_HEADING, "%s", headings[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const struct service *service = &services[i];
        char *listeners = listeners_text(&service->running);
        table_cell(table, TONE_PLAIN, "%s", service->name);
        table_cell(table, TONE_PLAIN, "%s", service->state);
        table_cell(table, TONE_PLAIN, "%s", service->needs_reload ? "needed" : "-");
        if (service->pid > 0) {
            table_cell(table, TONE_PLAIN, "%d", service->pid);
        } else {
            table_cell(table, TONE_PLAIN, "-");
        }
        table_cell(table, TONE_PLAIN, "%s",
                   service->pid == 0                  ? "-"
                   : service->running.library != NULL ? "yes"
                   : service->running.maps_error != 0 ? "?"
                                                      : "no");
        table_cell(table, TONE_PLAIN, "%s", listeners);
        table_cell(table,
                   service->status == STATUS_FINE    ? TONE_GOOD
                   : service->status == STATUS_FOUND ? TONE_BAD
                                                     : TONE_WARNING,
                   "%s", service->verdict);
        free(listeners);
    }
    table_print_and_free(table);
    size_t ephemeral = 0;
    for (size_t i = 0; i < count; i++) {
        ephemeral += running_count_ephemeral(&services[i].running);
    }
    if (ephemeral > 0) {
        output_text(TONE_WARNING, "\n%zu ephemeral: %s\n", ephemeral, ephemeral_meaning);
    }
}

static void show_json_service(struct json *json, const struct service *service)
{
    const struct running *running = &service->running;
    json_open_object(json, NULL);
    json_string(json, "unit", service->name);
    json_string(json, "state", service->state);
    json_boolean(json, "needs_daemon_reload", service->needs_reload);
    if (service->pid > 0) {
        json_number(json, "pid", service->pid);
    } else {
        json_null(json, "pid");
    }
    if (service->pid > 0 && (running->library != NULL || running->maps_error == 0)) {
        json_boolean(json, "libreuse", running->library != NULL);
    } else {
        json_null(json, "libreuse");
    }
    json_open_array(json, "listeners");
    for (size_t i = 0; i < running->listeners_count; i++) {
        json_open_object(json, NULL);
        json_string(json, "listens_on", running->listeners[i].address);
        json_ternary(json, "ephemeral_port", running->listeners[i].ephemeral);
        json_ternary(json, "reuseaddr", running->listeners[i].armed);
        json_close(json);
    }
    json_close(json);
    json_string(json, "version", running->losses.is_read ? running->losses.version : NULL);
    json_string(json, "in_force", running->losses.is_read ? running->losses.settings : NULL);
    json_boolean(json, "in_effect", service->status == STATUS_FINE);
    json_string(json, "verdict", service->verdict);
    json_close(json);
}

static void show_json(const struct service *services, size_t count)
{
    struct json json = {0};
    json_open_object(&json, NULL);
    json_open_array(&json, "units");
    for (size_t i = 0; i < count; i++) {
        show_json_service(&json, &services[i]);
    }
    json_close(&json);
    json_close(&json);
}

static void service_free(struct service *service)
{
    free(service->name);
    free(service->state);
    free(service->verdict);
    running_free(&service->running);
}

/* The one that is found outweighs the one that cannot be seen. */
static int worse(int status, int other)
{
    return status == STATUS_FOUND || other == STATUS_FINE ? status : other;
}

static int status_of(char **names, size_t count, bool json)
{
    struct service *services = output_allocate(count, sizeof services[0]);
    int status = STATUS_FINE;
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        char *why = NULL;
        if (look_at(&services[known], names[i], &why)) {
            status = worse(status, services[known++].status);
        } else {
            output_error("status: %s: systemd does not tell what it is: %s", names[i], why);
            status = worse(status, STATUS_REFUSED);
        }
        free(why);
    }
    if (json && (known > 0 || count == 0)) {
        show_json(services, known);
    } else if (known > 0) {
        show(services, known);
    } else if (count == 0) {
        output_text(TONE_PLAIN, "no unit is enabled; libreuse enable UNIT does that\n");
    }
    for (size_t i = 0; i < known; i++) {
        service_free(&services[i]);
    }
    free(services);
    return status;
}

/* The names that were given, or those of all units that are enabled. NULL: a name is wrong. */
static char **choose(char **given, size_t given_count, size_t *count)
{
    if (given_count == 0) {
        char **units = drop_in_units(DROP_IN_PRELOAD, count);
        return units != NULL ? units : output_allocate(1, sizeof units[0]);
    }
    char **names = output_allocate(given_count, sizeof names[0]);
    for (*count = 0; *count < given_count; (*count)++) {
        names[*count] = unit_full_name(given[*count], "status");
        if (names[*count] == NULL) {
            break;
        }
    }
    return names;
}

int status_command(int argc, char **argv)
{
    bool json;
    const int ended = command_json_option(argc, argv, "status", help, &json);
    if (ended >= 0) {
        return ended;
    }
    size_t count;
    const size_t given = (size_t)(argc - optind);
    char **names = choose(argv + optind, given, &count);
    const int status = count < given ? command_usage("status") : status_of(names, count, json);
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
    return status;
}
