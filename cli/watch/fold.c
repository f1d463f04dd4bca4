#include "fold.h"

#include "record.h"
#include "terminal/output.h"

#include <stdlib.h>
#include <string.h>

static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++) { /* FNV-1a */
        hash = (hash ^ byte[i]) * 0x100000001b3;
    }
    return hash;
}

/* Of what makes two failures the same. */
static uint64_t hash_of(const struct watch_record *record)
{
    uint64_t hash = 0xcbf29ce484222325;
    hash = add_bytes(hash, record->program, strnlen(record->program, sizeof record->program));
    hash = add_bytes(hash, &record->kind, sizeof record->kind);
    hash = add_bytes(hash, &record->error, sizeof record->error);
    hash = add_bytes(hash, &record->user, sizeof record->user);
    hash = add_bytes(hash, &record->network, sizeof record->network);
    hash = add_bytes(hash, &record->protocol, sizeof record->protocol);
    if (record->kind == WATCH_LISTEN_FAILED) {
        hash = add_bytes(hash, &record->port, sizeof record->port);
    } else {
        hash = add_bytes(hash, record->asked, record->length);
    }
    return hash != 0 ? hash : 1;
}

bool fold_is_same(const struct watch_record *one, const struct watch_record *other)
{
    return hash_of(one) == hash_of(other);
}

static struct fold_total *total_of(struct fold *fold, const struct watch_record *record)
{
    const unsigned int port = record_port(record);
    for (size_t i = 0; i < fold->total_count; i++) {
        struct fold_total *total = &fold->totals[i];
        if (total->port == port &&
            memcmp(total->program, record->program, sizeof total->program) == 0) {
            return total;
        }
    }
    if (fold->total_count == FOLD_TOTALS) {
        struct fold_total *last = &fold->totals[FOLD_TOTALS - 1];
        strcpy(last->program, "(others)");
        last->port = 0;
        return last;
    }
    struct fold_total *total = &fold->totals[fold->total_count++];
    memcpy(total->program, record->program, sizeof total->program);
    total->port = port;
    return total;
}

static void add_to_total(struct fold *fold, struct fold_total *total,
                         const struct watch_record *record, int difference)
{
    if (record->kind == WATCH_RECOVERED || record->kind == WATCH_LISTEN_RECOVERED) {
        return;
    }
    unsigned int *count = record->kind == WATCH_SWALLOWED       ? &total->swallowed
                          : record->kind == WATCH_LISTEN_FAILED ? &total->listen_failed
                                                                : &total->bind_failed;
    *count += (unsigned int)difference;
    fold->events += (uint64_t)(int64_t)difference;
}

/* FOLD_KINDS where there is none. */
static size_t find(const struct fold *fold, uint64_t hash)
{
    size_t i = 0;
    while (i < FOLD_KINDS && fold->hashes[i] != hash) {
        i++;
    }
    return i;
}

static void show_repeats(const struct fold *fold, size_t i, int64_t now,
                         const struct fold_show *show)
{
    const struct fold_kind *kind = &fold->kinds[i];
    if (kind->count > 0) {
        show->show(show->context, &kind->last, kind->count, now - fold->since[i]);
    }
}

/* A place that is free, or that of the kind which began first. */
static size_t make_room(const struct fold *fold, int64_t now, const struct fold_show *show)
{
    size_t oldest = find(fold, 0);
    if (oldest < FOLD_KINDS) {
        return oldest;
    }
    oldest = 0;
    for (size_t i = 1; i < FOLD_KINDS; i++) {
        oldest = fold->since[i] < fold->since[oldest] ? i : oldest;
    }
    show_repeats(fold, oldest, now, show);
    return oldest;
}

bool fold_add(struct fold *fold, const struct watch_record *record, int64_t now,
              const struct fold_show *show)
{
    const uint64_t hash = hash_of(record);
    size_t i = find(fold, hash);
    const bool is_known = i < FOLD_KINDS;
    if (!is_known) {
        i = make_room(fold, now, show);
        fold->hashes[i] = hash;
        fold->since[i] = now;
        fold->kinds[i] = (struct fold_kind){.total = total_of(fold, record)};
    }
    struct fold_kind *kind = &fold->kinds[i];
    kind->count += is_known;
    kind->last = *record;
    add_to_total(fold, kind->total, record, 1);
    return !is_known;
}

void fold_take_back(struct fold *fold, const struct watch_record *record)
{
    const size_t i = find(fold, hash_of(record));
    if (i == FOLD_KINDS) {
        return;
    }
    struct fold_kind *kind = &fold->kinds[i];
    add_to_total(fold, kind->total, record, -1);
    if (kind->count > 0) {
        kind->count--;
    } else {
        fold->hashes[i] = 0;
    }
}

void fold_end(struct fold *fold, int64_t now, bool all, const struct fold_show *show)
{
    for (size_t i = 0; i < FOLD_KINDS; i++) {
        if (fold->hashes[i] == 0 || (!all && now < fold->since[i] + FOLD_MILLISECONDS)) {
            continue;
        }
        show_repeats(fold, i, now, show);
        if (fold->kinds[i].count == 0) {
            fold->hashes[i] = 0;
        }
        fold->kinds[i].count = 0;
        fold->since[i] = now;
    }
}

int64_t fold_due(const struct fold *fold)
{
    int64_t due = -1;
    for (size_t i = 0; i < FOLD_KINDS; i++) {
        const int64_t its = fold->since[i] + FOLD_MILLISECONDS;
        due = fold->hashes[i] != 0 && (due < 0 || its < due) ? its : due;
    }
    return due;
}

static void count_cell(struct table *table, enum tone tone, unsigned int count)
{
    table_cell(table, count > 0 ? tone : TONE_FAINT, "%u", count);
}

void fold_print_totals(const struct fold *fold)
{
    struct table *table = table_create(5);
    table_cell(table, TONE_HEADING, "PROGRAM");
    table_cell(table, TONE_HEADING, "PORT");
    table_cell(table, TONE_HEADING, "BIND-FAILED");
    table_cell(table, TONE_HEADING, "LISTEN-FAILED");
    table_cell(table, TONE_HEADING, "SWALLOWED");
    for (size_t i = 1; i < 5; i++) {
        table_align_right(table, i);
    }
    for (size_t i = 0; i < fold->total_count; i++) {
        const struct fold_total *total = &fold->totals[i];
        if (total->bind_failed + total->listen_failed + total->swallowed == 0) {
            continue;
        }
        table_cell(table, TONE_PLAIN, "%.*s", (int)sizeof total->program, total->program);
        if (total->port != 0) {
            table_cell(table, TONE_PLAIN, "%u", total->port);
        } else {
            table_cell(table, TONE_PLAIN, "-");
        }
        count_cell(table, TONE_WARNING, total->bind_failed);
        count_cell(table, TONE_WARNING, total->listen_failed);
        count_cell(table, TONE_BAD, total->swallowed);
    }
    table_print_and_free(table);
}
