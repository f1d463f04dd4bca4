/*
 * Which sink takes a record, and in which form: what LIBREUSE_LOG names, or else the first that
 * can.
 *
 * Async-signal-safe. errno is left changed.
 */
#ifndef LIBREUSE_CHOOSE_SINK_H
#define LIBREUSE_CHOOSE_SINK_H

#include "explain/event.h"
#include "guest/line.h"

/* `line` is the buffer, and empty. In `event`, `instead` is left changed. */
void choose_sink(struct line line, struct event *event);

#endif
