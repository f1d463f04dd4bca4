/*
 * libreuse free: makes the kernel forget the TIME_WAIT sockets of a port, and nothing else.
 *
 * What the kernel calls a time-wait socket is also the rest of a connection whose peer has not
 * closed its side yet: it is listed as FIN_WAIT2. The program has closed it, all that it sent has
 * arrived, and no data can come in any more; it keeps the port just as long. It is removed, too.
 * FIN_WAIT2 sockets that a process has, or that are not in that form yet, are left alone.
 *
 * Just after a server was stopped, the kernel still waits for the peers' acknowledgements:
 * FIN_WAIT1. They are given a moment, so that "stop the server; libreuse free PORT" does what it
 * says.
 */
#include "command.h"
#include "explain/explain.h"
#include "guest/kernel.h"
#include "sockets/socket_list.h"
#include "sockets/target.h"
#include "terminal/output.h"

#include <errno.h>
#include <getopt.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: libreuse free [--yes] [--dry-run] [--json] PORT\n"
    "\n"
    "Removes the TIME_WAIT sockets of a TCP port of this network namespace, and\n"
    "nothing else: no listener, no open connection. Afterwards even a server that\n"
    "does not set SO_REUSEADDR can bind the port at once.\n"
    "\n"
    "  -y, --yes      do not ask; needed where no person is at a terminal\n"
    "  -n, --dry-run  only say how many there are\n"
    "      --json     the same as a JSON object\n"
    "  -h, --help, -V, --version\n"
    "\n"
    "If the peer has not closed its side yet, what is left is listed as FIN_WAIT2,\n"
    "with the time that remains. No process has it any more; it is removed, too.\n"
    "\n"
    "The risk (RFC 1337): TIME_WAIT swallows late packets of a connection that is\n"
    "over. Without it, one that is still under way can disturb a new connection\n"
    "between the same two addresses and ports. That is rare: the client must use its\n"
    "port again within the minute, and sequence number and timestamp must fit.\n"
    "\n"
    "Needs CAP_NET_ADMIN, and Linux 6.0 with CONFIG_INET_DIAG_DESTROY.\n"
    "\n"
    "Exit status: 0 there is none any more; 1 some are left, or the answer was no;\n"
    "2 wrong usage; 3 not permitted or not supported.\n";

/* What is on the port: the time-wait sockets that are to go, and others, which stay. */
struct findings {
    struct sockets sockets;
    size_t time_wait; /* of these... */
    size_t fin_wait2; /* ...how many are listed as FIN_WAIT2 */
    size_t others;
    size_t settling; /* of these, how many no process has, and the peer has yet to acknowledge */
};

static bool is_settling(const struct entry *entry)
{
    const enum state state = entry->facts.state;
    return entry->facts.inode == 0 && (state == STATE_FIN_WAIT1 || state == STATE_FIN_WAIT2 ||
                                       state == STATE_CLOSING || state == STATE_LAST_ACK);
}

static bool find(struct findings *findings, unsigned int port)
{
    *findings = (struct findings){0};
    if (!sockets_list(&findings->sockets, IPPROTO_TCP, port, SOCKETS_IN_ANY)) {
        return false;
    }
    for (size_t i = 0; i < findings->sockets.count; i++) {
        const struct entry *entry = &findings->sockets.entries[i];
        if (sockets_is_time_wait(entry)) {
            findings->time_wait++;
            findings->fin_wait2 += entry->facts.state == STATE_FIN_WAIT2;
        } else {
            findings->others++;
            findings->settling += is_settling(entry);
        }
    }
    return true;
}

/* The same, once nothing is settling any more, or has not settled within the time. */
static bool find_settled(struct findings *findings, unsigned int port)
{
    enum { SETTLE_MS = 2000, STEP_MS = 20 };
    const int64_t end = kernel_milliseconds() + SETTLE_MS;
    while (find(findings, port)) {
        if (findings->settling == 0 || kernel_is_past(end)) {
            return true;
        }
        sockets_free(&findings->sockets);
        kernel_sleep(STEP_MS, NULL);
    }
    return false;
}

/* "2 TIME_WAIT sockets (1 of them listed as FIN_WAIT2)". The caller frees it. */
static char *count_text(size_t time_wait, size_t fin_wait2)
{
    const char *plural = time_wait == 1 ? "" : "s";
    if (fin_wait2 == 0) {
        return output_format("%zu TIME_WAIT socket%s", time_wait, plural);
    }
    return output_format("%zu TIME_WAIT socket%s (%zu listed as FIN_WAIT2)", time_wait, plural,
                         fin_wait2);
}

static int say_no_list(const struct findings *findings, unsigned int port)
{
    char *why = sockets_why_no_list(&findings->sockets);
    output_error("port %u: its sockets cannot be listed (%s)", port, why);
    free(why);
    return STATUS_REFUSED;
}

/* The sockets on the port that free does not touch, by state. */
static void say_others(const struct findings *findings, unsigned int port)
{
    if (findings->others == 0) {
        return;
    }
    struct holders holders = {.complete = findings->sockets.complete};
    for (size_t i = 0; i < findings->sockets.count; i++) {
        const struct entry *entry = &findings->sockets.entries[i];
        if (!sockets_is_time_wait(entry)) {
            holders.count[entry->facts.state]++;
            holders.total++;
        }
    }
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    explain_counts(&line, &holders);
    output_text(TONE_PLAIN, "port %u: %.*s on it: not touched; see: libreuse why %u\n", port,
                (int)line.length, text, port);
}

enum answer { ANSWER_YES, ANSWER_NO, ANSWER_NOBODY };

/* Asks the person at the terminal. */
static enum answer ask(const char *count, unsigned int port)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        return ANSWER_NOBODY;
    }
    fprintf(stderr,
            "This removes %s from port %u.\n"
            "A packet of one of these connections that is still on its way could then reach and\n"
            "disturb a new connection between the same two addresses and ports (RFC 1337).\n"
            "Go on? [y/N] ",
            count, port);
    char *line = NULL;
    size_t size = 0;
    const ssize_t length = getline(&line, &size, stdin);
    const bool yes = length > 0 && (line[0] == 'y' || line[0] == 'Y');
    if (length < 0) {
        fputc('\n', stderr);
    }
    free(line);
    return yes ? ANSWER_YES : ANSWER_NO;
}

/* Says why a socket could not be removed. */
static int say_refused(unsigned int port, int error)
{
    const bool is_refused = error == EPERM || error == EACCES;
    if (is_refused && kernel_has_capability(CAP_NET_ADMIN)) {
        output_error("port %u: removing TIME_WAIT sockets is not permitted, although CAP_NET_ADMIN "
                     "is there: this network namespace belongs to another user namespace, or a "
                     "security module refuses it",
                     port);
    } else if (is_refused) {
        char *way = geteuid() == 0 ? output_format("root has not got it here; in a container: "
                                                   "--cap-add=NET_ADMIN")
                                   : output_format("run: sudo libreuse free %u", port);
        output_error("port %u: removing TIME_WAIT sockets needs CAP_NET_ADMIN in this network "
                     "namespace; %s",
                     port, way);
        free(way);
    } else if (error == EOPNOTSUPP) {
        output_error("port %u: this kernel cannot remove TIME_WAIT sockets: that needs Linux 6.0 "
                     "with CONFIG_INET_DIAG_DESTROY; wait for them instead: libreuse why --wait %u",
                     port, port);
    } else {
        output_error("port %u: the kernel does not remove TIME_WAIT sockets: %s; wait for them "
                     "instead: libreuse why --wait %u",
                     port, strerror(error), port);
    }
    return STATUS_REFUSED;
}

struct removed {
    size_t time_wait;
    size_t fin_wait2;
};

/* 0, or the errno with which the kernel refused. */
static int remove_all(const struct findings *findings, struct removed *removed)
{
    struct destroyer destroyer;
    int error = sockets_open_destroyer(&destroyer);
    if (error != 0) {
        return error;
    }
    for (size_t i = 0; i < findings->sockets.count && error == 0; i++) {
        const struct entry *entry = &findings->sockets.entries[i];
        if (!sockets_is_time_wait(entry)) {
            continue;
        }
        error = sockets_destroy(&destroyer, entry);
        if (error == 0) {
            removed->time_wait++;
            removed->fin_wait2 += entry->facts.state == STATE_FIN_WAIT2;
        } else if (error == ENOENT || error == ESTALE) {
            error = 0; /* gone by itself */
        }
    }
    sockets_close_destroyer(&destroyer);
    return error;
}

static int say_removed(const struct removed *removed, unsigned int port)
{
    char *count = count_text(removed->time_wait, removed->fin_wait2);
    output_text(TONE_GOOD, "port %u: removed %s\n", port, count);
    free(count);
    struct findings left;
    if (!find(&left, port)) {
        sockets_free(&left.sockets);
        return STATUS_FINE;
    }
    if (left.time_wait > 0) {
        count = count_text(left.time_wait, left.fin_wait2);
        output_text(TONE_WARNING, "port %u: %s since then, or not seen before\n", port, count);
        free(count);
    }
    say_others(&left, port);
    sockets_free(&left.sockets);
    return left.time_wait + left.settling > 0 ? STATUS_FOUND : STATUS_FINE;
}

struct request {
    unsigned int port;
    bool yes;
    bool dry_run;
    bool json;
};

static void show_json(const struct request *request, const struct findings *findings,
                      size_t removed)
{
    struct json json = {0};
    json_open_object(&json, NULL);
    json_number(&json, "port", request->port);
    json_boolean(&json, "dry_run", request->dry_run);
    json_number(&json, "time_wait", (int64_t)findings->time_wait);
    json_number(&json, "listed_as_fin_wait2", (int64_t)findings->fin_wait2);
    json_number(&json, "removed", (int64_t)removed);
    json_number(&json, "others", (int64_t)findings->others);
    json_close(&json);
}

static int show_dry_run(const struct request *request, const struct findings *findings)
{
    if (request->json) {
        show_json(request, findings, 0);
    } else {
        char *count = count_text(findings->time_wait, findings->fin_wait2);
        output_text(TONE_PLAIN, "port %u: %s would be removed\n", request->port, count);
        say_others(findings, request->port);
        free(count);
    }
    return findings->time_wait + findings->settling > 0 ? STATUS_FOUND : STATUS_FINE;
}

static int free_found(const struct findings *findings, const struct request *request)
{
    const unsigned int port = request->port;
    if (request->dry_run || (findings->time_wait == 0 && request->json)) {
        return show_dry_run(request, findings);
    }
    if (findings->time_wait == 0) {
        output_text(TONE_PLAIN, "port %u: no TIME_WAIT socket is on it\n", port);
        say_others(findings, port);
        return findings->settling > 0 ? STATUS_FOUND : STATUS_FINE;
    }
    if (findings->sockets.netlink_error != 0) {
        output_error("port %u: TIME_WAIT sockets can only be removed over netlink, which refuses "
                     "to list them: %s",
                     port, strerror(findings->sockets.netlink_error));
        return STATUS_REFUSED;
    }
    if (!kernel_has_capability(CAP_NET_ADMIN)) {
        return say_refused(port, EPERM);
    }
    char *count = count_text(findings->time_wait, findings->fin_wait2);
    const enum answer answer = request->yes ? ANSWER_YES : ask(count, port);
    free(count);
    if (answer == ANSWER_NOBODY) {
        output_error("port %u: nobody is at a terminal to be asked; to go on all the same: "
                     "libreuse free --yes %u",
                     port, port);
        return STATUS_USAGE;
    }
    if (answer == ANSWER_NO) {
        output_text(TONE_PLAIN, "port %u: nothing removed\n", port);
        return STATUS_FOUND;
    }
    struct removed removed = {0};
    const int error = remove_all(findings, &removed);
    if (error != 0) {
        return say_refused(port, error);
    }
    if (request->json) {
        struct findings left;
        const bool is_known = find(&left, port);
        const bool is_left = is_known && left.time_wait + left.settling > 0;
        show_json(request, is_known ? &left : findings, removed.time_wait);
        sockets_free(&left.sockets);
        return is_left ? STATUS_FOUND : STATUS_FINE;
    }
    return say_removed(&removed, port);
}

int free_command(int argc, char **argv)
{
    enum { JSON = 1 };
    static const struct option options[] = {
        {"yes", no_argument, NULL, 'y'},     {"dry-run", no_argument, NULL, 'n'},
        {"json", no_argument, NULL, JSON},   {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'}, {0}};
    struct request request = {0};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "ynhV", options, NULL)) != -1;) {
        switch (option) {
        case 'y':
            request.yes = true;
            break;
        case 'n':
            request.dry_run = true;
            break;
        case JSON:
            request.json = true;
            break;
        default:
            return command_common_option(option, "free", help, argv[optind - 1]);
        }
    }
    if (argc - optind != 1) {
        output_error("free: expected one port");
        return command_usage("free");
    }
    if (!target_port(argv[optind], &request.port)) {
        return command_usage("free");
    }
    struct findings findings;
    const int status = find_settled(&findings, request.port) ? free_found(&findings, &request)
                                                             : say_no_list(&findings, request.port);
    sockets_free(&findings.sockets);
    return status;
}
