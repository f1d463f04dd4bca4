#include "guard_list.h"

#include "kernel/control_group.h"
#include "kernel/guard_programs.h"
#include "kernel/guards.h"
#include "terminal/exit_status.h"
#include "terminal/output.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void add_row(struct table *table, const struct guard *guard)
{
    char since[32] = "?";
    const time_t seconds = (time_t)guard->counts.since;
    const time_t now = time(NULL);
    struct tm local;
    enum { DAY = 86400 };
    if (localtime_r(&seconds, &local) != NULL) {
        strftime(since, sizeof since, now - seconds < DAY ? "%H:%M:%S" : "%Y-%m-%d %H:%M", &local);
    }
    const char *shown = guard->group == NULL             ? guard->name
                        : strcmp(guard->group, "/") == 0 ? "/"
                                                         : guard->group + 1;
    table_cell(table, TONE_PLAIN, "%s", shown);
    table_cell(table, TONE_PLAIN, "%s", since);
    table_cell(table, TONE_PLAIN, "%llu", (unsigned long long)guard->counts.armed);
    table_cell(table, TONE_PLAIN, "%llu", (unsigned long long)guard->counts.restarted);
    table_cell(table, guard->is_whole ? TONE_PLAIN : TONE_BAD, "%s",
               !guard->is_whole       ? "incomplete: put it on again"
               : guard->group == NULL ? "not running"
                                      : "on");
}

/* Calls `take` for each event at which others' programs run, too, with the names in their order. */
static void visit_others(const struct guard *guard, void *context,
                         void (*take)(void *context, const struct guard *guard, const char *names))
{
    const int group_fd = guard->group != NULL ? control_group_open(guard->group) : -1;
    for (int i = 0; group_fd >= 0 && i < GUARD_PROGRAMS; i++) {
        char *names = guard_programs_at(group_fd, (enum guard_program)i);
        if (names != NULL) {
            take(context, guard, names);
        }
        free(names);
    }
    if (group_fd >= 0) {
        close(group_fd);
    }
}

static void say_others(void *context, const struct guard *guard, const char *names)
{
    (void)context;
    output_line("%s: programs run in this order: %s", guard->name, names);
}

static void json_others(void *context, const struct guard *guard, const char *names)
{
    (void)guard;
    json_string(context, NULL, names);
}

static void show_table(const struct guard *guards, size_t count)
{
    static const char *const headings[] = {"CONTROL GROUP", "SINCE", "ARMED", "RESTARTED", "STATE"};
    enum { COLUMNS = sizeof headings / sizeof headings[0] };
    if (count == 0) {
        output_text(TONE_PLAIN, "nothing is guarded\n");
        return;
    }
    struct table *table = table_create(COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++) {
        table_cell(table, TONE_HEADING, "%s", headings[i]);
    }
    table_align_right(table, 2);
    table_align_right(table, 3);
    for (size_t i = 0; i < count; i++) {
        add_row(table, &guards[i]);
    }
    table_print_and_free(table);
    for (size_t i = 0; i < count; i++) {
        visit_others(&guards[i], NULL, say_others);
    }
}

static void show_json(const struct guard *guards, size_t count)
{
    struct json json = {0};
    json_open_object(&json, NULL);
    json_open_array(&json, "guards");
    for (size_t i = 0; i < count; i++) {
        json_open_object(&json, NULL);
        json_string(&json, "name", guards[i].name);
        json_string(&json, "control_group", guards[i].group);
        json_number(&json, "since", (int64_t)guards[i].counts.since);
        json_number(&json, "armed", (int64_t)guards[i].counts.armed);
        json_number(&json, "restarted", (int64_t)guards[i].counts.restarted);
        json_boolean(&json, "complete", guards[i].is_whole);
        json_open_array(&json, "beside_others");
        visit_others(&guards[i], &json, json_others);
        json_close(&json);
        json_close(&json);
    }
    json_close(&json);
    json_close(&json);
}

int guard_list(bool json)
{
    size_t count;
    struct guard *guards = guards_list(&count);
    if (guards == NULL) {
        output_error("guard: " GUARDS_FOLDER ": %s: run it as root", strerror(errno));
        return STATUS_REFUSED;
    }
    if (json) {
        show_json(guards, count);
    } else {
        show_table(guards, count);
    }
    guards_free(guards, count);
    return STATUS_FINE;
}
