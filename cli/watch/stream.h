/*
 * The records of a watcher on their way to the reader: which are wanted, which are repeats, and
 * which are not shown because libreuse.so in the program has tried the same again at once, with
 * success.
 */
#ifndef LIBREUSE_STREAM_H
#define LIBREUSE_STREAM_H

#include "fold.h"
#include "kernel/watcher.h"
#include "show.h"

#include <stdbool.h>
#include <stdint.h>

/* Which records are wanted. */
struct stream_filter {
    bool all;             /* also those that are not of TCP */
    int pid;              /* 0: of all processes */
    const char *unit;     /* NULL: of all units and containers */
    unsigned char *ports; /* one for each that is wanted, by its number; NULL: all */
};

/* Shown a little later: as many as may be waited for at once. */
enum { STREAM_PENDING = 64 };

struct stream_pending {
    struct finding *finding; /* NULL: not in use */
    int64_t due;
};

struct stream {
    struct watcher watcher;
    struct stream_filter filter;
    struct show show;
    struct fold fold;
    struct stream_pending pending[STREAM_PENDING];
    bool is_ending; /* nothing is looked up any more */
};

/* Takes some of what the watcher has. True where there may be more. */
bool stream_take(struct stream *stream);

/* Times are those of kernel_milliseconds(). */

/* Shows what is due: events that were waited with, and the counts of repeats. */
void stream_show_due(struct stream *stream, int64_t now);

/* The same for all that is left, at the end. */
void stream_show_rest(struct stream *stream);

/* When something is due next; -1 where nothing is. */
int64_t stream_due(const struct stream *stream);

#endif
