/*
 * Binds that failed, by socket, until the socket is bound after all (recovered, moved) or
 * listens (swallowed). A socket is known by its identity (SO_COOKIE, or its inode on kernels
 * before 4.12), so that dup(), close() and reuse of a descriptor's number do not confuse it; after
 * fork() parent and child each remember for themselves.
 *
 * Everything here is async-signal-safe and lock-free. The table has FAILURES places; when all are
 * taken, a new failure takes the place of an old one.
 */
#ifndef LIBREUSE_FAILURES_H
#define LIBREUSE_FAILURES_H

#include "explain/facts.h"

#include <stdbool.h>
#include <stdint.h>

enum { FAILURES = 256 };

/* Whether any failure is remembered: one load. While none is, nothing needs to be looked up. */
bool failures_any(void);

/*
 * Remembers a failed bind(): the address that a socket was asked to have first, for as long as it
 * is not bound. Descriptors that are no sockets are not remembered.
 */
void failures_remember(int fd, const struct address *asked, int error);

/* Copies what is remembered of a socket. False where nothing is. */
bool failures_recall(int fd, struct failure *failure);

/* The same, and forgets it. */
bool failures_take(int fd, struct failure *failure);

#endif
