/*
 * From an error to words for a person: the errno's name, and a sentence that says no more than is
 * known. Everything here is async-signal-safe.
 */
#ifndef LIBREUSE_EXPLAIN_H
#define LIBREUSE_EXPLAIN_H

#include "line.h"
#include "reuse.h"

/* Appends the name of an errno: EADDRINUSE, or "errno 4711" for one that is not known. */
void explain_name(struct line *line, int error);

/* Appends why bind() failed. `rescue` and `port` count where the error is EADDRINUSE. */
void explain_bind(struct line *line, int error, enum rescue rescue, unsigned int port);

/* Appends why listen() failed. `port` is that of the socket, 0 where it has none. */
void explain_listen(struct line *line, int error, unsigned int port);

#endif
