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
    unsigned int port; /* the local one; bound TCP sockets are listed whatever their port */
    bool ipv6_only;    /* leave out the sockets of AF_INET */
    int64_t deadline;  /* when to stop: kernel_milliseconds() */
};

/* Gives each to `take`. TCP sockets that are bound only: from Linux 6.8 on, unasked before. */
struct listing inet_diag_list(const struct inet_list *list,
                              void (*take)(void *context, const struct listed *socket),
                              void *context);

#endif
