/*
 * Who holds a port, and since when it is known: the sockets that bind(2) of an address collides
 * with, by state, and the one of them that is worth naming. Asked over netlink (sock_diag(7)), or
 * else read from /proc/net.
 *
 * Async-signal-safe: no allocation, no lock, no descriptor that stays, no waiting. What they write
 * into is the caller's. A look-up changes errno. It needs about 3 KiB of stack.
 */
#ifndef LIBREUSE_HOLDERS_H
#define LIBREUSE_HOLDERS_H

#include "address.h"
#include "claim.h"
#include "listed.h"
#include "owner.h"

#include <stdbool.h>
#include <stdint.h>

/* What a socket asked for. */
struct holders_question {
    int protocol; /* IPPROTO_TCP or IPPROTO_UDP; 0: one that cannot be looked up */
    unsigned int port;
    struct claim claim;
    uint64_t except;    /* the inode of a socket that is left out: the asking one; 0: none */
    bool other_network; /* the socket is of another network namespace than the calling thread */
};

/*
 * The question of a socket that wants, or has, this address. An MPTCP socket asks for TCP: that is
 * what it consists of.
 */
void holders_ask(struct holders_question *question, int fd, const struct address *asked);

/* How the answer was found, or why there is none. */
enum holders_source {
    HOLDERS_BY_SOCK_DIAG,  /* all facts */
    HOLDERS_BY_PROC,       /* no devices, no V6ONLY, no bound TCP sockets */
    HOLDERS_NO_QUESTION,   /* no port, or a protocol other than TCP and UDP */
    HOLDERS_OTHER_NETWORK, /* the socket is of another network namespace */
    HOLDERS_REFUSED,       /* both, as `netlink_error` and `proc_error` say */
};

struct holder {
    enum state state;
    struct address local;
    struct address peer;   /* unknown where there is none */
    unsigned int device;   /* interface index, 0: every device, or DEVICE_UNKNOWN */
    bool timed;            /* the kernel removes it on its own... */
    uint32_t remaining_ms; /* ...after this time */
    uint64_t inode;        /* 0: no process has it open */
    uint32_t uid;          /* of its owner, where it has an inode */
    struct owner owner;    /* OWNER_NOT_SOUGHT until holders_find_owner() */
};

struct holders {
    enum holders_source source;
    int netlink_error; /* errno of netlink where it was refused: then /proc was tried */
    int proc_error;    /* errno of /proc/net where that was refused, too */
    bool complete;     /* false: data was lost, or the time was up; the counts are "at least" */
    bool bound_seen;   /* false: a TCP socket that is bound only may hold the port unseen */
    unsigned int total;
    unsigned int unsure; /* of these: counted, though V6ONLY or the device, unknown, may differ */
    unsigned int count[STATES];
    uint32_t time_wait_ms; /* until the last of STATE_TIME_WAIT is gone */
    struct holder named; /* where `total` is not 0: a listener before all others, see enum state */
    /* net.ipv4.ip_local_port_range, where `named` is a connection; 0 where that is not known */
    unsigned int first_local_port;
    unsigned int last_local_port;
};

/* Takes at most a quarter of a second. */
void holders_find(const struct holders_question *question, struct holders *holders);

/* Adds the owner of `named`. Takes at most 50 ms. */
void holders_find_owner(struct holders *holders);

#endif
