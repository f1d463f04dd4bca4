#include "arming.h"

#include "explain/explain.h"
#include "processes.h"
#include "terminal/output.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The states of a connection that a process can still have, and that its successor would meet. */
enum {
    CONNECTIONS = SOCKETS_IN(STATE_ESTABLISHED) | SOCKETS_IN(STATE_CLOSE_WAIT) |
                  SOCKETS_IN(STATE_FIN_WAIT1) | SOCKETS_IN(STATE_FIN_WAIT2) |
                  SOCKETS_IN(STATE_CLOSING) | SOCKETS_IN(STATE_LAST_ACK),
};

static bool is_selected(const struct arming *arming, const struct entry *entry)
{
    if (arming->port != 0) {
        return true; /* only that port is listed */
    }
    for (size_t i = 0; i < arming->listener_count; i++) {
        const struct listed *listener = &arming->listeners[i].facts;
        if (listener->port == entry->facts.port &&
            claim_overlap(&listener->claim, &entry->facts.claim) != OVERLAP_NONE) {
            return true;
        }
    }
    return false;
}

static int compare_outcomes(const void *one, const void *other)
{
    const uint64_t a = ((const struct armed *)one)->inode;
    const uint64_t b = ((const struct armed *)other)->inode;
    return (a > b) - (a < b);
}

static bool is_done(const struct arming *arming, size_t count, uint64_t inode)
{
    const struct armed key = {.inode = inode};
    return count > 0 &&
           bsearch(&key, arming->outcomes, count, sizeof key, compare_outcomes) != NULL;
}

static struct armed *add_outcome(struct arming *arming, struct armed outcome)
{
    if (arming->count == arming->room) {
        const size_t room = arming->room > 0 ? arming->room * 2 : 64;
        struct armed *larger = output_allocate(room, sizeof *larger);
        if (arming->count > 0) {
            memcpy(larger, arming->outcomes, arming->count * sizeof *larger);
        }
        free(arming->outcomes);
        arming->outcomes = larger;
        arming->room = room;
    }
    arming->outcomes[arming->count] = outcome;
    return &arming->outcomes[arming->count++];
}

static int read_reuse(int fd)
{
    int on = 0;
    socklen_t length = sizeof on;
    return getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &length) == 0 ? on != 0 : -1;
}

/* Reads the option of a socket, and switches it on. */
static void switch_on(struct armed *outcome, int fd, bool dry_run)
{
    const int on = 1;
    outcome->error = 0;
    outcome->before = read_reuse(fd);
    if (outcome->before != 1 && !dry_run &&
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        outcome->error = errno;
    }
    outcome->after = read_reuse(fd);
}

/* Reaches a socket through the first of its users who lets us. False where it is gone. */
static bool reach(struct arming *arming, struct armed *outcome, const struct user *users,
                  size_t count)
{
    outcome->error = ESRCH;
    for (size_t i = 0; i < count; i++) {
        const int fd = remote_socket(&arming->remote, users[i].pid, users[i].fd, users[i].inode);
        const int error = errno;
        if (fd >= 0) {
            outcome->user = users[i];
            switch_on(outcome, fd, arming->dry_run);
            close(fd);
            return true;
        }
        if (error != ESRCH && error != EBADF && outcome->error == ESRCH) {
            outcome->user = users[i];
            outcome->error = error;
        }
    }
    return outcome->error != ESRCH;
}

/* What a pass has met and could not arm, though a later one may. */
struct pending {
    bool is_last;   /* of the passes: what cannot be reached is an outcome, too */
    size_t sockets; /* not accepted yet, or between two processes, or closed meanwhile */
};

static void arm_entry(struct arming *arming, const struct entry *entry,
                      const struct processes *processes, struct pending *pending)
{
    size_t count;
    const struct user *users = processes_users(processes, entry->facts.inode, &count);
    struct armed outcome = {
        .inode = entry->facts.inode, .entry = *entry, .before = -1, .after = -1};
    if (users == NULL && processes->forbidden_count == 0 && !pending->is_last) {
        pending->sockets++;
    } else if (users == NULL) {
        outcome.no_access = processes_why_unknown(processes);
        add_outcome(arming, outcome);
    } else if (reach(arming, &outcome, users, count)) {
        outcome.other_users = processes_in(users, count) - 1;
        add_outcome(arming, outcome);
    } else {
        pending->sockets++;
    }
}

/* A connection that the server has not accepted yet is no process's. */
static bool is_not_accepted(const struct listed *facts)
{
    return facts->inode == 0 && !facts->timed &&
           (facts->state == STATE_ESTABLISHED || facts->state == STATE_CLOSE_WAIT);
}

/* Arms the sockets in these states that are not armed yet. False where they cannot be listed. */
static bool arm_states(struct arming *arming, unsigned int states, struct pending *pending)
{
    struct sockets sockets;
    if (!sockets_list(&sockets, IPPROTO_TCP, arming->port, states)) {
        char *why = sockets_why_no_list(&sockets);
        output_error("arm: the sockets cannot be listed (%s)", why);
        free(why);
        sockets_free(&sockets);
        return false;
    }
    struct processes processes;
    processes_find_of(&processes, &sockets);
    const size_t done = arming->count;
    for (size_t i = 0; i < sockets.count; i++) {
        const struct entry *entry = &sockets.entries[i];
        if (!is_selected(arming, entry)) {
            continue;
        }
        pending->sockets += is_not_accepted(&entry->facts);
        if (entry->facts.inode != 0 && !is_done(arming, done, entry->facts.inode)) {
            arm_entry(arming, entry, &processes, pending);
        }
    }
    if (arming->count > 0) {
        qsort(arming->outcomes, arming->count, sizeof arming->outcomes[0], compare_outcomes);
    }
    processes_free(&processes);
    sockets_free(&sockets);
    return true;
}

struct leftovers arming_leftovers(const struct arming *arming)
{
    struct leftovers leftovers = {0};
    struct sockets sockets;
    sockets_list(&sockets, IPPROTO_TCP, arming->port, SOCKETS_IN_ANY);
    for (size_t i = 0; i < sockets.count; i++) {
        const struct entry *entry = &sockets.entries[i];
        const struct listed *facts = &entry->facts;
        if (!is_selected(arming, entry)) {
            continue;
        }
        if (sockets_is_time_wait(entry)) {
            leftovers.time_wait++;
            if (facts->remaining_ms > leftovers.time_wait_ms) {
                leftovers.time_wait_ms = facts->remaining_ms;
            }
        } else if (facts->state == STATE_BOUND) {
            leftovers.bound++;
        } else if (is_not_accepted(facts)) {
            leftovers.waiting++;
        } else if (facts->inode == 0 && facts->state != STATE_SYN_RECV) {
            leftovers.finishing++;
        }
    }
    sockets_free(&sockets);
    return leftovers;
}

/*
 * Arms everything. A busy server accepts what waits within moments, and closes what was listed: it
 * is looked at again until a pass has met nothing that it could not reach.
 */
bool arming_do(struct arming *arming)
{
    enum { PASSES = 10, PAUSE_NS = 50000000 };
    const int passes = arming->dry_run ? 1 : PASSES;
    for (int i = 1; i <= passes; i++) {
        struct pending pending = {.is_last = i == passes};
        if (!arm_states(arming, SOCKETS_IN(STATE_LISTEN), &pending) ||
            !arm_states(arming, CONNECTIONS, &pending)) {
            return false;
        }
        if (pending.sockets == 0) {
            break;
        }
        if (!pending.is_last) {
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        }
    }
    return true;
}

/* The listening sockets of the process. */
bool arming_find_listeners(struct arming *arming)
{
    struct sockets sockets;
    struct processes processes;
    if (!sockets_list(&sockets, IPPROTO_TCP, 0, SOCKETS_IN(STATE_LISTEN))) {
        sockets_free(&sockets);
        return false;
    }
    processes_find_of(&processes, &sockets);
    arming->listeners = output_allocate(sockets.count, sizeof arming->listeners[0]);
    for (size_t i = 0; i < sockets.count; i++) {
        size_t count;
        const struct user *users =
            processes_users(&processes, sockets.entries[i].facts.inode, &count);
        bool has = false;
        for (size_t j = 0; j < count && !has; j++) {
            has = users[j].pid == arming->pid;
        }
        if (has) {
            arming->listeners[arming->listener_count++] = sockets.entries[i];
        }
    }
    processes_free(&processes);
    sockets_free(&sockets);
    return arming->listener_count > 0;
}

void arming_free(struct arming *arming)
{
    remote_close(&arming->remote);
    free(arming->outcomes);
    free(arming->listeners);
}

struct sums arming_sum_up(const struct arming *arming)
{
    struct sums sums = {0};
    for (size_t i = 0; i < arming->count; i++) {
        const struct armed *outcome = &arming->outcomes[i];
        const bool is_off = outcome->before == 0;
        if (outcome->before == 1) {
            sums.already++;
        } else if (is_off && (outcome->after == 1 || (arming->dry_run && outcome->error == 0))) {
            sums.armed++;
        } else {
            sums.refused++;
            if (sums.first_refused == NULL) {
                sums.first_refused = outcome;
            }
        }
        if (is_off && outcome->entry.facts.state == STATE_LISTEN && outcome->user.pid != 0) {
            sums.unarmed_listener = outcome;
        }
    }
    return sums;
}

static void json_socket(struct json *json, const struct armed *outcome)
{
    struct address peer;
    sockets_peer(&outcome->entry, &peer);
    json_open_object(json, NULL);
    json_string(json, "state", explain_state_name(outcome->entry.facts.state));
    sockets_json_local(json, "local", &outcome->entry);
    sockets_json_address(json, "peer", &peer);
    if (outcome->user.pid != 0) {
        char *program = process_program(outcome->user.pid);
        json_number(json, "pid", outcome->user.pid);
        json_string(json, "program", program);
        json_number(json, "fd", outcome->user.fd);
        free(program);
    } else {
        json_null(json, "pid");
    }
    json_number(json, "other_processes", (int64_t)outcome->other_users);
    json_ternary(json, "reuseaddr_before", outcome->before);
    json_ternary(json, "reuseaddr", outcome->after);
    json_string(json, "error", outcome->error != 0 ? strerror(outcome->error) : outcome->no_access);
    json_close(json);
}

void arming_json(const struct arming *arming, const struct leftovers *leftovers)
{
    const struct sums sums = arming_sum_up(arming);
    struct json json = {0};
    json_open_object(&json, NULL);
    if (arming->port != 0) {
        json_number(&json, "port", arming->port);
    } else {
        json_number(&json, "pid", arming->pid);
    }
    json_boolean(&json, "dry_run", arming->dry_run);
    json_open_array(&json, "sockets");
    for (size_t i = 0; i < arming->count; i++) {
        json_socket(&json, &arming->outcomes[i]);
    }
    json_close(&json);
    json_number(&json, "armed", (int64_t)sums.armed);
    json_number(&json, "armed_before", (int64_t)sums.already);
    json_number(&json, "refused", (int64_t)sums.refused);
    json_number(&json, "time_wait", (int64_t)leftovers->time_wait);
    json_number(&json, "time_wait_seconds", sockets_seconds(leftovers->time_wait_ms));
    json_number(&json, "not_accepted", (int64_t)leftovers->waiting);
    json_number(&json, "ending", (int64_t)leftovers->finishing);
    json_number(&json, "bound", (int64_t)leftovers->bound);
    json_close(&json);
}
