/*
 * libreuse check: the examination that "libreuse run" makes, as a report about a program; or the
 * state of a process that is running.
 */
#include "command.h"
#include "program/library.h"
#include "program/process_verdict.h"
#include "program/program.h"
#include "sockets/running.h"
#include "sockets/socket_list.h"
#include "sockets/target.h"
#include "terminal/output.h"
#include "unit/heirs.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse check [--json] PROGRAM\n"
    "       libreuse check [--json] PID\n"
    "\n"
    "PROGRAM: can libreuse.so be preloaded into it? If not: why, and what helps. A\n"
    "name without a slash is looked up in PATH; for a script, its interpreter is\n"
    "examined, and the program of the last line of a shell script that begins with\n"
    "exec.\n"
    "PID, a number: is libreuse.so in that process, with which settings was it\n"
    "started, and do its listening sockets have SO_REUSEADDR (\"armed\"), so that it\n"
    "restarts cleanly?\n"
    "\"ephemeral\": listens on a port that the kernel gives out by itself, as to a\n"
    "server that has lost its own; or it is meant to listen there.\n"
    "\n"
    "      --json     the same as a JSON object\n"
    "  -h, --help     this text\n"
    "  -V, --version  the version\n"
    "\n"
    "A process of another user: needs CAP_SYS_PTRACE. SO_REUSEADDR is read with\n"
    "pidfd_getfd(2), which needs Linux 5.6, and CAP_SYS_PTRACE where\n"
    "kernel.yama.ptrace_scope is not 0.\n"
    "A program whose name is a number: write ./NUMBER.\n"
    "Exit status: 0 PROGRAM can be reached; PID has the library, and all its\n"
    "listeners are armed; 1 not so; 2 wrong usage; 3 not permitted to see it.\n";

/* Adds a line of the report: a word, and what there is to be said. */
static void row(struct table *table, const char *label, enum tone tone, const char *value)
{
    table_cell(table, TONE_FAINT, "  %s", label);
    table_cell(table, tone, "%s", value);
}

static void row_and_free(struct table *table, const char *label, enum tone tone, char *value)
{
    row(table, label, tone, value);
    free(value);
}

static void heading(char *text)
{
    char *printable = output_printable(text);
    output_text(TONE_HEADING, "%s", printable);
    output_text(TONE_PLAIN, "\n");
    free(printable);
    free(text);
}

/* How a program is linked, in the words of this report and of JSON. */
static const char *linking(const struct elf *elf)
{
    static const char *const words[] = {
        [ELF_PROGRAM] = "dynamic", [ELF_STATIC_PROGRAM] = "static", [ELF_LOADER] = "loader",
        [ELF_LIBRARY] = "library", [ELF_OTHER] = "object",
    };
    return words[elf->use];
}

/* "x86-64, dynamic, glibc": what kind of file it is. The caller frees it. */
static char *kind_of(const struct elf *elf)
{
    const bool is_named = elf->c_library != C_LIBRARY_NONE;
    return output_format("%s, %s%s%s%s", platform_name(&elf->platform), linking(elf),
                         is_named ? ", " : "", is_named ? c_library_name(elf->c_library) : "",
                         elf->is_go ? ", Go" : "");
}

static void row_of_step(struct table *table, const struct program *program, size_t i)
{
    const struct step *step = &program->steps[i];
    if (step->line != NULL) {
        row_and_free(table, "script", TONE_PLAIN,
                     step->line[0] != '\0' ? output_format("%s (#!%s)", step->path, step->line)
                                           : output_format("%s (without #!)", step->path));
    } else if (i == program->count - 1 && program->has_elf) {
        char *kind = kind_of(&program->elf);
        row_and_free(table, "program", TONE_PLAIN, output_format("%s (%s)", step->path, kind));
        free(kind);
    } else {
        row(table, "file", TONE_PLAIN, step->path);
    }
}

static void show_program(const struct program *program, const char *name)
{
    heading(output_format("%s", name));
    struct table *table = table_create(2);
    for (size_t i = 0; i < program->count; i++) {
        row_of_step(table, program, i);
    }
    if (program->obstacle != OBSTACLE_NONE) {
        char *reason = program_reason(program, name);
        row_and_free(table, "verdict", TONE_BAD,
                     output_format("not reached: %s", reason + strlen(name) + 2));
        free(reason);
        row(table, "way out", TONE_PLAIN, program->way_out);
    } else {
        row(table, "library", TONE_PLAIN, program->preload);
        row(table, "verdict", TONE_GOOD, "reached by libreuse run");
    }
    if (program->notice != NULL) {
        row(table, "notice", TONE_WARNING, program->notice);
    }
    if (program->warning != NULL) {
        row(table, "warning", TONE_WARNING, program->warning);
    }
    table_print_and_free(table);
}

static void json_elf(struct json *json, const struct program *program)
{
    const struct elf *elf = &program->elf;
    json_string(json, "program", program->steps[program->count - 1].path);
    json_string(json, "platform", platform_name(&elf->platform));
    json_string(json, "linking", linking(elf));
    json_string(json, "loader", elf->loader[0] != '\0' ? elf->loader : NULL);
    json_string(json, "c_library",
                elf->c_library != C_LIBRARY_NONE ? c_library_name(elf->c_library) : NULL);
    json_boolean(json, "go", elf->is_go);
}

static void show_program_json(const struct program *program, const char *name)
{
    struct json json = {0};
    const bool is_reached = program->obstacle == OBSTACLE_NONE;
    json_open_object(&json, NULL);
    json_string(&json, "name", name);
    json_string(&json, "path", program->count > 0 ? program->steps[0].path : NULL);
    json_open_array(&json, "scripts");
    for (size_t i = 0; i < program->count; i++) {
        if (program->steps[i].line != NULL) {
            json_open_object(&json, NULL);
            json_string(&json, "path", program->steps[i].path);
            json_string(&json, "interpreter", program->steps[i].line);
            json_close(&json);
        }
    }
    json_close(&json);
    if (program->has_elf) {
        json_elf(&json, program);
    }
    json_boolean(&json, "reached", is_reached);
    json_string(&json, "obstacle", is_reached ? NULL : program_obstacle_name(program->obstacle));
    json_string(&json, "reason", program->reason);
    json_string(&json, "way_out", program->way_out);
    json_string(&json, "notice", program->notice);
    json_string(&json, "warning", program->warning);
    json_string(&json, "library", program->library != NULL ? program->library->path : NULL);
    json_string(&json, "preload", program->preload);
    json_close(&json);
}

int check_program(const char *name, bool json)
{
    struct libraries libraries;
    struct program program;
    libraries_find(&libraries);
    program_examine(&program, name, &libraries);
    if (json) {
        show_program_json(&program, name);
    } else {
        show_program(&program, name);
    }
    const int status = program.obstacle == OBSTACLE_NONE         ? STATUS_FINE
                       : program.obstacle == OBSTACLE_UNREADABLE ? STATUS_REFUSED
                                                                 : STATUS_FOUND;
    program_free(&program);
    libraries_free(&libraries);
    return status;
}

static void rows_of_listeners(struct table *table, const struct running *running)
{
    for (size_t i = 0; i < running->listeners_count; i++) {
        const struct listener *listener = &running->listeners[i];
        char *value = output_format("%s (fd %d%s) %s", listener->address, listener->fd,
                                    listener->ephemeral == 1 ? ", ephemeral" : "",
                                    listener->armed > 0    ? "armed"
                                    : listener->armed == 0 ? "not armed"
                                                           : "armed or not: cannot be seen");
        row_and_free(table, i == 0 ? "listens" : "",
                     listener->armed > 0    ? TONE_GOOD
                     : listener->armed == 0 ? TONE_BAD
                                            : TONE_WARNING,
                     value);
    }
}

/* The sentence about the first of its listeners that other processes would keep; NULL. */
static char *find_heirs(const struct running *running)
{
    struct processes processes;
    char *sentence = NULL;
    if (running->listeners_count == 0) {
        return NULL;
    }
    uint64_t *inodes = output_allocate(running->listeners_count, sizeof inodes[0]);
    for (size_t i = 0; i < running->listeners_count; i++) {
        inodes[i] = running->listeners[i].inode;
    }
    processes_find(&processes, inodes, running->listeners_count);
    for (size_t i = 0; i < running->listeners_count && sentence == NULL; i++) {
        size_t count;
        const struct listener *listener = &running->listeners[i];
        const struct user *users = processes_users(&processes, listener->inode, &count);
        if (users != NULL && listener->reuse_port != 1) {
            sentence = heirs_sentence(users, count);
        }
    }
    processes_free(&processes);
    free(inodes);
    return sentence;
}

/* Whatever is set on the listeners: heirs would keep them. */
static void judge_heirs(struct process_verdict *verdict, const struct running *running)
{
    char *heirs = find_heirs(running);
    if (heirs != NULL) {
        verdict->heirs = heirs;
        verdict->status = STATUS_FOUND;
        verdict->restarts_cleanly = 0;
    }
}

static void show_running(const struct running *running, const struct process_verdict *verdict)
{
    heading(output_format("%s[%d]", running->name, running->pid));
    struct table *table = table_create(2);
    if (running->program != NULL) {
        row(table, "program", TONE_PLAIN, running->program);
    }
    if (running->library != NULL) {
        row_and_free(table, "library", TONE_PLAIN,
                     output_format("%s%s", running->library,
                                   running->is_replaced ? ", which has been replaced or removed "
                                                          "since"
                                                        : ""));
    }
    if (running->losses.is_read) {
        row_and_free(
            table, "in force", TONE_PLAIN,
            output_format("version %s, %s", running->losses.version, running->losses.settings));
    }
    for (size_t i = 0; i < running->settings_count; i++) {
        row(table, i == 0 ? "settings" : "", TONE_PLAIN, running->settings[i]);
    }
    if (running->library != NULL && running->environment_error != 0) {
        row_and_free(table, "settings", TONE_WARNING,
                     output_format("cannot be seen: %s", strerror(running->environment_error)));
    } else if (running->library != NULL && running->settings_count == 0) {
        row(table, "settings", TONE_PLAIN, "the defaults");
    }
    rows_of_listeners(table, running);
    if (verdict->heirs != NULL) {
        row(table, "verdict", TONE_BAD, verdict->heirs);
    }
    if (verdict->heirs == NULL || verdict->tone != TONE_GOOD) {
        row(table, verdict->heirs == NULL ? "verdict" : "", verdict->tone, verdict->text);
    }
    if (verdict->way_out != NULL) {
        row(table, "way out", TONE_PLAIN, verdict->way_out);
    }
    for (size_t i = 0; i < verdict->bypass.count; i++) {
        row(table, i == 0 ? "past it" : "", TONE_WARNING, verdict->bypass.modules[i]);
    }
    if (running->library != NULL && running->is_filtered) {
        row(table, "notice", TONE_WARNING,
            "a filter (seccomp) is in force: where it refuses, or kills for, getsockopt(2) or "
            "setsockopt(2), listeners made behind it are not armed, or end the program; libreuse "
            "guard makes no call in it");
    }
    if (running_count_ephemeral(running) > 0) {
        row_and_free(table, "notice", TONE_WARNING,
                     output_format("ephemeral: %s", ephemeral_meaning));
    }
    table_print_and_free(table);
}

static void json_settings(struct json *json, const struct running *running)
{
    if (running->environment_error != 0) {
        json_null(json, "settings");
        return;
    }
    json_open_object(json, "settings");
    for (size_t i = 0; i < running->settings_count; i++) {
        const char *setting = running->settings[i];
        const size_t name_length = strcspn(setting, "=");
        char *name = output_format("%.*s", (int)name_length, setting);
        json_string(json, name, setting[name_length] == '=' ? setting + name_length + 1 : "");
        free(name);
    }
    json_close(json);
}

static void show_running_json(const struct running *running, const struct process_verdict *verdict)
{
    struct json json = {0};
    json_open_object(&json, NULL);
    json_number(&json, "pid", running->pid);
    json_string(&json, "name", running->name);
    json_string(&json, "program", running->program);
    json_ternary(&json, "libreuse",
                 running->library != NULL   ? 1
                 : running->maps_error != 0 ? -1
                                            : 0);
    json_string(&json, "library", running->library);
    json_boolean(&json, "library_replaced", running->is_replaced);
    json_string(&json, "version", running->losses.is_read ? running->losses.version : NULL);
    json_boolean(&json, "seccomp_filter", running->is_filtered);
    json_string(&json, "in_force", running->losses.is_read ? running->losses.settings : NULL);
    json_settings(&json, running);
    json_open_array(&json, "listeners");
    for (size_t i = 0; i < running->listeners_count; i++) {
        json_open_object(&json, NULL);
        json_string(&json, "listens_on", running->listeners[i].address);
        json_ternary(&json, "ephemeral_port", running->listeners[i].ephemeral);
        json_number(&json, "fd", running->listeners[i].fd);
        json_ternary(&json, "reuseaddr", running->listeners[i].armed);
        loss_json(running->listeners[i].loss, &json, "lost");
        json_close(&json);
    }
    json_close(&json);
    json_boolean(&json, "listeners_complete",
                 running->descriptors_error == 0 && running->socket_error == 0);
    json_open_array(&json, "modules_past_libreuse");
    for (size_t i = 0; i < verdict->bypass.count; i++) {
        json_string(&json, NULL, verdict->bypass.modules[i]);
    }
    json_close(&json);
    json_ternary(&json, "restarts_cleanly", verdict->restarts_cleanly);
    json_string(&json, "verdict", verdict->text);
    json_string(&json, "heirs", verdict->heirs);
    json_string(&json, "way_out", verdict->way_out);
    json_close(&json);
}

static int check_process(const char *text, bool json)
{
    int pid;
    if (!target_pid(text, &pid)) {
        return command_usage("check");
    }
    struct running running;
    if (!running_examine(&running, pid)) {
        output_error("check: there is no process %d; a program of that name is ./%d", pid, pid);
        return STATUS_FOUND;
    }
    struct libraries libraries;
    libraries_find(&libraries);
    struct process_verdict verdict = process_judge(&running, &libraries);
    judge_heirs(&verdict, &running);
    if (json) {
        show_running_json(&running, &verdict);
    } else {
        show_running(&running, &verdict);
    }
    process_verdict_free(&verdict);
    libraries_free(&libraries);
    running_free(&running);
    return verdict.status;
}

int check_command(int argc, char **argv)
{
    bool json;
    const int ended = command_json_option(argc, argv, "check", help, &json);
    if (ended >= 0) {
        return ended;
    }
    if (optind == argc) {
        output_error("check: no program and no process ID given");
        return command_usage("check");
    }
    if (optind < argc - 1) {
        output_error("check: %s: one program or process ID was expected", argv[optind + 1]);
        return command_usage("check");
    }
    const char *what = argv[optind];
    const bool is_number = what[0] != '\0' && what[strspn(what, "0123456789")] == '\0';
    return is_number ? check_process(what, json) : check_program(what, json);
}
