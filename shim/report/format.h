/*
 * An event in the form that a sink takes: one record each, ended by a newline. The line must have
 * room for 256 bytes at least. Async-signal-safe; errno is left changed.
 */
#ifndef LIBREUSE_FORMAT_H
#define LIBREUSE_FORMAT_H

#include "explain/event.h"
#include "guest/line.h"

/* Copies the program's name. Call it once, when the library is loaded. */
void format_prepare(void);

/* The program and the number of its process. */
void format_program(struct line *line, const struct event *event);
void format_pid(struct line *line, const struct event *event);

/* libreuse: PROGRAM[PID]: EVENT: ... */
void format_text(struct line *line, const struct event *event);

/* One JSON object. Valid JSON, whatever bytes a program's name or a path contain. */
void format_json(struct line *line, const struct event *event);

/* The journal's native protocol: FIELD=value lines. */
void format_journal(struct line *line, const struct event *event);

#endif
