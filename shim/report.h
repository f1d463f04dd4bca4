/*
 * An event becomes one line, `libreuse: PROGRAM[PID]: EVENT: ...`, if LIBREUSE_LEVEL lets it pass.
 *
 * Everything here is async-signal-safe, allocates nothing, and leaves errno changed. One line is at
 * most LINE_SIZE bytes; it is made on the stack of the calling thread.
 */
#ifndef LIBREUSE_REPORT_H
#define LIBREUSE_REPORT_H

#include "address.h"
#include "failures.h"
#include "reuse.h"

#include <stdbool.h>

/* Copies the program's name. Call it once, when the library is loaded. */
void report_prepare(void);

/* err: a bind() failed. */
void report_bind_failed(const struct address *asked, int error, enum rescue rescue);

/* notice: a bind() succeeded because of the shim. */
void report_rescued(const struct address *asked);

/* notice: a bind() succeeded on a socket on which it had failed before. */
void report_recovered(int fd, const struct failure *failure);

/* err: a listen() failed. */
void report_listen_failed(int fd, int error);

/* err: a program listens on a socket on which bind() had failed. */
void report_swallowed(int fd, const struct failure *failure);

/* info: a listener is armed. */
void report_listening(int fd);

/*
 * At the first bind() or listen() of a process, and then never again. info: the library is loaded,
 * with these settings; warning: variables that were not understood. Programs that call neither are
 * not disturbed: LD_PRELOAD reaches every tool that a start script runs.
 */
void report_first_call(void);

#endif
