#include "port_sockets.h"

#include "explain/explain.h"
#include "terminal/output.h"

#include <stdlib.h>

static bool is_met(const struct trials *trials, const struct entry *entry)
{
    for (size_t i = 0; i < trials->count; i++) {
        const struct trial *trial = &trials->list[i];
        if (trial->socket_error == 0 && trial->plain != 0 &&
            claim_overlap(&trial->question.claim, &entry->facts.claim) != OVERLAP_NONE) {
            return true;
        }
    }
    return false;
}

static int compare_entries(const void *one, const void *other)
{
    const struct listed *a = &((const struct entry *)one)->facts;
    const struct listed *b = &((const struct entry *)other)->facts;
    if (a->state != b->state) {
        return a->state < b->state ? -1 : 1;
    }
    return (a->remaining_ms < b->remaining_ms) - (a->remaining_ms > b->remaining_ms);
}

void port_sockets_list(const struct trials *trials, struct port_sockets *port)
{
    struct sockets *sockets = &port->sockets;
    *sockets = (struct sockets){
        .entries = output_allocate(trials->sockets.count + 1, sizeof sockets->entries[0]),
        .complete = trials->sockets.complete};
    size_t met = 0;
    for (size_t i = 0; i < trials->sockets.count; i++) {
        if (is_met(trials, &trials->sockets.entries[i])) {
            sockets->entries[met++] = trials->sockets.entries[i];
        }
    }
    sockets->count = met;
    if (met > 0) {
        qsort(sockets->entries, met, sizeof sockets->entries[0], compare_entries);
    }
    port->processes = &trials->processes;
}

void port_sockets_free(struct port_sockets *port)
{
    sockets_free(&port->sockets);
}

static void add_user(struct table *table, const struct user *user)
{
    char *program = process_program(user->pid);
    table_cell(table, TONE_PLAIN, "%d", user->pid);
    table_cell(table, TONE_PLAIN, "%s", program);
    table_cell(table, TONE_PLAIN, "%d", user->fd);
    free(program);
}

/* The last column: what an interpreter runs. */
static void add_script(struct table *table, const struct user *user)
{
    char *script = user != NULL ? process_runs(user->pid) : NULL;
    table_cell(table, TONE_PLAIN, "%s", script != NULL ? script : "");
    free(script);
}

static void add_cells(struct table *table, int count, const char *text)
{
    for (int i = 0; i < count; i++) {
        table_cell(table, TONE_FAINT, "%s", text);
    }
}

enum { MOST_ROWS = 20, MOST_PROCESSES = 5 };
enum { STATE, LOCAL, PEER, PID, PROGRAM, FD, FREE_IN, RUNS, COLUMNS };

/* A row for each other process that has the socket, and one for those that are too many. */
static void add_sharers(struct table *table, const struct user *users, size_t count)
{
    const size_t processes = processes_in(users, count);
    size_t shown = 1;
    for (size_t i = 1; i < count && shown < MOST_PROCESSES; i++) {
        if (users[i].pid != users[i - 1].pid) {
            add_cells(table, PID - STATE, "");
            add_user(table, &users[i]);
            add_cells(table, RUNS - FREE_IN, "");
            add_script(table, &users[i]);
            shown++;
        }
    }
    if (processes > shown) {
        add_cells(table, PID - STATE, "");
        table_cell(table, TONE_FAINT, "+%zu", processes - shown);
        add_cells(table, COLUMNS - PROGRAM, "");
    }
}

static void add_socket(struct table *table, const struct entry *entry,
                       const struct processes *processes)
{
    size_t count;
    struct address peer;
    sockets_peer(entry, &peer);
    char *local_text = sockets_local_text(entry);
    char *peer_text = sockets_address_text(&peer);
    const struct user *users = processes_users(processes, entry->facts.inode, &count);
    table_cell(table, TONE_PLAIN, "%s", explain_state_name(entry->facts.state));
    table_cell(table, TONE_PLAIN, "%s", local_text);
    table_cell(table, TONE_PLAIN, "%s", peer_text);
    if (users == NULL) {
        add_cells(table, FREE_IN - PID, entry->facts.inode == 0 ? "" : "?");
    } else {
        add_user(table, users);
    }
    if (entry->facts.timed) {
        table_cell(table, TONE_PLAIN, "%u s", sockets_seconds(entry->facts.remaining_ms));
    } else {
        add_cells(table, 1, "");
    }
    add_script(table, users);
    if (users != NULL) {
        add_sharers(table, users, count);
    }
    free(local_text);
    free(peer_text);
}

void port_sockets_show(const struct port_sockets *port)
{
    static const char *const headings[COLUMNS] = {
        [STATE] = "STATE",     [LOCAL] = "LOCAL", [PEER] = "PEER",       [PID] = "PID",
        [PROGRAM] = "PROGRAM", [FD] = "FD",       [FREE_IN] = "FREE IN", [RUNS] = "RUNS"};
    const struct sockets *sockets = &port->sockets;
    if (sockets->count == 0) {
        return;
    }
    struct table *table = table_create(COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++) {
        table_cell(table, TONE_HEADING, "%s", headings[i]);
    }
    table_align_right(table, FD);
    table_align_right(table, FREE_IN);
    table_make_optional(table, RUNS);
    for (size_t i = 0; i < sockets->count && i < MOST_ROWS; i++) {
        add_socket(table, &sockets->entries[i], port->processes);
    }
    output_text(TONE_PLAIN, "\n");
    table_print_and_free(table);
    if (sockets->count > MOST_ROWS) {
        output_text(TONE_FAINT, "... and %zu more\n", sockets->count - MOST_ROWS);
    }
}

/* Whether a socket is there whose process is not known, though it has one. */
bool port_sockets_have_unknown(const struct port_sockets *port)
{
    for (size_t i = 0; i < port->sockets.count; i++) {
        size_t count;
        const uint64_t inode = port->sockets.entries[i].facts.inode;
        if (inode != 0 && processes_users(port->processes, inode, &count) == NULL) {
            return true;
        }
    }
    return false;
}

static void json_socket(struct json *json, const struct entry *entry,
                        const struct processes *processes)
{
    struct address peer;
    size_t count;
    sockets_peer(entry, &peer);
    const struct user *users = processes_users(processes, entry->facts.inode, &count);
    json_open_object(json, NULL);
    json_string(json, "state", explain_state_name(entry->facts.state));
    sockets_json_local(json, "local", entry);
    sockets_json_address(json, "peer", &peer);
    json_open_array(json, "users");
    for (size_t i = 0; i < count && users != NULL; i++) {
        char *program = process_program(users[i].pid);
        char *script = process_runs(users[i].pid);
        json_open_object(json, NULL);
        json_number(json, "pid", users[i].pid);
        json_string(json, "program", program);
        json_number(json, "fd", users[i].fd);
        json_string(json, "runs", script);
        json_close(json);
        free(script);
        free(program);
    }
    json_close(json);
    if (users != NULL) {
        char *program = process_program(users->pid);
        json_number(json, "pid", users->pid);
        json_string(json, "program", program);
        json_number(json, "fd", users->fd);
        free(program);
    } else {
        json_null(json, "pid");
        json_null(json, "program");
        json_null(json, "fd");
    }
    json_number(json, "processes", (int64_t)processes_in(users, count));
    if (entry->facts.timed) {
        json_number(json, "seconds_left", sockets_seconds(entry->facts.remaining_ms));
    } else {
        json_null(json, "seconds_left");
    }
    json_close(json);
}

void port_sockets_json(const struct port_sockets *port, struct json *json)
{
    json_open_array(json, "sockets");
    for (size_t i = 0; i < port->sockets.count; i++) {
        json_socket(json, &port->sockets.entries[i], port->processes);
    }
    json_close(json);
}
