/*
 * The socket option: which sockets it may be used on, the rescue of a refused bind() and the arming
 * of a listener. The kernel's rule (socket(7), inet_bind_conflict()): a TCP port that others hold
 * may be bound if both sides carry SO_REUSEADDR and none of the others listens; accepted
 * connections and their TIME_WAIT remains inherit the flag from the listener.
 *
 * Everything here is async-signal-safe. errno is left changed.
 */
#ifndef LIBREUSE_REUSE_H
#define LIBREUSE_REUSE_H

#include <stdbool.h>
#include <sys/socket.h>

/* What became of a bind() that was refused with EADDRINUSE. */
enum rescue {
    RESCUE_WORKED,       /* bound, with SO_REUSEADDR on for the time of the call */
    RESCUE_NO_USE,       /* refused with SO_REUSEADDR, too */
    RESCUE_NOT_SET,      /* SO_REUSEADDR could not be set, because a filter refuses it */
    RESCUE_PROGRAMS_OWN, /* the program itself had set SO_REUSEADDR: left alone */
    RESCUE_NOT_TCP,      /* left alone */
    RESCUE_ANY_PORT,     /* port 0, for which no predecessor can be in the way: left alone */
    RESCUE_LEFT_OUT,     /* not one of LIBREUSE_PORTS */
    RESCUE_DRY_RUN,      /* LIBREUSE_DRY_RUN */
    RESCUE_FREE,         /* a later try was not refused at all */
};

/* `port` is that of the address, 0 where it could not be read. */
enum rescue reuse_rescue(int fd, const struct sockaddr *addr, socklen_t len, unsigned int port);

/* What was done to a socket that is about to listen. */
enum arming {
    ARMING_NONE,   /* not TCP, cannot listen in its state, armed already, or not to be armed */
    ARMING_DONE,   /* SO_REUSEADDR is on */
    ARMING_UNSURE, /* the same, but listen() may well fail: then it goes to reuse_disarm() */
};

/*
 * Two system calls on a socket that is fresh or bound. A socket that has been connected costs one
 * more, because its listen() is likely to fail, and should then change nothing. (A fresh socket's
 * listen() may fail, too, if rarely: docs/design.md says why its option then stays on.)
 */
enum arming reuse_arm(int fd);

/* Switches SO_REUSEADDR off again, after a listen() that failed. */
void reuse_disarm(int fd);

#endif
