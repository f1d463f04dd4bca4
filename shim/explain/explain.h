/*
 * From the facts of an event to the sentence for a person: what happened, why, and what to do next.
 * It says no more than is known; where two causes fit, it says both. Async-signal-safe; errno is
 * left changed.
 */
#ifndef LIBREUSE_EXPLAIN_H
#define LIBREUSE_EXPLAIN_H

#include "event.h"
#include "guest/line.h"
#include "lookup/holders.h"

/* Appends the sentence of an event. */
void explain_event(struct line *line, const struct event *event);

/* Appends the settings in force: LIBREUSE_LOG=auto LIBREUSE_FORMAT=text ..., all ports. */
void explain_settings(struct line *line);

/* Appends the name of an errno: EADDRINUSE, or "errno 4711" for one that is not known. */
void explain_name(struct line *line, int error);

/* EADDRINUSE: who holds the address, and what to do. Needs the holders. */
void explain_holders(struct line *line, const struct event *event);

/* Any other error of bind() and listen(). */
void explain_refused(struct line *line, const struct event *event);

/* Appends the sockets by state: 1 TIME_WAIT socket; 2 ESTABLISHED and 3 TIME_WAIT sockets. */
void explain_counts(struct line *line, const struct holders *holders);

/* Appends the owner of a socket, nginx[811], or why that is not known. */
void explain_owner(struct line *line, const struct holder *holder);

/* The name of a state: TIME_WAIT. */
const char *explain_state_name(enum state state);

#endif
