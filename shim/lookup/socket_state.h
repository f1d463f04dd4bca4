/*
 * One TCP or UDP socket as the kernel lists it, over netlink (inet_diag.h) or in /proc/net
 * (proc_net.h), and how such a list ended.
 */
#ifndef LIBREUSE_SOCKET_STATE_H
#define LIBREUSE_SOCKET_STATE_H

#include "claim.h"
#include "guest/address.h"
#include "guest/kernel_sockets.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What a socket is doing on its port: the first of these is what most tells a person who holds the
 * port. UDP sockets are bound or, after connect(2), established.
 *
 * The kernel removes the incomplete connections of SYN_RECV together with their listener, and they
 * do not keep anybody from the port; so they come last.
 */
enum state {
    STATE_LISTEN,
    STATE_BOUND, /* and neither listening nor connected */
    STATE_ESTABLISHED,
    STATE_CLOSE_WAIT,
    STATE_SYN_SENT,
    STATE_FIN_WAIT1,
    STATE_FIN_WAIT2,
    STATE_CLOSING,
    STATE_LAST_ACK,
    STATE_TIME_WAIT,
    STATE_SYN_RECV,
    STATES /* how many there are; as a state: one that the shim does not know */
};

/* The state for the kernel's number, include/net/tcp_states.h. */
enum state state_from_kernel(unsigned int number);

struct listed {
    enum state state;
    int family;         /* AF_INET or AF_INET6 */
    struct claim claim; /* of the local side */
    struct in6_addr peer;
    uint16_t port; /* ports are in host byte order; a peer's is 0 where there is none */
    uint16_t peer_port;
    bool timed; /* the rest of a connection, which the kernel will remove on its own... */
    uint32_t remaining_ms; /* ...after this time */
    uint32_t uid;          /* of the socket's owner; 0, too, where no process has it any more */
    uint64_t inode;        /* 0 where no process has it: the kernel alone keeps it */
};

/* One side of a socket as an address: the IP of its claim or its peer, and the port that goes with
 * it. */
void listed_address(struct address *address, const struct listed *socket, const struct in6_addr *ip,
                    uint16_t port);

/*
 * The network device that a socket is bound to: its name, its index where the name cannot be had,
 * "" where the socket is of every device or nobody tells.
 */
enum { DEVICE_SIZE = KERNEL_DEVICE_SIZE };
void listed_device(char name[DEVICE_SIZE], unsigned int index);

/* How a list ended. */
struct listing {
    int error;     /* 0, or the errno with which the kernel refused to give any */
    bool complete; /* false where the time was up, or data was lost: there may be more */
};

#endif
