/*
 * LIBREUSE_WAIT: a bind() that was refused waits until the port can be had. Signal handlers run
 * meanwhile, and EINTR never comes out. Async-signal-safe, no cancellation point.
 */
#ifndef LIBREUSE_WAIT_H
#define LIBREUSE_WAIT_H

#include "guest/address.h"
#include "reuse.h"

#include <stdbool.h>

/* Whether waiting could help after this outcome: the port is TCP's, selected, and held.
 */
bool wait_is_wanted(enum rescue rescue);

/*
 * Tries again and again, at the latest when the time is up. True when the socket is bound; false
 * with `error` set to what bind() should say: EADDRINUSE, or what it came to say meanwhile.
 */
bool wait_for_port(int fd, const struct sockaddr *addr, socklen_t len, const struct address *asked,
                   enum rescue *rescue, int *error);

#endif
