/*
 * The same from text: /proc/net/tcp, tcp6, udp and udp6 (proc(5)), for processes that may not use
 * netlink. Sockets that are bound only are not there in the case of TCP, and nothing says which
 * are IPV6_V6ONLY or on what device they are bound.
 *
 * Everything here is async-signal-safe. A list is what the calling thread's network namespace has.
 */
#ifndef LIBREUSE_PROC_NET_H
#define LIBREUSE_PROC_NET_H

#include "socket_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest line that is understood; longer ones are left out. */
enum { PROC_NET_LINE = 256 };

/* Understands one line of these files; any bytes will do. False where it is none. */
bool proc_net_parse_line(const char *line, size_t length, struct listed *socket);

/* Gives each line of a file of /proc/net to `take`, until kernel_milliseconds() is `deadline`. */
struct listing proc_net_lines(const char *file, int64_t deadline,
                              void (*take)(void *context, const char *line, size_t length),
                              void *context);

/* Gives each socket of the protocol, IPPROTO_TCP or IPPROTO_UDP, to `take`. */
struct listing proc_net_list(int protocol, bool ipv6_only, int64_t deadline,
                             void (*take)(void *context, const struct listed *socket),
                             void *context);

#endif
