/*
 * What explain_in_use.c and explain_connections.c write of EADDRINUSE for each other.
 * Async-signal-safe.
 */
#ifndef LIBREUSE_IN_USE_H
#define LIBREUSE_IN_USE_H

#include "event.h"
#include "guest/line.h"

/* " (fd 6)", where the owner was found, and is the only one. */
void in_use_descriptor(struct line *line, const struct holder *holder);

/* Where a socket that cannot be seen may hold the port as well. */
void in_use_doubt(struct line *line, const struct holders *holders);

/* The holder is a connection that a process has open. */
void in_use_connection(struct line *line, const struct event *event);

/* The holders are what only the kernel keeps. */
void in_use_remains(struct line *line, const struct event *event);

#endif
