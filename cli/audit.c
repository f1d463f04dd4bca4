/*
 * libreuse audit: every listening TCP socket of this network namespace, and whether the server that
 * has it can be restarted at once. That follows from the socket itself: what it accepts inherits
 * SO_REUSEADDR, or does not.
 */
#include "command.h"
#include "ephemeral.h"
#include "explain.h"
#include "output.h"
#include "processes.h"
#include "remote.h"
#include "socket_list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse audit [--json]\n"
    "\n"
    "Lists every listening TCP socket of this network namespace: its process, whether\n"
    "SO_REUSEADDR is set on it, whether libreuse.so is loaded, and what the next\n"
    "restart of its server will be like:\n"
    "\n"
    "\"restarts cleanly\"   What the server leaves behind will not be in its way. Where\n"
    "                     \"libreuse arm\" has switched SO_REUSEADDR on: if it is then\n"
    "                     started with \"libreuse run\".\n"
    "\"next restart fails\" For up to 60 s if it closes a connection before its client\n"
    "                     does, and for as long as a forked child still serves one.\n"
    "\"not known\"          With the reason.\n"
    "\"(ephemeral)\"        On a port that the kernel gives out by itself: perhaps\n"
    "                     to a server that has lost its own; or it is meant so.\n"
    "\n"
    "      --json     for programs\n"
    "  -h, --help     this text\n"
    "  -V, --version  the version\n"
    "\n"
    "Sockets of other users' processes: only with CAP_SYS_PTRACE, and with Linux 5.6.\n"
    "\n"
    "Exit status: 0 all restart cleanly; 1 some do not; 2 wrong usage; 3 some could\n"
    "not be judged, and the others restart cleanly.\n";

enum verdict { VERDICT_CLEAN, VERDICT_FAILS, VERDICT_UNKNOWN, VERDICTS };

struct finding {
    struct entry entry;
    struct user user; /* the first; pid 0: nobody is known to have it */
    size_t other_users;
    char *program;      /* of the first user; NULL */
    enum presence shim; /* in the first user */
    int reuse_address;  /* 0, 1; -1: could not be read */
    int reuse_port;
    int ephemeral; /* 1, 0; -1: not known */
    enum verdict verdict;
    char *reason; /* why it could not be read; NULL */
};

struct audit {
    struct finding *findings;
    size_t count;
    size_t verdicts[VERDICTS];
    bool complete;
};

/* So that a process is opened once, and looked at once. */
static int compare_by_user(const void *one, const void *other)
{
    const struct user *a = &((const struct finding *)one)->user;
    const struct user *b = &((const struct finding *)other)->user;
    return a->pid != b->pid ? (a->pid > b->pid) - (a->pid < b->pid)
                            : (a->fd > b->fd) - (a->fd < b->fd);
}

static int compare_by_port(const void *one, const void *other)
{
    const struct finding *a = one;
    const struct finding *b = other;
    if (a->entry.facts.port != b->entry.facts.port) {
        return a->entry.facts.port < b->entry.facts.port ? -1 : 1;
    }
    if (a->entry.facts.family != b->entry.facts.family) {
        return a->entry.facts.family < b->entry.facts.family ? -1 : 1;
    }
    const int order =
        memcmp(&a->entry.facts.claim.ip, &b->entry.facts.claim.ip, sizeof a->entry.facts.claim.ip);
    return order != 0 ? order : compare_by_user(one, other);
}

static void sort(struct audit *audit, int (*compare)(const void *one, const void *other))
{
    if (audit->count > 0) {
        qsort(audit->findings, audit->count, sizeof audit->findings[0], compare);
    }
}

static int option(int fd, int name)
{
    int on = 0;
    socklen_t length = sizeof on;
    return getsockopt(fd, SOL_SOCKET, name, &on, &length) == 0 ? on != 0 : -1;
}

/* Finds out what is set on the socket. False where it is gone by now. */
static bool read_options(struct finding *finding, struct remote *remote, const struct user *users,
                         size_t count)
{
    int refused = 0;
    for (size_t i = 0; i < count; i++) {
        const int fd = remote_socket(remote, users[i].pid, users[i].fd, users[i].inode);
        if (fd >= 0) {
            finding->reuse_address = option(fd, SO_REUSEADDR);
            finding->reuse_port = option(fd, SO_REUSEPORT);
            close(fd);
            return true;
        }
        if (errno == EPERM && i > 0) {
            continue; /* those of one server are mostly alike: the first one's reason is enough */
        }
        if (errno != ESRCH && errno != EBADF) {
            refused = errno;
        }
    }
    if (refused != 0) {
        finding->reason = remote_explain(users[0].pid, refused);
    }
    return refused != 0;
}

static enum verdict verdict_of(const struct finding *finding)
{
    if (finding->reuse_address < 0) {
        return VERDICT_UNKNOWN;
    }
    /* SO_REUSEPORT is inherited, too, and lets its own user's sockets pass as well. */
    return finding->reuse_address == 1 || finding->reuse_port == 1 ? VERDICT_CLEAN : VERDICT_FAILS;
}

static void find_users(struct audit *audit, const struct processes *processes)
{
    for (size_t i = 0; i < audit->count; i++) {
        struct finding *finding = &audit->findings[i];
        size_t count;
        const struct user *users = processes_users(processes, finding->entry.facts.inode, &count);
        if (users != NULL) {
            finding->user = users[0];
            finding->other_users = processes_in(users, count) - 1;
        }
    }
}

static bool is_listed(const struct sockets *sockets, uint64_t inode)
{
    for (size_t i = 0; i < sockets->count; i++) {
        if (sockets->entries[i].facts.inode == inode) {
            return true;
        }
    }
    return false;
}

/* Forgets the listeners without a known user that were closed since they were listed. */
static void forget_closed(struct audit *audit)
{
    struct sockets now;
    size_t unknown = 0;
    for (size_t i = 0; i < audit->count; i++) {
        unknown += audit->findings[i].user.pid == 0;
    }
    if (unknown == 0) {
        return;
    }
    size_t kept = 0;
    const bool is_known = sockets_list(&now, IPPROTO_TCP, 0, SOCKETS_IN(STATE_LISTEN));
    for (size_t i = 0; i < audit->count; i++) {
        const struct finding *finding = &audit->findings[i];
        if (!is_known || finding->user.pid != 0 || is_listed(&now, finding->entry.facts.inode)) {
            audit->findings[kept++] = *finding;
        }
    }
    audit->count = kept;
    sockets_free(&now);
}

static void judge(struct audit *audit, const struct processes *processes)
{
    struct remote remote = REMOTE_NONE;
    int last_pid = 0;
    enum presence last_shim = PRESENCE_UNKNOWN;
    size_t kept = 0;
    for (size_t i = 0; i < audit->count; i++) {
        struct finding finding = audit->findings[i];
        if (finding.user.pid == 0) {
            finding.reason = output_format("%s", processes_why_unknown(processes));
        } else {
            size_t count;
            const struct user *users =
                processes_users(processes, finding.entry.facts.inode, &count);
            if (!read_options(&finding, &remote, users, count)) {
                continue; /* it was closed meanwhile */
            }
            if (finding.user.pid != last_pid) {
                last_pid = finding.user.pid;
                last_shim = process_has_shim(last_pid);
            }
            finding.shim = last_shim;
            finding.program = process_program(last_pid);
        }
        finding.verdict = verdict_of(&finding);
        audit->verdicts[finding.verdict]++;
        audit->findings[kept++] = finding;
    }
    audit->count = kept;
    remote_close(&remote);
}

static bool examine(struct audit *audit)
{
    struct sockets sockets;
    struct processes processes;
    *audit = (struct audit){0};
    if (!sockets_list(&sockets, IPPROTO_TCP, 0, SOCKETS_IN(STATE_LISTEN))) {
        char *why = sockets_why_no_list(&sockets);
        output_error("audit: the listening sockets cannot be listed (%s)", why);
        free(why);
        sockets_free(&sockets);
        return false;
    }
    audit->complete = sockets.complete;
    audit->findings = output_allocate(sockets.count, sizeof audit->findings[0]);
    for (size_t i = 0; i < sockets.count; i++) {
        audit->findings[audit->count++] =
            (struct finding){.entry = sockets.entries[i],
                             .shim = PRESENCE_UNKNOWN,
                             .reuse_address = -1,
                             .reuse_port = -1,
                             .ephemeral = ephemeral_port(sockets.entries[i].facts.port)};
    }
    processes_find_of(&processes, &sockets);
    sockets_free(&sockets);
    find_users(audit, &processes);
    forget_closed(audit);
    sort(audit, compare_by_user);
    judge(audit, &processes);
    processes_free(&processes);
    sort(audit, compare_by_port);
    return true;
}

static void free_audit(struct audit *audit)
{
    for (size_t i = 0; i < audit->count; i++) {
        free(audit->findings[i].program);
        free(audit->findings[i].reason);
    }
    free(audit->findings);
}

static const char *yes_or_no(enum presence presence)
{
    static const char *const words[] = {
        [PRESENCE_NO] = "no", [PRESENCE_YES] = "yes", [PRESENCE_UNKNOWN] = "?"};
    return words[presence];
}

static const struct {
    enum tone tone;
    const char *words;
    const char *json;
} verdicts[VERDICTS] = {
    [VERDICT_CLEAN] = {TONE_GOOD, "restarts cleanly", "restarts-cleanly"},
    [VERDICT_FAILS] = {TONE_BAD, "next restart fails for up to 60 s", "next-restart-fails"},
    [VERDICT_UNKNOWN] = {TONE_WARNING, "not known", "not-known"},
};

static void add_row(struct table *table, const struct finding *finding)
{
    struct address local;
    sockets_local(&finding->entry, &local);
    char *address = sockets_address_text(&local);
    table_cell(table, TONE_PLAIN, "%s%s", address, finding->ephemeral == 1 ? " (ephemeral)" : "");
    free(address);
    if (finding->user.pid == 0) {
        table_cell(table, TONE_FAINT, "?");
    } else if (finding->other_users == 0) {
        table_cell(table, TONE_PLAIN, "%d", finding->user.pid);
    } else {
        table_cell(table, TONE_PLAIN, "%d +%zu", finding->user.pid, finding->other_users);
    }
    table_cell(table, TONE_PLAIN, "%s", finding->program != NULL ? finding->program : "?");
    if (finding->reuse_address < 0) {
        table_cell(table, TONE_FAINT, "?");
    } else {
        table_cell(table, TONE_PLAIN, "%s", finding->reuse_address == 1 ? "on" : "off");
    }
    table_cell(table, TONE_PLAIN, "%s", yes_or_no(finding->shim));
    if (finding->verdict == VERDICT_CLEAN && finding->reuse_address != 1) {
        table_cell(table, TONE_GOOD, "restarts cleanly (SO_REUSEPORT)");
    } else {
        table_cell(table, verdicts[finding->verdict].tone, "%s", verdicts[finding->verdict].words);
    }
}

/* Each reason once, with how many sockets it is about. */
static void say_reasons(const struct audit *audit)
{
    for (size_t i = 0; i < audit->count; i++) {
        const char *reason = audit->findings[i].reason;
        size_t earlier = 0;
        size_t same = 0;
        for (size_t j = 0; j < audit->count && reason != NULL; j++) {
            const char *other = audit->findings[j].reason;
            if (other != NULL && strcmp(other, reason) == 0) {
                earlier += j < i;
                same++;
                if (j < i) {
                    break;
                }
            }
        }
        if (reason != NULL && earlier == 0) {
            output_text(TONE_WARNING, "%zu not known: %s\n", same, reason);
        }
    }
}

static void say_ephemeral(const struct audit *audit)
{
    size_t count = 0;
    for (size_t i = 0; i < audit->count; i++) {
        count += audit->findings[i].ephemeral == 1;
    }
    if (count > 0) {
        output_text(TONE_WARNING, "%zu ephemeral: %s\n", count, ephemeral_meaning);
    }
}

static void show_text(const struct audit *audit)
{
    static const char *const headings[] = {"LISTENS ON",   "PID",      "PROGRAM",
                                           "SO_REUSEADDR", "LIBREUSE", "VERDICT"};
    enum { COLUMNS = sizeof headings / sizeof headings[0] };
    if (audit->count == 0) {
        output_text(TONE_PLAIN, "no TCP socket listens in this network namespace\n");
        return;
    }
    struct table *table = table_create(COLUMNS);
    for (size_t i = 0; i < COLUMNS; i++) {
        table_cell(table, TONE_HEADING, "%s", headings[i]);
    }
    for (size_t i = 0; i < audit->count; i++) {
        add_row(table, &audit->findings[i]);
    }
    table_print_and_free(table);
    output_text(TONE_PLAIN, "\n");
    if (audit->verdicts[VERDICT_FAILS] > 0) {
        output_text(TONE_BAD, "%zu of %zu will fail at the next restart",
                    audit->verdicts[VERDICT_FAILS], audit->count);
        output_text(TONE_PLAIN, "; before it: libreuse arm PORT; for good: libreuse run PROGRAM\n");
    }
    say_reasons(audit);
    if (audit->verdicts[VERDICT_CLEAN] == audit->count) {
        output_text(TONE_GOOD, "all restart cleanly\n");
    }
    say_ephemeral(audit);
}

static void json_finding(struct json *json, const struct finding *finding)
{
    struct address local;
    sockets_local(&finding->entry, &local);
    char *listens_on = sockets_address_text(&local);
    char ip[INET6_ADDRSTRLEN];
    inet_ntop(local.as.any.sa_family,
              local.as.any.sa_family == AF_INET ? (const void *)&local.as.in.sin_addr
                                                : (const void *)&local.as.in6.sin6_addr,
              ip, sizeof ip);
    json_open_object(json, NULL);
    json_string(json, "listens_on", listens_on);
    json_string(json, "address", ip);
    json_number(json, "port", finding->entry.facts.port);
    json_ternary(json, "ephemeral_port", finding->ephemeral);
    json_number(json, "uid", finding->entry.facts.uid);
    if (finding->user.pid != 0) {
        json_number(json, "pid", finding->user.pid);
    } else {
        json_null(json, "pid");
    }
    json_string(json, "program", finding->program);
    json_number(json, "other_processes", (int64_t)finding->other_users);
    json_ternary(json, "reuseaddr", finding->reuse_address);
    json_ternary(json, "reuseport", finding->reuse_port);
    if (finding->shim == PRESENCE_UNKNOWN) {
        json_null(json, "libreuse");
    } else {
        json_boolean(json, "libreuse", finding->shim == PRESENCE_YES);
    }
    json_string(json, "verdict", verdicts[finding->verdict].json);
    json_string(json, "reason", finding->reason);
    json_close(json);
    free(listens_on);
}

static void show_json(const struct audit *audit)
{
    struct json json = {0};
    json_open_object(&json, NULL);
    json_open_array(&json, "listeners");
    for (size_t i = 0; i < audit->count; i++) {
        json_finding(&json, &audit->findings[i]);
    }
    json_close(&json);
    json_open_object(&json, "summary");
    json_number(&json, "listeners", (int64_t)audit->count);
    json_number(&json, "restart_cleanly", (int64_t)audit->verdicts[VERDICT_CLEAN]);
    json_number(&json, "fail", (int64_t)audit->verdicts[VERDICT_FAILS]);
    json_number(&json, "not_known", (int64_t)audit->verdicts[VERDICT_UNKNOWN]);
    json_boolean(&json, "complete", audit->complete);
    json_close(&json);
    json_close(&json);
}

static int status_of(const struct audit *audit)
{
    if (audit->verdicts[VERDICT_FAILS] > 0) {
        return STATUS_FOUND;
    }
    return audit->verdicts[VERDICT_UNKNOWN] > 0 || !audit->complete ? STATUS_REFUSED : STATUS_FINE;
}

int audit_command(int argc, char **argv)
{
    bool json;
    const int ended = command_json_option(argc, argv, "audit", help, &json);
    if (ended >= 0) {
        return ended;
    }
    if (optind < argc) {
        output_error("audit: %s: no argument was expected", argv[optind]);
        return command_usage("audit");
    }
    struct audit audit;
    if (!examine(&audit)) {
        return STATUS_REFUSED;
    }
    if (json) {
        show_json(&audit);
    } else {
        show_text(&audit);
    }
    if (!audit.complete) {
        output_error(
            "audit: there was no time to list all sockets, or data was lost: run it again");
    }
    const int status = status_of(&audit);
    free_audit(&audit);
    return status;
}
