/*
 * Where reports go. A sink takes one record with one system call and keeps nothing open; the host
 * never notices: no SIGPIPE, no SIGTTOU, no SIGXFSZ, no waiting for a reader, no cancellation
 * point. The order in which they are tried, and the form of the record, are choose_sink.c's; their
 * names in LIBREUSE_LOG are in guest/config.c.
 *
 * Async-signal-safe. errno is left changed.
 */
#ifndef LIBREUSE_SINK_H
#define LIBREUSE_SINK_H

#include "explain/facts.h"
#include "guest/kernel.h"

#include <stdbool.h>
#include <stddef.h>

/* Remembers which file descriptor 2 is. Call it once, when the library is loaded. */
void sink_prepare(void);

/* The file that descriptor 2 was at load. False where it was closed, or /dev/null. */
bool sink_stderr_at_load(struct kernel_file *file);

/*
 * Each of them gives a record away whole; false where it could not be done, for whatever reason.
 *
 * Standard error: only while descriptor 2 is still the file that it was at load, and not /dev/null.
 * What a program opens as descriptor 2 later is its own data, and is never written to.
 */
bool sink_stderr(const char *record, size_t length);

/*
 * A file, by absolute path: opened, created with mode 0640 where it does not exist, appended to and
 * closed, unless it could be anybody's: log_file.h. Regular files and pipes only. A record that is
 * cut short, because the disk is full, is ended with a newline. Otherwise `failure` says why.
 */
bool sink_file(const char *path, const char *record, size_t length, struct log_failure *failure);

/* The journal's native socket, and the system log's. */
bool sink_journal(const char *record, size_t length);
bool sink_syslog(const char *record, size_t length);

#endif
