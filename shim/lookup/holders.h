/*
 * Who holds an address: the sockets that bind(2) of a port, or of an AF_UNIX name, collides with,
 * by state, and the one of them that is worth naming. Asked over netlink (sock_diag(7)), or else
 * read from /proc/net.
 *
 * Async-signal-safe: no allocation, no lock, no descriptor that stays, no waiting; the results are
 * the caller's memory. errno is left changed. A look-up needs about 2.5 KiB of stack.
 */
#ifndef LIBREUSE_HOLDERS_H
#define LIBREUSE_HOLDERS_H

#include "claim.h"
#include "guest/address.h"
#include "local_ports.h"
#include "owner.h"
#include "socket_state.h"

#include <stdbool.h>
#include <stdint.h>

/* What a socket asked for. */
struct holders_question {
    int protocol; /* IPPROTO_TCP or IPPROTO_UDP; 0: the name of an AF_UNIX socket, or nothing */
    unsigned int port;
    struct claim claim;
    const struct address *name; /* of AF_UNIX, the asker's; otherwise null */
    int type;                   /* of an AF_UNIX socket, SOCK_...; 0: any */
    uint64_t except;            /* the inode of a socket that is left out: the asker; 0: none */
    int protocol_error; /* errno with which the kernel, or a filter, refuses to tell the protocol */
    bool other_network; /* the socket is of another network namespace than the calling thread */
    bool shares_port;   /* SO_REUSEPORT is on */
    uint32_t uid;       /* of the socket's owner */
};

/*
 * The question of a socket that wants, or has, this address, which must last as long as the
 * question. An MPTCP socket asks for TCP: that is what it consists of.
 */
void holders_ask(struct holders_question *question, int fd, const struct address *asked);

/* How the answer was found, or why there is none. */
enum holders_source {
    HOLDERS_BY_SOCK_DIAG,  /* all facts */
    HOLDERS_BY_PROC,       /* no devices, no V6ONLY, no bound TCP sockets */
    HOLDERS_NO_QUESTION,   /* no port, no name, or a protocol other than TCP and UDP */
    HOLDERS_NO_PROTOCOL,   /* the protocol was refused, as `protocol_error` says */
    HOLDERS_OTHER_NETWORK, /* the socket is of another network namespace */
    HOLDERS_REFUSED,       /* both, as `netlink_error` and `proc_error` say */
};

/* What there is at the path that an AF_UNIX socket asked for. */
enum holders_file {
    FILE_NOT_ASKED,   /* not AF_UNIX, or a name in the abstract space */
    FILE_IN_USE,      /* a socket's file, and a socket is bound to it, in whichever namespace */
    FILE_LEFT_OVER,   /* a socket's file, and the socket is gone: it can be removed */
    FILE_UNSURE,      /* a socket's file that may not be tried */
    FILE_SYMLINK,     /* a symbolic link, to whatever */
    FILE_FOLDER,      /* a directory */
    FILE_NO_SOCKET,   /* something else */
    FILE_UNREACHABLE, /* it cannot be looked at, or is gone by now */
};

struct holder {
    enum state state;
    struct address local;
    struct address peer;      /* unknown where there is none */
    char device[DEVICE_SIZE]; /* that it is bound to; "" for every device, or if nobody tells */
    bool timed;               /* the kernel removes it on its own... */
    uint32_t remaining_ms;    /* ...after this time */
    uint64_t inode;           /* 0: no process has it open */
    uint32_t uid;       /* of its owner, where it has an inode; 0, too, where that is not told */
    struct owner owner; /* OWNER_NOT_SOUGHT until holders_find_owner() */
};

struct holders {
    enum holders_source source;
    int netlink_error; /* errno of netlink where it was refused: then /proc was tried */
    int protocol_error;
    int proc_error;  /* errno of /proc/net where that was refused, too */
    bool complete;   /* false: data was lost, or the time was up; the counts are "at least" */
    bool bound_seen; /* false: a TCP socket that is bound only may hold the port unseen */
    enum holders_file file;
    unsigned int total;
    unsigned int unsure; /* of these: counted, though what is not known of them may clear them */
    unsigned int count[STATES];
    uint32_t time_wait_ms; /* until the last of STATE_TIME_WAIT is gone */
    uint32_t timed_ms;     /* until the last of all that are timed is gone */
    struct holder named; /* where `total` is not 0: a listener before all others, see enum state */
    struct local_ports local_ports; /* where `named` is a connection */
    bool asker_shares_port;         /* of the question: SO_REUSEPORT is on, ... */
    uint32_t asker_uid;             /* ...which counts among sockets of one user */
};

/* Whether `named` is in the way, and not what is at the path of an AF_UNIX socket. */
static inline bool holders_have_name(const struct holders *holders)
{
    return holders->total > 0 &&
           (holders->file == FILE_NOT_ASKED || holders->file == FILE_IN_USE ||
            holders->file == FILE_UNSURE || holders->file == FILE_UNREACHABLE);
}

/*
 * Asks for at most a quarter of a second, then what is known is the answer. The time is looked at
 * between two system calls: of these, one walks the kernel's whole table of connections.
 */
void holders_find(const struct holders_question *question, struct holders *holders);

/* The same of TCP or UDP in a list that has been made already, and how that went. */
struct holders_list {
    size_t count;
    const struct listed *(*at)(const void *context, size_t number);
    const void *context;
    bool complete;
    int netlink_error; /* why netlink did not list them: then /proc/net was read */
    int proc_error;
};
void holders_find_in(const struct holders_list *list, const struct holders_question *question,
                     struct holders *holders);

/*
 * Adds the owner of `named`; and the processes that share the socket with the calling one, where
 * that is the owner. Each looks for at most a quarter of a second.
 */
void holders_find_owner(struct holders *holders);
void holders_find_sharers(struct holders *holders);

#endif
