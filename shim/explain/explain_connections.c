/* EADDRINUSE because of connections: those that a process has open, and what the kernel keeps of
 * others. */
#include "explain.h"
#include "in_use.h"

#include "guest/config.h"
#include "guest/kernel.h"
#include "lookup/holders.h"

#include <netinet/in.h>
#include <stddef.h>

/* One holder is named; how many there are in all. */
static void write_rest(struct line *line, const struct holders *holders)
{
    if (holders->total > 1) {
        line_text(line, ", of ");
        explain_counts(line, holders);
    }
}

/* "libreuse ", to be run where the socket is. */
static void write_libreuse(struct line *line, const struct event *event)
{
    if (event->subject != NULL && event->subject->enter != NULL) {
        line_text(line, event->subject->enter);
    }
    line_text(line, "libreuse ");
}

/*
 * A program that connects gets a port of net.ipv4.ip_local_port_range, and connects to a server's,
 * which mostly is none of these. But a server may be given a port of the range, too, and a client
 * behind a NAT, or of a host with another range, come from any port. For what lies in the range on
 * both sides nothing speaks for the one or the other.
 */
enum origin { ORIGIN_ACCEPTED, ORIGIN_UNKNOWN, ORIGIN_LIKELY, ORIGIN_OUTGOING, ORIGIN_SELF };

static bool is_connected_to_itself(const struct holder *holder)
{
    const struct address *local = &holder->local;
    const struct address *peer = &holder->peer;
    return local->as.any.sa_family == peer->as.any.sa_family &&
           address_port(local) == address_port(peer) &&
           (local->as.any.sa_family == AF_INET
                ? local->as.in.sin_addr.s_addr == peer->as.in.sin_addr.s_addr
                : IN6_ARE_ADDR_EQUAL(&local->as.in6.sin6_addr, &peer->as.in6.sin6_addr));
}

static enum origin origin_of(const struct event *event)
{
    const struct holder *holder = &event->holders->named;
    const struct local_ports *range = &event->holders->local_ports;
    const unsigned int peer = address_port(&holder->peer);
    if (peer != 0 && is_connected_to_itself(holder)) {
        return ORIGIN_SELF;
    }
    if (holder->state == STATE_SYN_SENT) {
        return ORIGIN_OUTGOING;
    }
    if (!local_ports_have(range, address_port(event->address))) {
        return ORIGIN_ACCEPTED;
    }
    return peer != 0 && !local_ports_have(range, peer) ? ORIGIN_LIKELY : ORIGIN_UNKNOWN;
}

static void write_reservation(struct line *line, const struct event *event, const char *before)
{
    line_text(line, before);
    line_text(line, " the port out of net.ipv4.ip_local_port_range with "
                    "net.ipv4.ip_local_reserved_ports=");
    line_number(line, address_port(event->address));
}

/* What an accepted connection and an outgoing one look like from here is the same. */
void in_use_connection(struct line *line, const struct event *event)
{
    const struct holder *holder = &event->holders->named;
    const enum origin origin = origin_of(event);
    const bool in_range =
        local_ports_have(&event->holders->local_ports, address_port(event->address));
    static const char *const with[] = {
        [ORIGIN_ACCEPTED] = ", a connection with ",
        [ORIGIN_UNKNOWN] = ", a connection with ",
        [ORIGIN_LIKELY] = ", most likely an outgoing connection to ",
        [ORIGIN_OUTGOING] = ", an outgoing connection to ",
        [ORIGIN_SELF] = ", connected to itself, ",
    };
    line_text(line, "held by ");
    explain_owner(line, holder);
    line_text(line, with[origin]);
    address_write(line, &holder->peer);
    line_text(line, " in ");
    line_text(line, explain_state_name(holder->state));
    in_use_descriptor(line, holder);
    write_rest(line, event->holders);
    in_use_doubt(line, event->holders);
    if (holder->state == STATE_CLOSE_WAIT) {
        line_text(line, ": its peer has closed, and the program has not");
    }
    if (origin == ORIGIN_SELF) {
        line_text(line, ": it tried to connect to this port while nobody listened, and the kernel "
                        "gave it the same one; restart it");
    } else if (origin < ORIGIN_LIKELY && holder->owner.this_process) {
        line_text(line, "; it was accepted without SO_REUSEADDR, or made from this port: the port "
                        "is free when it is closed");
    } else if (origin < ORIGIN_LIKELY) {
        line_text(line,
                  in_range ? "; if an earlier run accepted it" : "; an earlier run accepted it");
        line_text(line, " without SO_REUSEADDR");
        line_text(line, in_range ? ", " : " (or a client has this source port): ");
        line_text(line, "the port is free when that process closes it");
        if (holder->owner.search == OWNER_FOUND) {
            line_text(line, "; or run: ");
            write_libreuse(line, event);
            line_text(line, "arm ");
            line_number(line, address_port(event->address));
        }
    }
    if (in_range) {
        write_reservation(line, event,
                          origin == ORIGIN_UNKNOWN ? "; if it is an outgoing one, keep" : "; keep");
    }
}

/*
 * How long bind() should wait: TIME_WAIT lasts 60 s, and the kernel's timers up to two more; what
 * is not yet in TIME_WAIT may take as long before.
 */
enum { WAIT_FOR_TIME_WAIT = 65, WAIT_FOR_REMAINS = 125 };

/* The command, and the service that it is for. */
static void write_for_service(struct line *line, const struct event *event, const char *command,
                              const char *without)
{
    const bool is_service = event->subject->is_service;
    line_text(line, "libreuse ");
    line_text(line, is_service ? command : without);
    if (is_service) {
        line_shell_word(line, event->subject->unit);
    }
}

/* How the restarts of a program that has no libreuse.so would work. */
static void write_ways_in(struct line *line, const struct event *event)
{
    const enum reach reach = event->subject->reach;
    line_text(line, reach == REACH_IMPOSSIBLE
                        ? "; so that its restarts work, although no preload reaches it: "
                        : "; so that its restarts work: ");
    if (reach != REACH_IMPOSSIBLE) {
        write_for_service(line, event, "enable ", "run");
    }
    if (reach == REACH_UNKNOWN) {
        line_text(line, ", or, where no preload reaches it: ");
    }
    if (reach != REACH_POSSIBLE) {
        write_for_service(line, event, "guard on ", "guard");
    }
}

/*
 * What is typed by a person who has asked with the command: the server may be one without
 * libreuse.so, which would not look at LIBREUSE_WAIT and would be back here after its next restart.
 */
static void write_ways_of_trial(struct line *line, const struct event *event, unsigned int seconds)
{
    const bool can_free = kernel_is_at_least(6, 0);
    line_text(line, "; run: ");
    if (can_free) {
        line_text(line, "libreuse free ");
        line_number(line, address_port(event->address));
        line_text(line, origin_of(event) >= ORIGIN_LIKELY ? "" : ", then start it by libreuse run");
        line_text(line, " (or: ");
    }
    line_text(line, "libreuse run --wait=");
    line_number(line, seconds);
    line_text(line, can_free ? " PROGRAM)" : " PROGRAM");
}

static void write_ways_of_host(struct line *line, const struct event *event, unsigned int seconds,
                               bool is_preloaded)
{
    const bool wait_longer = is_preloaded && config_wait() < seconds;
    if (wait_longer) {
        line_text(line, "; set LIBREUSE_WAIT=");
        line_number(line, seconds);
    }
    if (kernel_is_at_least(6, 0)) { /* older ones do not remove TIME_WAIT sockets */
        line_text(line, wait_longer ? ", or run: " : "; run: ");
        write_libreuse(line, event);
        line_text(line, "free ");
        line_number(line, address_port(event->address));
    }
}

/* The first start after deployment, and the three ways out. */
static void write_ways_out(struct line *line, const struct event *event)
{
    const struct holders *holders = event->holders;
    const unsigned int port = address_port(event->address);
    const bool all_time_wait = holders->total == holders->count[STATE_TIME_WAIT];
    const unsigned int seconds = all_time_wait ? WAIT_FOR_TIME_WAIT : WAIT_FOR_REMAINS;
    const bool is_preloaded = event->subject == NULL || event->subject->reach == REACH_IS_THERE;
    if (event->is_trial) {
        write_ways_of_trial(line, event, seconds);
    } else {
        write_ways_of_host(line, event, seconds, is_preloaded);
    }
    const enum origin origin = origin_of(event);
    if (origin >= ORIGIN_LIKELY) { /* no server to be armed */
        write_reservation(line, event, "; keep");
        return;
    }
    if (!is_preloaded) {
        write_ways_in(line, event);
    } else {
        line_text(line, "; next time, before such a server is stopped: ");
        write_libreuse(line, event);
        line_text(line, "arm ");
        line_number(line, port);
    }
    if (origin == ORIGIN_UNKNOWN) {
        write_reservation(line, event, "; if it was an outgoing one, keep");
    }
}

static void write_seconds(struct line *line, uint32_t milliseconds)
{
    line_number(line, (milliseconds + 999) / 1000);
    line_text(line, " s");
}

/* Sockets that only the kernel keeps: the remains of connections. */
void in_use_remains(struct line *line, const struct event *event)
{
    const struct holders *holders = event->holders;
    line_text(line, "held by ");
    explain_counts(line, holders);
    const bool tried = event->rescue == RESCUE_NO_USE || event->rescue == RESCUE_PROGRAMS_OWN;
    /* With the option on both sides, bind() would have passed. */
    const enum origin origin = origin_of(event);
    if (origin >= ORIGIN_LIKELY) {
        line_text(line, origin == ORIGIN_LIKELY ? ", most likely" : "");
        line_text(line, holders->total == 1 ? " of an outgoing connection to "
                                            : " of outgoing connections, one of them to ");
        address_write(line, &holders->named.peer);
    } else if (tried && holders->bound_seen) {
        line_text(line, " of a run without SO_REUSEADDR");
        line_text(line, origin == ORIGIN_UNKNOWN
                            ? ", or of an outgoing connection (both ports are of "
                              "net.ipv4.ip_local_port_range)"
                            : "");
    }
    if (holders->timed_ms > 0) {
        line_text(line, holders->total == 1 ? ", for " : ", the last for ");
        write_seconds(line, holders->timed_ms);
    }
    in_use_doubt(line, holders);
    if (event->rescue == RESCUE_NOT_TRIED) {
        line_text(line, "; the program asked without SO_REUSEADDR");
    }
    const bool waits_in_vain =
        event->kind == EVENT_WAITING && holders->timed_ms > event->milliseconds;
    if (waits_in_vain) {
        line_text(line, ", longer than it will wait");
    }
    if ((tried || event->rescue == RESCUE_NOT_TRIED) &&
        (waits_in_vain || event->kind == EVENT_BIND_FAILED)) {
        write_ways_out(line, event);
    }
}
