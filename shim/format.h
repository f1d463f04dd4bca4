/*
 * An event in the form that a sink takes: one record each, ended by a newline. The line must have
 * room for 256 bytes at least. Async-signal-safe; errno is left changed.
 */
#ifndef LIBREUSE_FORMAT_H
#define LIBREUSE_FORMAT_H

#include "event.h"
#include "line.h"

/* Copies the program's name. Call it once, when the library is loaded. */
void format_prepare(void);

/* libreuse: PROGRAM[PID]: EVENT: ... */
void format_text(struct line *line, const struct event *event);

/* One JSON object. Valid JSON, whatever bytes a program's name or a path contain. */
void format_json(struct line *line, const struct event *event);

/* The journal's native protocol: FIELD=value lines. */
void format_journal(struct line *line, const struct event *event);

/* The time of day, in UTC: 2026-11-23T01:20:50.123Z (RFC 3339). */
void format_time(struct line *line, int64_t milliseconds);

/* What stands before a message to the system log: <27>Nov 23 01:20:50 (RFC 3164; UTC). */
void format_syslog_header(struct line *line, enum level level, int64_t milliseconds);

#endif
