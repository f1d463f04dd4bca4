/*
 * The TCP or UDP sockets on a port, over netlink. MPTCP sockets are there as the TCP sockets that
 * they consist of. Everything here is async-signal-safe.
 */
#ifndef LIBREUSE_INET_DIAG_H
#define LIBREUSE_INET_DIAG_H

#include "socket_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Understands one socket of a list; any bytes will do. False where it is none. */
bool inet_diag_parse(const void *payload, size_t length, struct listed *socket);

/* Which sockets to list. */
struct inet_list {
    int protocol;      /* IPPROTO_TCP or IPPROTO_UDP */
    unsigned int port; /* the local one, 0: all; bound TCP sockets are listed whatever it is */
    uint32_t states;   /* bits by the kernel's numbers, include/net/tcp_states.h */
    bool ipv6_only;    /* leave out the sockets of AF_INET */
    int64_t deadline;  /* when to stop: kernel_milliseconds() */
};

/*
 * Every state there is. TCP_BOUND_INACTIVE (13) is a bit that a kernel before 6.8 does not look at;
 * the list of these sockets is not filtered by port.
 */
#define INET_DIAG_ALL_STATES ((1U << 14) - 1)

/* Gives each to `take`, as a payload for inet_diag_parse(). */
struct listing inet_diag_list(const struct inet_list *list,
                              void (*take)(void *context, const void *payload, size_t length),
                              void *context);

#endif
