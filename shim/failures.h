/*
 * Binds that failed, by socket, until the socket is bound after all (recovered) or listens
 * (swallowed). A socket is known by its identity (SO_COOKIE, or its inode on kernels before 4.12),
 * so that dup(), close() and reuse of a descriptor's number do not confuse it; after fork() parent
 * and child each remember for themselves.
 *
 * Everything here is async-signal-safe and lock-free. The table has FAILURES places; when all are
 * taken, a new failure takes the place of an old one.
 */
#ifndef LIBREUSE_FAILURES_H
#define LIBREUSE_FAILURES_H

#include "address.h"

#include <stdbool.h>
#include <stdint.h>

enum { FAILURES = 256 };

struct failure {
    struct address asked; /* of the last failed bind() */
    int error;            /* its errno */
    unsigned int tries;   /* failed binds of this socket so far */
    int64_t since;        /* when the first one failed: kernel_milliseconds() */
};

/* Whether any failure is remembered: one load. While none is, nothing needs to be looked up. */
bool failures_any(void);

/* Remembers a failed bind(). Descriptors that are no sockets are not remembered. */
void failures_remember(int fd, const struct address *asked, int error);

/* Copies what is remembered of a socket. False where nothing is. */
bool failures_recall(int fd, struct failure *failure);

/* The same, and forgets it. */
bool failures_take(int fd, struct failure *failure);

#endif
