/*
 * libreuse arm: switches SO_REUSEADDR on, from outside, on the sockets of a running server, so that
 * what they leave behind does not keep its successor from the port.
 *
 * The listeners come first: from then on every connection that they accept inherits the option.
 * Then the connections, in a new list, which has those that were accepted meanwhile. A connection
 * that the server has not accepted yet is no process's, and cannot be reached until it is.
 */
#include "command.h"
#include "explain.h"
#include "output.h"
#include "processes.h"
#include "remote.h"
#include "socket_list.h"
#include "target.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse arm [--dry-run] PORT|PID\n"
    "       libreuse arm [--dry-run] --port=PORT | --pid=PID\n"
    "\n"
    "Switches SO_REUSEADDR on, from outside, for a running TCP server that was\n"
    "started without libreuse.so: on its listening sockets and open connections, in\n"
    "whatever processes have them. Its next start works at once if that one sets\n"
    "SO_REUSEADDR, too, as \"libreuse run\" makes it. The server notices nothing.\n"
    "\n"
    "A number is a port where a TCP socket has it, else a process. If that process\n"
    "listens, and nobody on the port, it is refused: say which.\n"
    "\n"
    "      --port=PORT  all listeners and connections on this port\n"
    "      --pid=PID    those on the addresses on which this process listens\n"
    "  -n, --dry-run    only show what would be done\n"
    "  -h, --help       this text\n"
    "  -V, --version    the version\n"
    "\n"
    "TIME_WAIT sockets cannot be armed: wait for them, or: libreuse free PORT.\n"
    "Needs Linux 5.6, and CAP_SYS_PTRACE; or the server's own user, if there is no\n"
    "kernel.yama.ptrace_scope above 0.\n"
    "\n"
    "Exit status: 0 armed; 1 nothing to arm, or some that cannot be reached were left\n"
    "unarmed; 2 wrong usage; 3 not permitted or not supported.\n";

/* What became of a socket. */
struct outcome {
    uint64_t inode;
    struct entry entry;
    struct user user;      /* through which it was reached; pid 0: nobody is known to have it */
    size_t other_users;    /* processes that have it, too */
    int before, after;     /* of SO_REUSEADDR: 0, 1; -1 where it is not known */
    int error;             /* why it could not be read or set; 0 */
    const char *no_access; /* why nobody is known to have it; NULL */
};

struct job {
    unsigned int port; /* 0: those of the process */
    int pid;
    bool dry_run;
    struct entry *listeners; /* where it is a process: its listening sockets */
    size_t listener_count;
    struct outcome *outcomes; /* by inode */
    size_t count;
    size_t room;
    struct remote remote;
};

/* The states of a connection that a process can still have, and that its successor would meet. */
enum {
    CONNECTIONS = SOCKETS_IN(STATE_ESTABLISHED) | SOCKETS_IN(STATE_CLOSE_WAIT) |
                  SOCKETS_IN(STATE_FIN_WAIT1) | SOCKETS_IN(STATE_FIN_WAIT2) |
                  SOCKETS_IN(STATE_CLOSING) | SOCKETS_IN(STATE_LAST_ACK),
};

static bool is_selected(const struct job *job, const struct entry *entry)
{
    if (job->port != 0) {
        return true; /* only that port is listed */
    }
    for (size_t i = 0; i < job->listener_count; i++) {
        const struct listed *listener = &job->listeners[i].facts;
        if (listener->port == entry->facts.port &&
            claim_overlap(&listener->claim, &entry->facts.claim) != OVERLAP_NONE) {
            return true;
        }
    }
    return false;
}

static int compare_outcomes(const void *one, const void *other)
{
    const uint64_t a = ((const struct outcome *)one)->inode;
    const uint64_t b = ((const struct outcome *)other)->inode;
    return (a > b) - (a < b);
}

static bool is_done(const struct job *job, size_t count, uint64_t inode)
{
    const struct outcome key = {.inode = inode};
    return count > 0 && bsearch(&key, job->outcomes, count, sizeof key, compare_outcomes) != NULL;
}

static struct outcome *add_outcome(struct job *job, struct outcome outcome)
{
    if (job->count == job->room) {
        const size_t room = job->room > 0 ? job->room * 2 : 64;
        struct outcome *larger = output_allocate(room, sizeof *larger);
        if (job->count > 0) {
            memcpy(larger, job->outcomes, job->count * sizeof *larger);
        }
        free(job->outcomes);
        job->outcomes = larger;
        job->room = room;
    }
    job->outcomes[job->count] = outcome;
    return &job->outcomes[job->count++];
}

static int read_reuse(int fd)
{
    int on = 0;
    socklen_t length = sizeof on;
    return getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, &length) == 0 ? on != 0 : -1;
}

/* Reads the option of a socket, and switches it on. */
static void switch_on(struct outcome *outcome, int fd, bool dry_run)
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
static bool reach(struct job *job, struct outcome *outcome, const struct user *users, size_t count)
{
    outcome->error = ESRCH;
    for (size_t i = 0; i < count; i++) {
        const int fd = remote_socket(&job->remote, users[i].pid, users[i].fd, users[i].inode);
        const int error = errno;
        if (fd >= 0) {
            outcome->user = users[i];
            switch_on(outcome, fd, job->dry_run);
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

static void arm_entry(struct job *job, const struct entry *entry, const struct processes *processes,
                      struct pending *pending)
{
    size_t count;
    const struct user *users = processes_users(processes, entry->facts.inode, &count);
    struct outcome outcome = {
        .inode = entry->facts.inode, .entry = *entry, .before = -1, .after = -1};
    if (users == NULL && processes->forbidden == 0 && !pending->is_last) {
        pending->sockets++;
    } else if (users == NULL) {
        outcome.no_access = processes_why_unknown(processes);
        add_outcome(job, outcome);
    } else if (reach(job, &outcome, users, count)) {
        outcome.other_users = processes_in(users, count) - 1;
        add_outcome(job, outcome);
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
static bool arm_states(struct job *job, unsigned int states, struct pending *pending)
{
    struct sockets sockets;
    if (!sockets_list(&sockets, IPPROTO_TCP, job->port, states)) {
        char *why = sockets_why_no_list(&sockets);
        output_error("arm: the sockets cannot be listed (%s)", why);
        free(why);
        sockets_free(&sockets);
        return false;
    }
    struct processes processes;
    processes_find_of(&processes, &sockets);
    const size_t done = job->count;
    for (size_t i = 0; i < sockets.count; i++) {
        const struct entry *entry = &sockets.entries[i];
        if (!is_selected(job, entry)) {
            continue;
        }
        pending->sockets += is_not_accepted(&entry->facts);
        if (entry->facts.inode != 0 && !is_done(job, done, entry->facts.inode)) {
            arm_entry(job, entry, &processes, pending);
        }
    }
    if (job->count > 0) {
        qsort(job->outcomes, job->count, sizeof job->outcomes[0], compare_outcomes);
    }
    processes_free(&processes);
    sockets_free(&sockets);
    return true;
}

/* What is on the selected addresses and belongs to no process. */
struct leftovers {
    size_t time_wait;
    uint32_t time_wait_ms;
    size_t waiting;   /* connections that the server has not accepted yet */
    size_t finishing; /* that the kernel brings to their end alone */
    size_t bound;     /* that are bound and do not listen */
};

static struct leftovers count_leftovers(const struct job *job)
{
    struct leftovers leftovers = {0};
    struct sockets sockets;
    sockets_list(&sockets, IPPROTO_TCP, job->port, SOCKETS_IN_ANY);
    for (size_t i = 0; i < sockets.count; i++) {
        const struct entry *entry = &sockets.entries[i];
        const struct listed *facts = &entry->facts;
        if (!is_selected(job, entry)) {
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
static bool arm_all(struct job *job)
{
    enum { PASSES = 10, PAUSE_NS = 50000000 };
    const int passes = job->dry_run ? 1 : PASSES;
    for (int i = 1; i <= passes; i++) {
        struct pending pending = {.is_last = i == passes};
        if (!arm_states(job, SOCKETS_IN(STATE_LISTEN), &pending) ||
            !arm_states(job, CONNECTIONS, &pending)) {
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

static void add_row(struct table *table, const struct outcome *outcome)
{
    static const char *const values[] = {"off", "on"};
    struct address local;
    struct address peer;
    sockets_local(&outcome->entry, &local);
    sockets_peer(&outcome->entry, &peer);
    char *local_text = sockets_address_text(&local);
    char *peer_text = sockets_address_text(&peer);
    table_cell(table, TONE_PLAIN, "%s", explain_state_name(outcome->entry.facts.state));
    table_cell(table, TONE_PLAIN, "%s", local_text);
    table_cell(table, TONE_PLAIN, "%s", peer_text);
    free(local_text);
    free(peer_text);
    if (outcome->user.pid == 0) {
        table_cell(table, TONE_FAINT, "?");
        table_cell(table, TONE_FAINT, "?");
        table_cell(table, TONE_FAINT, "?");
    } else {
        char *program = process_program(outcome->user.pid);
        if (outcome->other_users == 0) {
            table_cell(table, TONE_PLAIN, "%d", outcome->user.pid);
        } else {
            table_cell(table, TONE_PLAIN, "%d +%zu", outcome->user.pid, outcome->other_users);
        }
        table_cell(table, TONE_PLAIN, "%s", program);
        table_cell(table, TONE_PLAIN, "%d", outcome->user.fd);
        free(program);
    }
    if (outcome->before < 0) {
        table_cell(table, TONE_BAD, "not known");
    } else if (outcome->before == outcome->after) {
        table_cell(table, outcome->after == 1 ? TONE_GOOD : TONE_BAD, "%s", values[outcome->after]);
    } else {
        table_cell(table, TONE_GOOD, "off -> on");
    }
}

static int compare_rows(const void *one, const void *other)
{
    const struct outcome *a = one;
    const struct outcome *b = other;
    if (a->entry.facts.state != b->entry.facts.state) {
        return a->entry.facts.state < b->entry.facts.state ? -1 : 1;
    }
    if (a->user.pid != b->user.pid) {
        return a->user.pid < b->user.pid ? -1 : 1;
    }
    return (a->user.fd > b->user.fd) - (a->user.fd < b->user.fd);
}

/* A server may have thousands of connections. */
enum { MOST_ROWS = 50 };

static void show(const struct job *job)
{
    static const char *const headings[] = {"STATE",   "LOCAL", "PEER",        "PID",
                                           "PROGRAM", "FD",    "SO_REUSEADDR"};
    enum { COLUMNS = sizeof headings / sizeof headings[0], FD = 5 };
    struct table *table = table_create(COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++) {
        table_cell(table, TONE_HEADING, "%s", headings[i]);
    }
    table_align_right(table, FD);
    for (size_t i = 0; i < job->count && i < MOST_ROWS; i++) {
        add_row(table, &job->outcomes[i]);
    }
    table_print_and_free(table);
    if (job->count > MOST_ROWS) {
        output_text(TONE_FAINT, "... and %zu more\n", job->count - MOST_ROWS);
    }
}

struct sums {
    size_t armed;   /* by us; in a dry run: would be */
    size_t already; /* were on before */
    size_t refused;
    const struct outcome *first_refused;
    const struct outcome *unarmed_listener; /* that was: its program does not set the option */
};

static struct sums sum_up(const struct job *job)
{
    struct sums sums = {0};
    for (size_t i = 0; i < job->count; i++) {
        const struct outcome *outcome = &job->outcomes[i];
        const bool is_off = outcome->before == 0;
        if (outcome->before == 1) {
            sums.already++;
        } else if (is_off && (outcome->after == 1 || (job->dry_run && outcome->error == 0))) {
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

static const char *plural(size_t count)
{
    return count == 1 ? "" : "s";
}

/* The rests of connections that ended before the arming keep the port; later ones do not. */
static void say_time_wait(const struct leftovers *leftovers, unsigned int port, bool armed_now)
{
    const unsigned int seconds = leftovers->time_wait_ms / 1000 + 1;
    if (armed_now) {
        output_text(TONE_WARNING,
                    "%zu TIME_WAIT socket%s of connections that ended before cannot be armed and "
                    "will be in the way of a restart for up to %u s: wait, or: libreuse free %u\n",
                    leftovers->time_wait, plural(leftovers->time_wait), seconds, port);
    } else {
        output_text(TONE_PLAIN,
                    "%zu TIME_WAIT socket%s: those of connections that ended before the arming "
                    "will be in the way of a restart for up to %u s: wait, or: libreuse free %u\n",
                    leftovers->time_wait, plural(leftovers->time_wait), seconds, port);
    }
}

static void say_leftovers(const struct job *job, const struct leftovers *leftovers, bool armed_now)
{
    const unsigned int port = job->port != 0 ? job->port : job->listeners[0].facts.port;
    if (leftovers->time_wait > 0) {
        say_time_wait(leftovers, port, armed_now);
    }
    if (leftovers->waiting > 0) {
        output_text(TONE_WARNING,
                    "%zu connection%s that the server has not accepted yet cannot be reached; run "
                    "this again when it has\n",
                    leftovers->waiting, plural(leftovers->waiting));
    }
    if (leftovers->finishing > 0) {
        output_text(TONE_WARNING,
                    "%zu connection%s that the kernel is about to end cannot be reached; see: "
                    "libreuse why %u\n",
                    leftovers->finishing, plural(leftovers->finishing), port);
    }
    if (leftovers->bound > 0) {
        output_text(TONE_PLAIN,
                    "%zu socket%s bound and not listening left alone: with SO_REUSEADDR, others "
                    "could bind the port, too\n",
                    leftovers->bound, plural(leftovers->bound));
    }
}

/* What the server's next start needs. */
static void say_next_start(const struct outcome *listener)
{
    char *program = process_program(listener->user.pid);
    char *printable = output_printable(program);
    if (process_has_shim(listener->user.pid) == PRESENCE_YES) {
        output_text(TONE_PLAIN,
                    "%s runs with libreuse.so, which had left it unarmed (LIBREUSE_PORTS, "
                    "LIBREUSE_DRY_RUN); see: libreuse check %d\n",
                    printable, listener->user.pid);
    } else {
        output_text(TONE_PLAIN,
                    "%s does not set SO_REUSEADDR itself, and its next start must: libreuse run "
                    "%s\n",
                    printable, printable);
    }
    free(printable);
    free(program);
}

static void say_refused(const struct sums *sums)
{
    const struct outcome *refused = sums->first_refused;
    struct address local;
    sockets_local(&refused->entry, &local);
    char *address = sockets_address_text(&local);
    if (refused->no_access != NULL) {
        output_error("%s: not armed: %s", address, refused->no_access);
    } else if (refused->before == 0) {
        output_error("%s: not armed: process %d, descriptor %d: setsockopt: %s%s", address,
                     refused->user.pid, refused->user.fd, strerror(refused->error),
                     refused->error == EINVAL ? " (a connection of MPTCP?)" : "");
    } else {
        char *why = remote_explain(refused->user.pid, refused->error);
        output_error("%s: not armed: process %d, descriptor %d: %s", address, refused->user.pid,
                     refused->user.fd, why);
        free(why);
    }
    free(address);
    if (sums->refused > 1) {
        output_error("... and %zu more", sums->refused - 1);
    }
}

static int report(struct job *job, const struct leftovers *leftovers)
{
    if (job->count > 0) {
        qsort(job->outcomes, job->count, sizeof job->outcomes[0], compare_rows);
        show(job);
        output_text(TONE_PLAIN, "\n");
    }
    const struct sums sums = sum_up(job);
    if (job->count == 0) {
        output_text(TONE_WARNING, "no listening socket and no open connection to arm\n");
    } else {
        output_text(sums.refused == 0 ? TONE_GOOD : TONE_PLAIN, "%zu socket%s %s", sums.armed,
                    plural(sums.armed), job->dry_run ? "would be armed" : "armed");
        output_text(TONE_PLAIN, ", %zu armed before\n", sums.already);
    }
    if (sums.unarmed_listener != NULL) {
        say_next_start(sums.unarmed_listener);
    }
    say_leftovers(job, leftovers, sums.armed > 0);
    if (sums.refused > 0) {
        say_refused(&sums);
        return STATUS_REFUSED;
    }
    const bool unarmed_left =
        sums.armed > 0 && leftovers->time_wait + leftovers->waiting + leftovers->finishing > 0;
    return job->count == 0 || unarmed_left ? STATUS_FOUND : STATUS_FINE;
}

/* The listening sockets of the process. */
static bool find_listeners(struct job *job)
{
    struct sockets sockets;
    struct processes processes;
    if (!sockets_list(&sockets, IPPROTO_TCP, 0, SOCKETS_IN(STATE_LISTEN))) {
        sockets_free(&sockets);
        return false;
    }
    processes_find_of(&processes, &sockets);
    job->listeners = output_allocate(sockets.count, sizeof job->listeners[0]);
    for (size_t i = 0; i < sockets.count; i++) {
        size_t count;
        const struct user *users =
            processes_users(&processes, sockets.entries[i].facts.inode, &count);
        bool has = false;
        for (size_t j = 0; j < count && !has; j++) {
            has = users[j].pid == job->pid;
        }
        if (has) {
            job->listeners[job->listener_count++] = sockets.entries[i];
        }
    }
    processes_free(&processes);
    sockets_free(&sockets);
    return job->listener_count > 0;
}

/* Says why nothing of the process can be armed. */
static int say_no_listeners(int pid)
{
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    if (!process_exists(pid)) {
        output_error("%d: there is no such process", pid);
        return STATUS_FOUND;
    }
    char *program = process_program(pid);
    int status = STATUS_FOUND;
    if (process_is_in_this_network(pid) == PRESENCE_NO) {
        output_error("%s[%d] is in another network namespace; run: nsenter --target %d --net "
                     "libreuse arm --pid=%d",
                     program, pid, pid, pid);
    } else if (access(path, R_OK) != 0) {
        output_error("%s[%d]: its descriptors may not be looked at: that needs CAP_SYS_PTRACE, or "
                     "the process's own user; run it as root",
                     program, pid);
        status = STATUS_REFUSED;
    } else {
        output_error("%s[%d] has no listening TCP socket; for the connections of a forked child "
                     "give the port",
                     program, pid);
    }
    free(program);
    return status;
}

static int arm(struct job *job)
{
    if (job->port == 0 && !find_listeners(job)) {
        return say_no_listeners(job->pid);
    }
    if (job->port != 0) {
        output_text(TONE_HEADING, "port %u\n", job->port);
    } else {
        char *program = process_program(job->pid);
        char *printable = output_printable(program);
        output_text(TONE_HEADING, "process %s[%d]\n", printable, job->pid);
        free(printable);
        free(program);
    }
    if (!arm_all(job)) {
        return STATUS_REFUSED;
    }
    const struct leftovers leftovers = count_leftovers(job);
    return report(job, &leftovers);
}

static void free_job(struct job *job)
{
    remote_close(&job->remote);
    free(job->outcomes);
    free(job->listeners);
}

/* Decides what a bare number names. Returns a status where it cannot be decided, or -1. */
static int decide(struct job *job, const char *text)
{
    struct sockets sockets = {0};
    if (!target_port_or_pid(text, &job->port, &job->pid)) {
        return command_usage("arm");
    }
    if (job->port != 0) {
        sockets_list(&sockets, IPPROTO_TCP, job->port, SOCKETS_IN_ANY);
    }
    const bool port_is_used = sockets.count > 0;
    const bool port_listens = sockets_count(&sockets, STATE_LISTEN) > 0;
    sockets_free(&sockets);
    struct job process = {.pid = job->pid, .remote = REMOTE_NONE};
    const bool process_listens = !port_listens && find_listeners(&process);
    free_job(&process);
    if (port_is_used && process_listens) {
        output_error("%s is a port with connections, and a process that listens: say which with "
                     "--port=%s or --pid=%s",
                     text, text, text);
        return STATUS_USAGE;
    }
    if (!port_is_used && !process_exists(job->pid)) {
        output_error("%s: no TCP socket has this port, and there is no such process", text);
        return STATUS_FOUND;
    }
    if (!port_is_used) {
        job->port = 0;
    }
    return -1;
}

int arm_command(int argc, char **argv)
{
    enum { PID = 1, PORT };
    static const struct option options[] = {
        {"pid", required_argument, NULL, PID}, {"port", required_argument, NULL, PORT},
        {"dry-run", no_argument, NULL, 'n'},   {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},   {0}};
    struct job job = {.remote = REMOTE_NONE};
    int named = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":nhV", options, NULL)) != -1;) {
        switch (option) {
        case PID:
        case PORT:
            named++;
            if (!(option == PID ? target_pid(optarg, &job.pid) : target_port(optarg, &job.port))) {
                return command_usage("arm");
            }
            break;
        case 'n':
            job.dry_run = true;
            break;
        case 'h':
            return command_help(help);
        case 'V':
            return command_version();
        default:
            output_error(option == ':' ? "arm: %s needs a number" : "arm: %s: no such option",
                         argv[optind - 1]);
            return command_usage("arm");
        }
    }
    if (argc - optind + named != 1) {
        output_error("arm: expected one port or one process");
        return command_usage("arm");
    }
    int status = named > 0 ? -1 : decide(&job, argv[optind]);
    if (status < 0) {
        status = arm(&job);
    }
    free_job(&job);
    return status;
}
