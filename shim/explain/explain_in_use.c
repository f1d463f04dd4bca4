/* EADDRINUSE: who holds the address, and what can be done about it. */
#include "explain.h"
#include "in_use.h"

#include "guest/kernel.h"
#include "lookup/holders.h"

#include <linux/capability.h>
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

/* nginx[811] */
static void write_process(struct line *line, const char *program, int pid)
{
    line_escaped(line, program, strlen(program));
    line_text(line, program[0] == '\0' ? "process [" : "[");
    line_number(line, (unsigned int)pid);
    line_text(line, "]");
}

/* " (/srv/app/manage.py)" */
static void write_script(struct line *line, const char *script)
{
    if (script[0] != '\0') {
        line_text(line, " (");
        line_escaped(line, script, strlen(script));
        line_text(line, ")");
    }
}

/* Those with a name of their own first: they are whom nobody thinks of. */
static void write_sharers(struct line *line, const struct owner *owner)
{
    unsigned int left = owner->sharers;
    for (unsigned int i = 0; i < owner->named_count; i++) {
        left--;
        line_text(line, left == 0 ? " and " : ", ");
        write_process(line, owner->named[i].program, owner->named[i].pid);
    }
    if (left > 0) {
        line_text(line, " and ");
        line_number(line, left);
        line_text(line, left == 1 ? " more process" : " more processes");
        line_text(line, owner->named_count == 0 ? " of that name" : "");
    }
}

/* ", perhaps nginx[811]"; ", perhaps nginx[811] or sshd[9]"; ", one of 120" */
static void write_unseen(struct line *line, const struct owner *owner)
{
    if (owner->unseen > owner->named_count) {
        line_text(line, ", one of ");
        line_number(line, owner->unseen);
        return;
    }
    for (unsigned int i = 0; i < owner->unseen; i++) {
        line_text(line, i == 0 ? ", perhaps " : " or ");
        write_process(line, owner->named[i].program, owner->named[i].pid);
    }
}

/* nginx[811]; python3[44] (server.py) and tail[45] */
void explain_owner(struct line *line, const struct holder *holder)
{
    static const char *const unknown[] = {
        [OWNER_NOT_SOUGHT] = "", /* never shown */
        [OWNER_FOUND] = "",
        [OWNER_NONE] = "no process any more",
        [OWNER_FORBIDDEN] = "a process that may not be looked into",
        [OWNER_HIDDEN] = "a socket of no process that can be seen from here",
        [OWNER_TIME_UP] = "a process that was not found in time",
        [OWNER_NO_PROC] = "a process that cannot be looked up, without /proc",
        [OWNER_REFUSED] = "a process that cannot be looked up here",
    };
    const struct owner *owner = &holder->owner;
    if (owner->search != OWNER_FOUND) {
        line_text(line, unknown[owner->search]);
        if (owner->search != OWNER_NONE) {
            line_text(line, " (uid ");
            line_number(line, holder->uid);
            if (owner->search == OWNER_REFUSED) {
                line_text(line, ", ");
                explain_name(line, owner->error);
            }
            if (owner->search == OWNER_FORBIDDEN) {
                write_unseen(line, owner);
            }
            line_text(line, ")");
        }
        return;
    }
    if (owner->this_process) {
        line_text(line, "this very process");
    } else {
        write_process(line, owner->program, owner->pid);
        write_script(line, owner->script);
    }
    write_sharers(line, owner);
}

void in_use_descriptor(struct line *line, const struct holder *holder)
{
    if (holder->owner.search == OWNER_FOUND && holder->owner.sharers == 0) {
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

/* The same the other way round. */
static bool is_covered_by_ipv6(const struct holder *holder, const struct address *asked)
{
    return asked->as.any.sa_family == AF_INET6 && holder->local.as.any.sa_family == AF_INET &&
           IN6_IS_ADDR_UNSPECIFIED(&asked->as.in6.sin6_addr);
}

/* Without netlink nothing tells whether IPV6_V6ONLY is set. */
static void write_cover(struct line *line, const struct event *event)
{
    line_text(line, event->holders->source == HOLDERS_BY_SOCK_DIAG
                        ? ", which takes IPv4, too, because IPV6_V6ONLY is not set on it"
                        : ", which takes IPv4, too, unless IPV6_V6ONLY is set on it");
}

/* How many sockets are in the way beside the one that is named: of TCP, connections do not count.
 */
static unsigned int count_others(const struct event *event)
{
    const struct holders *holders = event->holders;
    return event->rescue == RESCUE_NOT_TCP
               ? holders->total - 1
               : holders->count[STATE_LISTEN] + holders->count[STATE_BOUND] - 1;
}

/* Of a wildcard address more than one socket may be in the way, each to be stopped. */
static void write_others(struct line *line, const struct event *event)
{
    const unsigned int others = count_others(event);
    if (others > 0) {
        line_text(line, ", and by ");
        line_number(line, others);
        line_text(line, others == 1 ? " other socket" : " other sockets");
        line_text(line, " on this port");
    }
}

/* Who may look where this process may not: not root, if this is root. */
static const char *where_else_to_look(const struct owner *owner)
{
    if (owner->search != OWNER_FORBIDDEN || kernel_user() != 0) {
        return "as root, libreuse why names it; or ";
    }
    return kernel_has_capability(CAP_SYS_PTRACE)
               ? "a security module refuses the look, or it is in another user namespace: "
               : "with CAP_SYS_PTRACE, libreuse why names it; or ";
}

/* Pid 1 is not to be stopped: it is systemd, or the main program of a container. */
static void write_what_to_do_with(struct line *line, const struct event *event)
{
    const struct owner *owner = &event->holders->named.owner;
    static const char service_manager[] = "systemd";
    if (owner->search == OWNER_HIDDEN) {
        line_text(line, "; it is in another PID namespace, hidden by /proc's options, on its way "
                        "between two processes, in io_uring, or the kernel's own: move one of the "
                        "two to another port");
    } else if (owner->search != OWNER_FOUND) {
        const bool is_seen_elsewhere = owner->search == OWNER_FORBIDDEN ||
                                       owner->search == OWNER_TIME_UP ||
                                       owner->search == OWNER_REFUSED;
        line_text(line, "; ");
        line_text(line, is_seen_elsewhere ? where_else_to_look(owner) : "");
        line_text(line, "move one of the two to another port");
    } else if (strcmp(owner->program, service_manager) == 0) {
        line_text(line, "; systemd holds it for a socket unit: see systemctl list-sockets; stop "
                        "that .socket, or let its service take the socket that is passed to it");
    } else if (owner->pid == 1) {
        line_text(line, "; it is pid 1: move one of the two to another port");
    } else if (count_others(event) > 0) {
        line_text(line, "; stop all that have them");
        line_text(line, event->is_trial ? "" : " (libreuse why lists them)");
        line_text(line, ", or move this one to another port");
    } else if (owner->sharers > 0) {
        line_text(line, owner->sharers == 1
                            ? "; they share one socket: stop both, or move one of the two servers "
                              "to another port"
                            : "; they share one socket: stop all of them, or move one of the two "
                              "servers to another port");
    } else {
        line_text(line, "; stop that one, or move one of the two to another port");
    }
}

/* Both sockets need the option, and one user. */
static void write_sharing(struct line *line, const struct holders *holders)
{
    const struct holder *holder = &holders->named;
    if (!holders->asker_shares_port || holder->inode == 0) {
        return;
    }
    if (holder->uid == holders->asker_uid) {
        line_text(line, "; SO_REUSEPORT is set on this socket, and must be on that one, too");
        return;
    }
    line_text(line, "; SO_REUSEPORT is for sockets of one user: that one is uid ");
    line_number(line, holder->uid);
    line_text(line, "'s, this one uid ");
    line_number(line, holders->asker_uid);
    line_text(line, "'s");
}

static void write_what_to_do(struct line *line, const struct event *event)
{
    const struct holder *holder = &event->holders->named;
    const bool covers = covers_ipv4(holder, event->address);
    const bool is_covered = is_covered_by_ipv6(holder, event->address);
    if (covers) {
        write_cover(line, event);
    } else if (is_covered && !holder->owner.this_process && !event->is_trial) {
        line_text(line, ", and [::] takes IPv4, too, unless IPV6_V6ONLY is set");
    }
    write_sharing(line, event->holders);
    if (!holder->owner.this_process) {
        write_what_to_do_with(line, event);
    } else if (covers || is_covered) {
        line_text(line, "; set IPV6_V6ONLY before [::] is bound, or bind only one of the two");
    } else if (holder->owner.sharers > 0) {
        line_text(line, "; they share one socket: it is free when each of them has closed it");
    } else {
        line_text(line, "; close that socket first, or bind another address");
    }
}

/* Where only /proc can be read, a bound socket may be the real holder, or hold the port as well. */
void in_use_doubt(struct line *line, const struct holders *holders)
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
    address_write_on(line, &holder->local, holder->device);
    in_use_descriptor(line, holder);
    write_others(line, event);
    if (event->holders->unsure > 0) {
        in_use_doubt(line, event->holders);
    }
    write_what_to_do(line, event);
}

static void explain_bound(struct line *line, const struct event *event)
{
    const struct holder *holder = &event->holders->named;
    line_text(line, "held by ");
    explain_owner(line, holder);
    line_text(line, ", bound to ");
    address_write_on(line, &holder->local, holder->device);
    in_use_descriptor(line, holder);
    line_text(line, event->rescue != RESCUE_NOT_TCP ? " and not listening" : "");
    write_others(line, event);
    if (event->rescue != RESCUE_NOT_TCP && !holder->owner.this_process) {
        line_text(line, ": a server that is about to, a port that serves as a lock, or a client "
                        "with a fixed source port");
    }
    write_what_to_do(line, event);
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
        line_text(line, kernel_milliseconds() == 0
                            ? ", or it was not listed, because the clock is refused"
                            : ", or there was no time to list all");
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
    } else if (holders->source == HOLDERS_NO_PROTOCOL) {
        line_text(line, "getsockopt(2) of the socket's protocol says ");
        explain_name(line, holders->protocol_error);
        line_text(line, ", as a filter may");
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
        [FILE_LEFT_OVER] = "the file is a leftover: no socket is bound to it any more, and it can "
                           "be removed",
        [FILE_UNSURE] = "there is a socket's file already; whether a socket is bound to it may not "
                        "be found out from here",
        [FILE_SYMLINK] = "it is a symbolic link, which bind() does not follow: remove it, or bind "
                         "the path that it leads to",
        [FILE_FOLDER] = "it is a folder: choose the path of a file in it",
        [FILE_NO_SOCKET] = "there is a file already, and it is not a socket: choose another path",
        [FILE_UNREACHABLE] = "there was a file, which cannot be looked at or is gone by now",
    };
    const struct holders *holders = event->holders;
    if (!holders_have_name(holders)) {
        line_text(line, files[holders->file]);
        return;
    }
    line_text(line, "held by ");
    explain_owner(line, &holders->named);
    line_text(line,
              holders->named.state == STATE_LISTEN ? ", which listens on it" : ", bound to it");
    in_use_descriptor(line, &holders->named);
    if (holders->named.owner.this_process) {
        line_text(line, "; close that socket first, or choose another path");
    } else if (holders->named.owner.search == OWNER_FOUND) {
        line_text(line, "; stop it, or choose another path");
    }
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
        in_use_connection(line, event);
    } else {
        in_use_remains(line, event);
    }
}
