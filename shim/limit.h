/*
 * How many reports a process may make: a burst of 20, then one a second. A token bucket, in the
 * form of the time at which it would be full again. Async-signal-safe and lock-free.
 */
#ifndef LIBREUSE_LIMIT_H
#define LIBREUSE_LIMIT_H

#include <stdbool.h>

enum { LIMIT_BURST = 20, LIMIT_MILLISECONDS_EACH = 1000 };

/* Whether one more report may be made now. One that may not is counted as left out. */
bool limit_admits(void);

/* How many were left out since this was asked last. */
unsigned int limit_take_left_out(void);

#endif
