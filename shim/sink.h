/*
 * Where lines go: the host's standard error, while descriptor 2 is still the file that it was when
 * the library was loaded, and not /dev/null. What a program opens as descriptor 2 later is its own
 * data, and is never written to.
 *
 * Async-signal-safe. The host never notices a line: no SIGPIPE, no SIGTTOU, no SIGXFSZ, no waiting
 * for a reader, no cancellation point. A line that cannot be written in this way is lost.
 */
#ifndef LIBREUSE_SINK_H
#define LIBREUSE_SINK_H

#include <stddef.h>

/* Remembers which file descriptor 2 is. Call it once, when the library is loaded. */
void sink_prepare(void);

/* Writes one line, at most LINE_SIZE bytes, with a single system call. errno is left changed. */
void sink_write(const char *line, size_t length);

#endif
