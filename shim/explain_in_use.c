/* EADDRINUSE: who holds the address, and what can be done about it. */
#include "explain.h"

#include "holders.h"
#include "kernel.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

static const char *const state_names[STATES] = {
    [STATE_LISTEN] = "LISTEN",           [STATE_BOUND] = "bound",
    [STATE_ESTABLISHED] = "ESTABLISHED", [STATE_CLOSE_WAIT] = "CLOSE_WAIT",
    [STATE_SYN_SENT] = "SYN_SENT",       [STATE_FIN_WAIT1] = "FIN_WAIT1",
    [STATE_FIN_WAIT2] = "FIN_WAIT2",     [STATE_CLOSING] = "CLOSING",
    [STATE_LAST_ACK] = "LAST_ACK",       [STATE_TIME_WAIT] = "TIME_WAIT",
    [STATE_SYN_RECV] = "SYN_RECV",
};

const char *explain_state_name(enum state state)
{
    return state_names[state];
}

/* 1 TIME_WAIT socket; 2 ESTABLISHED and 3 TIME_WAIT sockets */
void explain_counts(struct line *line, const struct holders *holders)
{
    unsigned int left = holders->total;
    if (!holders->complete) {
        line_text(line, "at least ");
    }
    for (unsigned int state = 0; state < STATES; state++) {
        if (holders->count[state] > 0) {
            left -= holders->count[state];
            line_number(line, holders->count[state]);
            line_text(line, " ");
            line_text(line, state_names[state]);
            line_text(line, left == 0 ? "" : " and ");
        }
    }
    line_text(line, holders->total == 1 ? " socket" : " sockets");
}

static void write_seconds(struct line *line, uint32_t milliseconds)
{
    line_number(line, (milliseconds + 999) / 1000);
    line_text(line, " s");
}

/* nginx[811] */
void explain_owner(struct line *line, const struct holder *holder)
{
    static const char *const unknown[] = {
        [OWNER_NOT_SOUGHT] = "", /* never shown */
        [OWNER_FOUND] = "",
        [OWNER_NONE] = "no process any more",
        [OWNER_FORBIDDEN] = "a process that may not be looked into",
        [OWNER_HIDDEN] = "a process that cannot be seen from here, or is gone by now",
        [OWNER_TIME_UP] = "a process that was not found in time",
        [OWNER_NO_PROC] = "a process that cannot be looked up, without /proc",
    };
    const struct owner *owner = &holder->owner;
    if (owner->search != OWNER_FOUND) {
        line_text(line, unknown[owner->search]);
        if (owner->search != OWNER_NONE) {
            line_text(line, " (uid ");
            line_number(line, holder->uid);
            line_text(line, ")");
        }
        return;
    }
    if (owner->this_process) {
        line_text(line, "this very process");
        return;
    }
    line_escaped(line, owner->program, strlen(owner->program));
    line_text(line, "[");
    line_number(line, (unsigned int)owner->pid);
    line_text(line, "]");
}

static void write_fd(struct line *line, const struct holder *holder)
{
    if (holder->owner.search == OWNER_FOUND) {
        line_text(line, " (fd ");
        line_number(line, (unsigned int)holder->owner.fd);
        line_text(line, ")");
    }
}

/* An IPv6 socket that stands in the way of an IPv4 address. */
static bool covers_ipv4(const struct holder *holder, const struct address *asked)
{
    return asked->as.any.sa_family == AF_INET && holder->local.as.any.sa_family == AF_INET6 &&
           IN6_IS_ADDR_UNSPECIFIED(&holder->local.as.in6.sin6_addr);
}

/* Without netlink nothing tells whether IPV6_V6ONLY is set. */
static void write_cover(struct line *line, const struct event *event)
{
    line_text(line, event->holders->source == HOLDERS_BY_SOCK_DIAG
                        ? ", which takes IPv4, too, because IPV6_V6ONLY is not set on it"
                        : ", which takes IPv4, too, unless IPV6_V6ONLY is set on it");
    line_text(line, "; bind only one of the two, or set that option before [::] is bound");
}

static void write_what_to_do(struct line *line, const struct event *event)
{
    const struct holder *holder = &event->holders->named;
    if (covers_ipv4(holder, event->address)) {
        write_cover(line, event);
    } else if (holder->owner.this_process) {
        line_text(line, "; close that socket first, or bind another address");
    } else {
        line_text(line, "; stop that one, or move one of the two to another port");
    }
}

/* Where only /proc can be read, a bound socket may be the real holder, or hold the port as well. */
static void write_doubt(struct line *line, const struct holders *holders)
{
    if (!holders->bound_seen) {
        line_text(line, " (or by a socket that is bound and does not listen, which cannot be seen "
                        "here)");
    }
}

static void explain_listener(struct line *line, const struct event *event)
{
    const struct holder *holder = &event->holders->named;
    line_text(line, "held by ");
    explain_owner(line, holder);
    line_text(line, " listening on ");
    address_write(line, &holder->local);
    write_fd(line, holder);
    if (event->holders->unsure > 0) {
        write_doubt(line, event->holders);
    }
    write_what_to_do(line, event);
}

static void explain_bound(struct line *line, const struct event *event)
{
    const struct holder *holder = &event->holders->named;
    line_text(line, "held by ");
    explain_owner(line, holder);
    line_text(line, ", bound to ");
    address_write(line, &holder->local);
    write_fd(line, holder);
    if (event->rescue != RESCUE_NOT_TCP) {
        line_text(line, " and not listening");
        if (!holder->owner.this_process) {
            line_text(line, ": a server that is about to, a port that serves as a lock, or a "
                            "client with a fixed source port");
        }
    }
    write_what_to_do(line, event);
}

/* One holder is named; how many there are in all. */
static void write_rest(struct line *line, const struct holders *holders)
{
    if (holders->total > 1) {
        line_text(line, ", of ");
        explain_counts(line, holders);
    }
}

/* What an accepted connection and an outgoing one look like from here is the same. */
static void explain_connection(struct line *line, const struct event *event)
{
    const struct holder *holder = &event->holders->named;
    const unsigned int port = address_port(event->address);
    const bool outgoing = holder->state == STATE_SYN_SENT;
    const bool in_range = local_ports_have(&event->holders->local_ports, port);
    line_text(line, "held by ");
    explain_owner(line, holder);
    line_text(line, outgoing ? ", an outgoing connection to " : ", a connection with ");
    address_write(line, &holder->peer);
    line_text(line, " in ");
    line_text(line, state_names[holder->state]);
    write_fd(line, holder);
    write_rest(line, event->holders);
    write_doubt(line, event->holders);
    if (!outgoing) {
        line_text(line,
                  in_range ? "; if an earlier run accepted it" : "; an earlier run accepted it");
        line_text(line, " without SO_REUSEADDR");
        line_text(line, in_range ? ", " : " (or a client has this source port): ");
        line_text(line, "the port is free when that process closes it");
        if (holder->owner.search == OWNER_FOUND && !holder->owner.this_process) {
            line_text(line, "; or run: libreuse arm ");
            line_number(line, port);
        }
    }
    if (in_range) {
        line_text(line, outgoing ? "; keep" : "; if it is an outgoing one, keep");
        line_text(line, " the port out of net.ipv4.ip_local_port_range with "
                        "net.ipv4.ip_local_reserved_ports=");
        line_number(line, port);
    }
}

/*
 * How long bind() should wait: TIME_WAIT lasts 60 s, and the kernel's timers up to two more; what
 * is not yet in TIME_WAIT may take as long before.
 */
enum { WAIT_FOR_TIME_WAIT = 65, WAIT_FOR_REMAINS = 125 };

/* The first start after deployment, and the three ways out. */
static void write_ways_out(struct line *line, const struct event *event)
{
    const struct holders *holders = event->holders;
    const unsigned int port = address_port(event->address);
    const bool all_time_wait = holders->total == holders->count[STATE_TIME_WAIT];
    const unsigned int seconds = all_time_wait ? WAIT_FOR_TIME_WAIT : WAIT_FOR_REMAINS;
    const bool wait_longer = config_wait() < seconds;
    if (wait_longer) {
        line_text(line, "; set LIBREUSE_WAIT=");
        line_number(line, seconds);
    }
    if (kernel_is_at_least(6, 0)) { /* older ones do not remove TIME_WAIT sockets */
        line_text(line, wait_longer ? ", or run: libreuse free " : "; run: libreuse free ");
        line_number(line, port);
    }
    line_text(line, "; next time, before such a server is stopped: libreuse arm ");
    line_number(line, port);
}

/* Sockets that only the kernel keeps: the remains of connections. */
static void explain_remains(struct line *line, const struct event *event)
{
    const struct holders *holders = event->holders;
    line_text(line, "held by ");
    explain_counts(line, holders);
    const bool tried = event->rescue == RESCUE_NO_USE || event->rescue == RESCUE_PROGRAMS_OWN;
    /* With the option on both sides, bind() would have passed. */
    if (tried && holders->bound_seen) {
        line_text(line, " of a run without SO_REUSEADDR");
    }
    if (holders->timed_ms > 0) {
        line_text(line, holders->total == 1 ? ", for " : ", the last for ");
        write_seconds(line, holders->timed_ms);
    }
    write_doubt(line, holders);
    if (tried && event->kind == EVENT_BIND_FAILED) {
        write_ways_out(line, event);
    }
}

static void explain_not_seen(struct line *line, const struct event *event)
{
    const struct holders *holders = event->holders;
    line_text(line, "no holder can be seen: it is gone by now");
    if (!holders->bound_seen) {
        line_text(line, ", or it is bound and does not listen, which this kernel or /proc does not "
                        "show");
    }
    if (!holders->complete) {
        line_text(line, ", or there was no time to list all");
    }
}

static void explain_no_look_up(struct line *line, const struct event *event)
{
    const struct holders *holders = event->holders;
    line_text(line, "another socket holds the address; which one could not be looked up: ");
    if (holders->source == HOLDERS_REFUSED) {
        line_text(line, "netlink says ");
        explain_name(line, holders->netlink_error);
        line_text(line, ", /proc/net says ");
        explain_name(line, holders->proc_error);
    } else if (holders->source == HOLDERS_OTHER_NETWORK) {
        line_text(line, "the socket is of another network namespace");
    } else {
        line_text(line, "only TCP, UDP and AF_UNIX can be");
    }
}

/* AF_UNIX: a path, or a name in the abstract space. */
static void explain_unix(struct line *line, const struct event *event)
{
    static const char *const files[] = {
        [FILE_NOT_ASKED] = "a socket that cannot be seen has this name",
        [FILE_IN_USE] = "a socket is bound to this file, in another network namespace or unseen",
        [FILE_LEFT_OVER] = "the file is a leftover of a process that has ended: no socket is bound "
                           "to it, and it can be removed",
        [FILE_UNSURE] = "there is a socket's file already; whether a socket is bound to it may not "
                        "be found out from here",
        [FILE_NO_SOCKET] = "there is a file already, and it is not a socket: choose another path",
        [FILE_UNREACHABLE] = "there was a file, which cannot be looked at or is gone by now",
    };
    const struct holders *holders = event->holders;
    if (holders->total == 0 || holders->file == FILE_LEFT_OVER) {
        line_text(line, files[holders->file]);
        return;
    }
    line_text(line, "held by ");
    explain_owner(line, &holders->named);
    line_text(line,
              holders->named.state == STATE_LISTEN ? ", which listens on it" : ", bound to it");
    write_fd(line, &holders->named);
}

void explain_holders(struct line *line, const struct event *event)
{
    const struct holders *holders = event->holders;
    if (event->address->as.any.sa_family == AF_UNIX && holders->source != HOLDERS_OTHER_NETWORK) {
        explain_unix(line, event);
        return;
    }
    if (holders->source != HOLDERS_BY_SOCK_DIAG && holders->source != HOLDERS_BY_PROC) {
        explain_no_look_up(line, event);
    } else if (holders->total == 0) {
        explain_not_seen(line, event);
    } else if (holders->named.state == STATE_LISTEN) {
        explain_listener(line, event);
    } else if (holders->named.state == STATE_BOUND || event->rescue == RESCUE_NOT_TCP) {
        explain_bound(line, event);
    } else if (holders->named.inode != 0) {
        explain_connection(line, event);
    } else {
        explain_remains(line, event);
    }
}
