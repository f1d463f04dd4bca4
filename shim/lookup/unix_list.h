/*
 * The AF_UNIX sockets of a network namespace that have a name: over netlink (sock_diag(7),
 * UNIX_DIAG), or from /proc/net/unix where that is refused. Everything here is async-signal-safe.
 */
#ifndef LIBREUSE_UNIX_LIST_H
#define LIBREUSE_UNIX_LIST_H

#include "socket_state.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

struct unix_listed {
    enum state state; /* listening, bound, or established: connected, accepted */
    int type;         /* SOCK_STREAM, SOCK_DGRAM, ... */
    uint64_t inode;   /* of the socket */
    uint32_t uid;     /* of its owner; 0 where the kernel does not tell: before 5.3, and in /proc */
    bool has_file;    /* whether the file that it made is told: in netlink only */
    uint32_t file_inode;  /* the lower half of it */
    uint32_t file_device; /* as the kernel's own dev_t: 12 bits major, 20 bits minor */
    size_t name_length;
    char name[sizeof((struct sockaddr_un *)0)->sun_path]; /* begins with a zero byte, or with @ in
                                                             /proc, where it is no path */
};

/* Understand one socket of netlink's list, or one line of /proc/net/unix; any bytes will do. */
bool unix_diag_parse(const void *payload, size_t length, struct unix_listed *socket);
bool unix_line_parse(const char *line, size_t length, struct unix_listed *socket);

/* Give each socket that has a name to `take`, until kernel_milliseconds() is `deadline`. */
struct listing unix_list_by_netlink(int64_t deadline,
                                    void (*take)(void *context, const struct unix_listed *socket),
                                    void *context);
struct listing unix_list_by_proc(int64_t deadline,
                                 void (*take)(void *context, const struct unix_listed *socket),
                                 void *context);

#endif
