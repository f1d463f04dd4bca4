/*
 * How many reports a process may make: a burst of 20, then one a second, of AF_UNIX and of all else
 * apart. A token bucket, in the form of the time at which it would be full again. What says
 * something new passes all the same: `swallowed`, and the first report of its kind of an address,
 * of so many addresses that a program which tries every port cannot fill a log with them.
 *
 * Async-signal-safe and lock-free.
 */
#ifndef LIBREUSE_LIMIT_H
#define LIBREUSE_LIMIT_H

#include "explain/event.h"

#include <stdbool.h>

enum { LIMIT_BURST = 20, LIMIT_MILLISECONDS_EACH = 1000, LIMIT_ADDRESSES = 64 };

/*
 * Whether the event may be reported now; always where the clock is refused. One that may learns how
 * many were left out before it, and whether it ends the burst; one that may not is counted as left
 * out. The event's kind, error and address must be set.
 */
bool limit_admits(struct event *event);

#endif
