/*
 * What the maps of a guard hold: written by its programs in the kernel, read and noted by the
 * command.
 */
#ifndef LIBREUSE_GUARD_MAPS_H
#define LIBREUSE_GUARD_MAPS_H

#include <stdint.h>

/* A key of GUARD_PORTS. A port is noted for all its addresses: a restart may change them. */
struct guard_port {
    uint64_t network; /* the cookie of the network namespace, SO_NETNS_COOKIE */
    uint32_t port;
    uint32_t zero;
};

/* A value of GUARD_PORTS: somebody has listened there. */
struct guard_noted {
    uint64_t ipv4_turn; /* the cookie of the socket that has the turn; 0 */
    uint64_t ipv6_turn;
};

/* The only value of GUARD_COUNTS, with the key 0. */
struct guard_counts {
    uint64_t since;     /* seconds since 1970, written when it is made */
    uint64_t armed;     /* listeners that the programs have armed */
    uint64_t restarted; /* those of them whose bind they had helped */
};

#endif
