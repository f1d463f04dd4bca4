/*
 * libreuse why: would a bind() of this port work now? It is really tried, without and with
 * SO_REUSEADDR, on sockets that never listen and are closed at once. Who is in the way is what the
 * shim's report would say.
 */
#include "command.h"
#include "event.h"
#include "explain.h"
#include "kernel.h"
#include "output.h"
#include "processes.h"
#include "socket_list.h"
#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse why [--udp] [--wait] [--json] [ADDRESS:]PORT\n"
    "\n"
    "Tries whether bind() of this port would work now in this network namespace,\n"
    "without and with SO_REUSEADDR; says who holds it, when it will be free, and what\n"
    "to do. ADDRESS is an IPv4 address, an IPv6 address in brackets, or *; without\n"
    "it, 0.0.0.0 and [::] are tried.\n"
    "\n"
    "      --udp      a UDP port\n"
    "      --wait     wait until it is free, with a countdown on a terminal\n"
    "      --json     for programs\n"
    "  -h, --help     this text\n"
    "  -V, --version  the version\n"
    "\n"
    "The sockets that try never listen and are closed at once. Processes of other\n"
    "users can only be seen with CAP_SYS_PTRACE.\n"
    "\n"
    "Exit status: 0 free; 1 held, or bind() fails for another reason; 2 wrong usage;\n"
    "3 not permitted to try.\n";

struct request {
    struct address address; /* unknown: both wildcards */
    unsigned int port;
    int protocol;
    bool wait;
    bool json;
};

/* What became of one address. */
struct trial {
    struct address asked;
    int fd;           /* of a socket that could not be bound: open until it is explained; -1 */
    int socket_error; /* there are no such sockets: the family is not there */
    int plain;        /* the errno of bind(), 0 */
    int reuse;        /* the same with SO_REUSEADDR; of no meaning for UDP */
    struct holders_question question;
    struct holders holders; /* where the port is held */
    char *sentence;         /* what the shim would say; NULL where the address is free */
    char *also;             /* who holds a port that may not be tried; NULL */
};

enum { TRIALS = 2 };

struct answer {
    struct trial trials[TRIALS];
    size_t count;
};

static int new_socket(const struct request *request, const struct address *address)
{
    const int type = request->protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM;
    return socket(address->as.any.sa_family, type | SOCK_CLOEXEC, request->protocol);
}

static int bind_error(int fd, const struct address *address)
{
    return bind(fd, &address->as.any, address->length) == 0 ? 0 : errno;
}

/* The errno of bind() on a socket with SO_REUSEADDR. */
static int try_with_reuse(const struct request *request, const struct address *address)
{
    const int on = 1;
    const int fd = new_socket(request, address);
    if (fd < 0) {
        return errno;
    }
    const int error = setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0
                          ? bind_error(fd, address)
                          : errno;
    close(fd);
    return error;
}

static char *event_text(const struct event *event,
                        void (*explain)(struct line *line, const struct event *event))
{
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    explain(&line, event);
    return output_format("%.*s", (int)line.length, text);
}

/* The shim's sentence about a bind() that failed on this socket. */
static void explain(const struct request *request, struct trial *trial)
{
    const bool held = trial->plain == EADDRINUSE;
    struct event event = {.kind = EVENT_BIND_FAILED,
                          .fd = trial->fd,
                          .error = trial->plain,
                          .rescue = RESCUE_NO_USE,
                          .address = &trial->asked,
                          .holders = held ? &trial->holders : NULL};
    if (request->protocol == IPPROTO_UDP) {
        event.rescue = RESCUE_NOT_TCP;
    } else if (held && trial->reuse == 0) {
        event.kind = EVENT_RESCUED;
    }
    trial->sentence = event_text(&event, explain_event);
    if (!held && trial->holders.total > 0) {
        event.error = EADDRINUSE;
        event.rescue = RESCUE_DRY_RUN; /* nothing is known of what SO_REUSEADDR would do */
        event.holders = &trial->holders;
        trial->also = event_text(&event, explain_holders);
    }
}

static void try_address(const struct request *request, struct trial *trial)
{
    const int fd = new_socket(request, &trial->asked);
    trial->fd = -1;
    if (fd < 0) {
        trial->socket_error = errno;
        return;
    }
    trial->plain = bind_error(fd, &trial->asked);
    if (trial->plain == 0) {
        close(fd);
        return;
    }
    trial->fd = fd;
    trial->reuse = trial->plain == EADDRINUSE && request->protocol == IPPROTO_TCP
                       ? try_with_reuse(request, &trial->asked)
                       : trial->plain;
    holders_ask(&trial->question, fd, &trial->asked);
    holders_find(&trial->question, &trial->holders);
}

static void try_all(const struct request *request, struct answer *answer)
{
    *answer = (struct answer){0};
    const in_port_t port = htons((uint16_t)request->port);
    if (request->address.length > 0) {
        answer->trials[answer->count++].asked = request->address;
    } else {
        struct address *ipv4 = &answer->trials[answer->count++].asked;
        struct address *ipv6 = &answer->trials[answer->count++].asked;
        ipv4->length = sizeof ipv4->as.in;
        ipv4->as.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        ipv6->length = sizeof ipv6->as.in6;
        ipv6->as.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
    }
    for (size_t i = 0; i < answer->count; i++) {
        try_address(request, &answer->trials[i]);
    }
}

/*
 * The owner of the socket that is named. The shim's own search ends after a moment, because a
 * program waits for it; here there is time to look at every process.
 */
static void find_owner(struct holder *named)
{
    struct processes processes;
    size_t count;
    struct owner *owner = &named->owner;
    if (named->inode == 0) {
        owner->search = OWNER_NONE;
        return;
    }
    processes_find(&processes, &named->inode, 1);
    const struct user *users = processes_users(&processes, named->inode, &count);
    if (users != NULL) {
        char *program = process_program(users->pid);
        *owner = (struct owner){.search = OWNER_FOUND, .pid = users->pid, .fd = users->fd};
        memcpy(owner->program, program, strnlen(program, sizeof owner->program - 1));
        free(program);
    } else if (processes.proc_error != 0) {
        owner->search = OWNER_NO_PROC;
    } else {
        owner->search = processes.forbidden > 0 ? OWNER_FORBIDDEN : OWNER_HIDDEN;
    }
    processes_free(&processes);
}

static void explain_all(const struct request *request, struct answer *answer)
{
    const struct holder *last = NULL;
    for (size_t i = 0; i < answer->count; i++) {
        struct trial *trial = &answer->trials[i];
        struct holder *named = &trial->holders.named;
        if (trial->fd < 0) {
            continue;
        }
        if (last != NULL && trial->holders.total > 0 && named->inode == last->inode) {
            named->owner = last->owner;
        } else if (trial->holders.total > 0) {
            find_owner(named);
            last = named;
        }
        explain(request, trial);
    }
}

static void free_answer(struct answer *answer)
{
    for (size_t i = 0; i < answer->count; i++) {
        struct trial *trial = &answer->trials[i];
        free(trial->sentence);
        free(trial->also);
        if (trial->fd >= 0) {
            close(trial->fd);
        }
    }
    answer->count = 0;
}

/* A host without IPv6 is no reason to say that [::] is held, when nobody has asked for it. */
static bool counts(const struct request *request, const struct trial *trial)
{
    const bool is_missing = trial->socket_error != 0 || trial->plain == EADDRNOTAVAIL;
    return request->address.length > 0 || !is_missing;
}

static int status_of_trial(const struct trial *trial)
{
    const bool not_permitted = trial->plain == EACCES || trial->plain == EPERM;
    if (trial->socket_error != 0) {
        return STATUS_REFUSED;
    }
    if (trial->plain == 0) {
        return STATUS_FINE;
    }
    return not_permitted && trial->holders.total == 0 ? STATUS_REFUSED : STATUS_FOUND;
}

/* What was found goes before what could not be tried. */
static int status_of(const struct request *request, const struct answer *answer)
{
    int status = STATUS_FINE;
    for (size_t i = 0; i < answer->count; i++) {
        const struct trial *trial = &answer->trials[i];
        const int its_status = counts(request, trial) ? status_of_trial(trial) : STATUS_FINE;
        if (status != STATUS_FOUND && its_status != STATUS_FINE) {
            status = its_status;
        }
    }
    return status;
}

static char *error_text(int error)
{
    char text[32];
    struct line line = {.text = text, .size = sizeof text};
    explain_name(&line, error);
    return output_format("%.*s", (int)line.length, text);
}

/* The sockets on the port that the tried addresses meet, and the processes that have them. */
struct listing_of_port {
    struct sockets sockets;
    struct processes processes;
};

static bool is_met(const struct answer *answer, const struct entry *entry)
{
    for (size_t i = 0; i < answer->count; i++) {
        const struct trial *trial = &answer->trials[i];
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

static void list_port(const struct request *request, const struct answer *answer,
                      struct listing_of_port *port)
{
    struct sockets *sockets = &port->sockets;
    sockets_list(sockets, request->protocol, request->port, SOCKETS_IN_ANY);
    size_t met = 0;
    for (size_t i = 0; i < sockets->count; i++) {
        if (is_met(answer, &sockets->entries[i])) {
            sockets->entries[met++] = sockets->entries[i];
        }
    }
    sockets->count = met;
    if (met > 0) {
        qsort(sockets->entries, met, sizeof sockets->entries[0], compare_entries);
    }
    processes_find_of(&port->processes, sockets);
}

static void free_port(struct listing_of_port *port)
{
    sockets_free(&port->sockets);
    processes_free(&port->processes);
}

static void add_owner(struct table *table, const struct entry *entry,
                      const struct processes *processes)
{
    size_t count;
    const struct user *users = processes_users(processes, entry->facts.inode, &count);
    if (users == NULL) {
        const char *unknown = entry->facts.inode == 0 ? "" : "?";
        for (int i = 0; i < 3; i++) {
            table_cell(table, TONE_FAINT, "%s", unknown);
        }
        return;
    }
    char *program = process_program(users->pid);
    const size_t others = processes_in(users, count) - 1;
    if (others == 0) {
        table_cell(table, TONE_PLAIN, "%d", users->pid);
    } else {
        table_cell(table, TONE_PLAIN, "%d +%zu", users->pid, others);
    }
    table_cell(table, TONE_PLAIN, "%s", program);
    table_cell(table, TONE_PLAIN, "%d", users->fd);
    free(program);
}

static unsigned int in_seconds(uint32_t milliseconds)
{
    return milliseconds / 1000 + (milliseconds % 1000 != 0);
}

enum { MOST_ROWS = 20 };

static void show_sockets(const struct listing_of_port *port)
{
    static const char *const headings[] = {"STATE",   "LOCAL", "PEER",   "PID",
                                           "PROGRAM", "FD",    "FREE IN"};
    enum { COLUMNS = sizeof headings / sizeof headings[0], FD = 5, FREE_IN = 6 };
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
    for (size_t i = 0; i < sockets->count && i < MOST_ROWS; i++) {
        const struct entry *entry = &sockets->entries[i];
        struct address local;
        struct address peer;
        sockets_local(entry, &local);
        sockets_peer(entry, &peer);
        char *local_text = sockets_address_text(&local);
        char *peer_text = sockets_address_text(&peer);
        table_cell(table, TONE_PLAIN, "%s", explain_state_name(entry->facts.state));
        table_cell(table, TONE_PLAIN, "%s", local_text);
        table_cell(table, TONE_PLAIN, "%s", peer_text);
        add_owner(table, entry, &port->processes);
        if (entry->facts.timed) {
            table_cell(table, TONE_PLAIN, "%u s", in_seconds(entry->facts.remaining_ms));
        } else {
            table_cell(table, TONE_PLAIN, "%s", "");
        }
        free(local_text);
        free(peer_text);
    }
    output_text(TONE_PLAIN, "\n");
    table_print_and_free(table);
    if (sockets->count > MOST_ROWS) {
        output_text(TONE_FAINT, "... and %zu more\n", sockets->count - MOST_ROWS);
    }
}

/* Whether a socket is there whose process is not known, though it has one. */
static bool has_unknown(const struct listing_of_port *port)
{
    for (size_t i = 0; i < port->sockets.count; i++) {
        size_t count;
        const uint64_t inode = port->sockets.entries[i].facts.inode;
        if (inode != 0 && processes_users(&port->processes, inode, &count) == NULL) {
            return true;
        }
    }
    return false;
}

static void add_result(struct table *table, int error)
{
    char *name = error_text(error);
    if (error == 0) {
        table_cell(table, TONE_GOOD, "works");
    } else {
        table_cell(table, TONE_BAD, "%s", name);
    }
    free(name);
}

static void show_trials(const struct request *request, const struct answer *answer)
{
    const bool is_tcp = request->protocol == IPPROTO_TCP;
    struct table *table = table_create(is_tcp ? 3 : 2);
    table_cell(table, TONE_HEADING, "ADDRESS");
    table_cell(table, TONE_HEADING, "BIND");
    if (is_tcp) {
        table_cell(table, TONE_HEADING, "WITH SO_REUSEADDR");
    }
    for (size_t i = 0; i < answer->count; i++) {
        const struct trial *trial = &answer->trials[i];
        const bool has_socket = trial->socket_error == 0;
        char *address = sockets_address_text(&trial->asked);
        table_cell(table, TONE_PLAIN, "%s", address);
        add_result(table, has_socket ? trial->plain : trial->socket_error);
        if (is_tcp) {
            add_result(table, has_socket ? trial->reuse : trial->socket_error);
        }
        free(address);
    }
    table_print_and_free(table);
}

/* The part of a sentence that follows the address. */
static const char *after_address(const struct trial *trial)
{
    char *address = sockets_address_text(&trial->asked);
    const char *rest = trial->sentence + strlen(address);
    free(address);
    return rest;
}

/* When a program that does not set SO_REUSEADDR gets the port, where that can be foreseen. */
static bool is_free_in(const struct trial *trial, unsigned int *seconds)
{
    const struct holders *holders = &trial->holders;
    *seconds = in_seconds(holders->time_wait_ms);
    return holders->total > 0 && holders->complete &&
           holders->total == holders->count[STATE_TIME_WAIT];
}

static void say_trial(const struct answer *answer, size_t number)
{
    const struct trial *trial = &answer->trials[number];
    char *address = sockets_address_text(&trial->asked);
    unsigned int seconds;
    if (trial->socket_error != 0) {
        output_text(TONE_PLAIN, "%s: no such socket can be made: %s\n", address,
                    strerror(trial->socket_error));
    } else if (trial->sentence == NULL) {
        output_text(TONE_GOOD, "%s: free\n", address);
    } else if (number > 0 && answer->trials[0].sentence != NULL &&
               strcmp(after_address(trial), after_address(&answer->trials[0])) == 0) {
        output_text(TONE_PLAIN, "%s: the same\n", address);
    } else {
        output_text(TONE_PLAIN, "%s\n", trial->sentence);
        if (trial->plain == EADDRINUSE && trial->reuse == 0) {
            output_text(TONE_PLAIN,
                        "%s: a program that does not set SO_REUSEADDR needs: libreuse run PROGRAM",
                        address);
            if (is_free_in(trial, &seconds)) {
                output_text(TONE_PLAIN, "; or it waits for %u s", seconds);
            }
            output_text(TONE_PLAIN, "\n");
        }
        if (trial->plain == EACCES || trial->plain == EPERM) {
            output_text(TONE_PLAIN, "%s: not tried, then; run this as root to try\n", address);
        }
        if (trial->also != NULL) {
            output_text(TONE_PLAIN, "%s: %s\n", address, trial->also);
        }
    }
    free(address);
}

static void show_text(const struct request *request, const struct answer *answer)
{
    show_trials(request, answer);
    output_text(TONE_PLAIN, "\n");
    for (size_t i = 0; i < answer->count; i++) {
        say_trial(answer, i);
    }
    if (status_of(request, answer) == STATUS_FINE) {
        return;
    }
    struct listing_of_port port;
    list_port(request, answer, &port);
    show_sockets(&port);
    if (has_unknown(&port)) {
        output_text(TONE_WARNING, "?: %s\n", processes_why_unknown(&port.processes));
    }
    free_port(&port);
}

static void json_address(struct json *json, const char *name, const struct address *address)
{
    if (address->length == 0) {
        json_null(json, name);
        return;
    }
    char *text = sockets_address_text(address);
    json_string(json, name, text);
    free(text);
}

static void json_error(struct json *json, const char *name, int error)
{
    char *text = error_text(error);
    json_string(json, name, error == 0 ? "works" : text);
    free(text);
}

static void json_trial(struct json *json, const struct request *request, const struct trial *trial)
{
    const int missing = trial->socket_error;
    json_open_object(json, NULL);
    json_address(json, "address", &trial->asked);
    json_error(json, "bind", missing != 0 ? missing : trial->plain);
    if (request->protocol == IPPROTO_TCP) {
        json_error(json, "bind_with_reuseaddr", missing != 0 ? missing : trial->reuse);
    }
    json_number(json, "holders", trial->holders.total);
    json_number(json, "time_wait", trial->holders.count[STATE_TIME_WAIT]);
    json_number(json, "time_wait_seconds", in_seconds(trial->holders.time_wait_ms));
    json_string(json, "message", trial->sentence);
    json_string(json, "held_by", trial->also);
    json_close(json);
}

static void json_socket(struct json *json, const struct entry *entry,
                        const struct processes *processes)
{
    struct address local;
    struct address peer;
    size_t count;
    sockets_local(entry, &local);
    sockets_peer(entry, &peer);
    const struct user *users = processes_users(processes, entry->facts.inode, &count);
    json_open_object(json, NULL);
    json_string(json, "state", explain_state_name(entry->facts.state));
    json_address(json, "local", &local);
    json_address(json, "peer", &peer);
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
        json_number(json, "seconds_left", in_seconds(entry->facts.remaining_ms));
    } else {
        json_null(json, "seconds_left");
    }
    json_close(json);
}

static void show_json(const struct request *request, const struct answer *answer)
{
    struct json json = {0};
    struct listing_of_port port;
    list_port(request, answer, &port);
    json_open_object(&json, NULL);
    json_number(&json, "port", request->port);
    json_string(&json, "protocol", request->protocol == IPPROTO_TCP ? "tcp" : "udp");
    json_boolean(&json, "free", status_of(request, answer) == STATUS_FINE);
    json_open_array(&json, "addresses");
    for (size_t i = 0; i < answer->count; i++) {
        json_trial(&json, request, &answer->trials[i]);
    }
    json_close(&json);
    json_open_array(&json, "sockets");
    for (size_t i = 0; i < port.sockets.count; i++) {
        json_socket(&json, &port.sockets.entries[i], &port.processes);
    }
    json_close(&json);
    json_close(&json);
    free_port(&port);
}

/* "; free in 41 s": what the countdown says of the last of the addresses to become free. */
static void show_countdown(const struct request *request, const struct answer *answer,
                           unsigned int waited)
{
    unsigned int longest = 0;
    bool foreseen = true;
    for (size_t i = 0; i < answer->count; i++) {
        const struct trial *trial = &answer->trials[i];
        unsigned int seconds;
        if (counts(request, trial) && trial->plain != 0) {
            foreseen = is_free_in(trial, &seconds) && foreseen;
            longest = seconds > longest ? seconds : longest;
        }
    }
    if (foreseen) {
        fprintf(stderr, "\rport %u: free in %u s\033[K", request->port, longest);
    } else {
        fprintf(stderr, "\rport %u: held; waiting for %u s\033[K", request->port, waited);
    }
}

/* Tries again until the port is free, or will not become free by waiting. */
static void wait_until_free(const struct request *request, struct answer *answer)
{
    enum { TRIES_EACH_SECOND = 5 };
    const bool on_terminal = isatty(STDERR_FILENO);
    const struct timespec pause = {.tv_nsec = 1000000000 / TRIES_EACH_SECOND};
    const int64_t start = kernel_milliseconds();
    for (unsigned int tries = 0; status_of(request, answer) == STATUS_FOUND; tries++) {
        if (on_terminal && tries % TRIES_EACH_SECOND == 0) {
            show_countdown(request, answer, (unsigned int)((kernel_milliseconds() - start) / 1000));
        }
        nanosleep(&pause, NULL);
        free_answer(answer);
        try_all(request, answer);
    }
    if (on_terminal) {
        fputs("\r\033[K", stderr);
    }
}

static int why(const struct request *request)
{
    struct answer answer;
    try_all(request, &answer);
    if (request->wait) {
        wait_until_free(request, &answer);
    }
    explain_all(request, &answer);
    const int status = status_of(request, &answer);
    if (request->json) {
        show_json(request, &answer);
    } else {
        show_text(request, &answer);
    }
    free_answer(&answer);
    return status;
}

int why_command(int argc, char **argv)
{
    enum { UDP = 1, WAIT, JSON };
    static const struct option options[] = {
        {"udp", no_argument, NULL, UDP},     {"wait", no_argument, NULL, WAIT},
        {"json", no_argument, NULL, JSON},   {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'}, {0}};
    struct request request = {.protocol = IPPROTO_TCP};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "hV", options, NULL)) != -1;) {
        switch (option) {
        case UDP:
            request.protocol = IPPROTO_UDP;
            break;
        case WAIT:
            request.wait = true;
            break;
        case JSON:
            request.json = true;
            break;
        default:
            return command_common_option(option, "why", help, argv[optind - 1]);
        }
    }
    if (argc - optind != 1) {
        output_error("why: expected one [ADDRESS:]PORT");
        return command_usage("why");
    }
    if (!target_address_and_port(argv[optind], &request.address, &request.port)) {
        return command_usage("why");
    }
    return why(&request);
}
