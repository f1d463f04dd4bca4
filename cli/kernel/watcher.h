/*
 * The kernel's programs of watch_programs.h at their tracepoints, for as long as this process has
 * them open: nothing is pinned or mounted, so nothing is left behind, however the process ends.
 */
#ifndef LIBREUSE_WATCHER_H
#define LIBREUSE_WATCHER_H

#include "ring.h"
#include "watch_programs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The name (comm) under which "libreuse why" and others try a bind() that may fail. */
#define WATCH_TRIAL "libreuse-trial"

struct watcher {
    int maps[WATCH_MAPS];
    int programs[WATCH_PROGRAMS];
    int tracepoints[WATCH_PROGRAMS];
    struct ring ring;
    struct watch_layout layout;
    uint64_t tidied; /* `failures` of the counts when the oldest ones went */
};

/*
 * Begins to watch, and makes sure by a failing call of its own that records arrive. False, and a
 * sentence with the next step, which the caller frees.
 */
bool watcher_open(struct watcher *watcher, char **why);

/* Readable (poll(2)) while there are records. */
int watcher_fd(const struct watcher *watcher);

/* Gives records to `take` as ring_take() does, without those of this process and of trials. */
size_t watcher_take(struct watcher *watcher, size_t most,
                    void (*take)(void *context, const struct watch_record *record), void *context);

/* What was lost so far. */
void watcher_counts(const struct watcher *watcher, struct watch_counts *counts);

/* Makes room for new failures where there have been many: the oldest are forgotten. */
void watcher_tidy(struct watcher *watcher);

/* No records come any more; those that are there can be taken. */
void watcher_stop(struct watcher *watcher);

void watcher_close(struct watcher *watcher);

#endif
