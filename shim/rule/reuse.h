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

#include "explain/facts.h"

#include <stdbool.h>
#include <sys/socket.h>

/*
 * Calls the next bind() once more, in the port's turn, with the option on for the time of the call.
 * `port` is that of the address, 0 where it could not be read.
 */
enum rescue reuse_rescue(int fd, const struct sockaddr *addr, socklen_t len, unsigned int port);

/*
 * The same for a listen() that was refused with EADDRINUSE, as on a rescued socket it is: the
 * kernel looks at the port again. RESCUE_WORKED where it listens now; then it is armed.
 */
enum rescue reuse_listen(int fd, int backlog);

/* After a listen() that worked: two system calls. False where the socket is not, or not to be,
 * armed.
 */
bool reuse_arm(int fd);

#endif
