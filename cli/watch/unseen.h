/*
 * Programs that run now and whose calls the tracepoints do not tell of: 32-bit programs on a 64-bit
 * kernel, and those that use io_uring(7), over which sockets can be bound since Linux 6.11.
 */
#ifndef LIBREUSE_UNSEEN_H
#define LIBREUSE_UNSEEN_H

/* Says which there are, where there are any, to standard error. */
void unseen_say(void);

#endif
