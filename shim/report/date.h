/*
 * Times as records have them, in UTC: the C library's functions take locks and read files.
 * Async-signal-safe.
 */
#ifndef LIBREUSE_DATE_H
#define LIBREUSE_DATE_H

#include "guest/config.h"
#include "guest/line.h"

#include <stdint.h>

/* The time of day, in UTC: 2026-11-23T01:20:50.123Z (RFC 3339). */
void date_write(struct line *line, int64_t milliseconds);

/* What stands before a message to the system log: <27>Nov 23 01:20:50 (RFC 3164; UTC). */
void date_write_syslog_header(struct line *line, enum level level, int64_t milliseconds);

#endif
