/*
 * The next bind() and listen(): those that the program would have called without the shim, which
 * may be another shim's. Where the dynamic loader knows none, the system call.
 *
 * Both behave like the function they stand for, errno included, and are as safe as that one is.
 */
#ifndef LIBREUSE_NEXT_H
#define LIBREUSE_NEXT_H

#include <stdbool.h>
#include <sys/socket.h>

int next_bind(int fd, const struct sockaddr *addr, socklen_t len);
int next_listen(int fd, int backlog);

/*
 * Whether no other copy of the library comes before this one. LD_PRELOAD may name two, by two
 * paths: then the first does the work, and the others only pass calls on, or each failure would be
 * reported, and each port rescued, twice.
 */
bool next_is_first_copy(void);

/*
 * Looks both up, so that no later call has to. Call it when the library is loaded: dlsym(3) is not
 * safe in a signal handler. A call that comes even earlier looks up its own function.
 */
void next_resolve(void);

#endif
