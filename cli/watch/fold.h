/*
 * Repeats: the same failure of the same program at the same address. The first is shown, those of
 * the next ten seconds are counted, and so on until there are none: so a crash loop can be read.
 * And the totals, by program and port.
 */
#ifndef LIBREUSE_FOLD_H
#define LIBREUSE_FOLD_H

#include "kernel/watch_programs.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FOLD_MILLISECONDS = 10000, FOLD_KINDS = 512, FOLD_TOTALS = 1024 };

struct fold_total {
    char program[16];
    unsigned int port;
    unsigned int bind_failed;
    unsigned int listen_failed;
    unsigned int swallowed;
};

struct fold_kind {
    unsigned int count; /* without the one that was shown */
    struct fold_total *total;
    struct watch_record last;
};

struct fold {
    uint64_t hashes[FOLD_KINDS]; /* of each kind; 0: not in use */
    int64_t since[FOLD_KINDS];   /* when its ten seconds have begun */
    struct fold_kind kinds[FOLD_KINDS];
    struct fold_total totals[FOLD_TOTALS]; /* of programs and ports beyond, the last one */
    size_t total_count;
    uint64_t events;
};

/* What is shown of repeats: how many there were after the first, and in how many milliseconds. */
struct fold_show {
    void (*show)(void *context, const struct watch_record *last, unsigned int count,
                 int64_t milliseconds);
    void *context;
};

/* Counts a record, and where it is a failure, in the totals. True where it is the first of its
 * kind, which is to be shown. Times are those of kernel_milliseconds(). */
bool fold_add(struct fold *fold, const struct watch_record *record, int64_t now,
              const struct fold_show *show);

/* Takes one back that was counted: it was tried again at once, and worked. */
void fold_take_back(struct fold *fold, const struct watch_record *record);

/* Shows the repeats of those ten seconds that are over, or of all. */
void fold_end(struct fold *fold, int64_t now, bool all, const struct fold_show *show);

/* When the next ten seconds are over; -1 where none have begun. */
int64_t fold_due(const struct fold *fold);

/* Whether two records are of the same kind: the same failure of the same program. */
bool fold_is_same(const struct watch_record *one, const struct watch_record *other);

/* Prints the totals as a table. */
void fold_print_totals(const struct fold *fold);

#endif
