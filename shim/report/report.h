/*
 * An event becomes a record, text or JSON, if LIBREUSE_LEVEL and the limit let it pass, and goes to
 * the first sink that takes it. What is not shown costs no look-up.
 *
 * Everything here is async-signal-safe, allocates nothing, and leaves errno changed. A record is
 * made on the stack of the calling thread.
 */
#ifndef LIBREUSE_REPORT_H
#define LIBREUSE_REPORT_H

#include "explain/facts.h"
#include "guest/address.h"
#include "lookup/holders.h"

/* err: a bind() failed. */
void report_bind_failed(int fd, const struct address *asked, int error, enum rescue rescue);

/*
 * Who holds the address: into `holders`, for as long as that lasts; NULL where LIBREUSE_EXPLAIN
 * forbids to look.
 */
const struct holders *report_look_up(int fd, const struct address *asked, struct holders *holders);

/* notice: bind() waits for a port, as LIBREUSE_WAIT says; `holders` is of report_look_up(). */
void report_waiting(int fd, const struct address *asked, enum rescue rescue,
                    const struct holders *holders);

/* notice: a bind() succeeded because of the shim. */
void report_rescued(int fd, const struct address *asked);

/*
 * A bind() succeeded on a socket on which it had failed before. notice: for the same address;
 * warning: for another one.
 */
void report_recovered_or_moved(int fd, const struct failure *failure);

/* err: a listen() failed. */
void report_listen_failed(int fd, int error, enum rescue rescue);

/*
 * err: a program listens on a socket on which bind() had failed, or is kept from it by
 * LIBREUSE_SWALLOWED. Never limited.
 */
void report_swallowed(int fd, const struct failure *failure, const struct address *listens_on);
void report_kept_from_listening(int fd, const struct failure *failure);

/* info: a listener is armed. */
void report_listening(int fd);

/*
 * At the first bind() or listen() of a process, and then never again. info: the library is loaded,
 * with these settings; warning: variables that were not understood. Programs that call neither are
 * not disturbed: LD_PRELOAD reaches every tool that a start script runs.
 */
void report_first_call(void);

#endif
