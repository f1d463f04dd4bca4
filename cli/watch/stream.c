#include "stream.h"

#include "guest/address.h"
#include "guest/kernel.h"
#include "record.h"
#include "terminal/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What libreuse.so does about EADDRINUSE is done in this time, on a busy machine, too: a second
 * call with SO_REUSEADDR. */
enum { SECOND_TRY_MS = 100 };

/* How many records are taken at once: each may take as long as a look-up, some 0.1 s at most. */
enum { AT_ONCE = 16 };

/* A record that has waited for so long gets no look-up: the others would wait longer and longer. */
enum { LATE_MS = 2000 };

static void show_counted(void *context, const struct watch_record *last, unsigned int count,
                         int64_t milliseconds)
{
    const struct stream *stream = context;
    show_repeats(&stream->show, last, count, milliseconds);
}

/* Without --all: sockets of TCP, and what was to become one. */
static bool is_of_tcp(const struct watch_record *record)
{
    struct address asked;
    record_asked(record, &asked);
    const int family = asked.length >= sizeof asked.as.any.sa_family ? asked.as.any.sa_family : 0;
    return record->socket.sock == 0 ? family == AF_INET || family == AF_INET6
                                    : record_is_tcp(record);
}

static bool is_wanted(const struct stream *stream, const struct watch_record *record)
{
    return (stream->filter.all || is_of_tcp(record)) &&
           (stream->filter.pid == 0 || (int)record->process == stream->filter.pid) &&
           (stream->filter.ports == NULL || stream->filter.ports[record_port(record)] != 0);
}

static void release(struct stream *stream, struct stream_pending *pending)
{
    show_finding(&stream->show, pending->finding);
    finding_free(pending->finding);
    free(pending->finding);
    pending->finding = NULL;
}

static void release_due(struct stream *stream, int64_t now)
{
    for (size_t i = 0; i < STREAM_PENDING; i++) {
        if (stream->pending[i].finding != NULL && stream->pending[i].due <= now) {
            release(stream, &stream->pending[i]);
        }
    }
}

static struct stream_pending *pending_of(struct stream *stream, const struct watch_record *record)
{
    for (size_t i = 0; i < STREAM_PENDING; i++) {
        struct stream_pending *pending = &stream->pending[i];
        if (pending->finding != NULL &&
            memcmp(&pending->finding->record.socket, &record->socket, sizeof record->socket) == 0) {
            return pending;
        }
    }
    return NULL;
}

static void keep_pending(struct stream *stream, struct finding *finding)
{
    struct stream_pending *place = &stream->pending[0];
    for (size_t i = 0; i < STREAM_PENDING && place->finding != NULL; i++) {
        place = stream->pending[i].finding == NULL || stream->pending[i].due < place->due
                    ? &stream->pending[i]
                    : place;
    }
    if (place->finding != NULL) {
        release(stream, place);
    }
    *place = (struct stream_pending){finding, kernel_milliseconds() + SECOND_TRY_MS};
}

/* libreuse.so may be about to try that again. */
static bool may_be_tried_again(const struct stream *stream, const struct watch_record *record)
{
    return (record->kind == WATCH_BIND_FAILED || record->kind == WATCH_LISTEN_FAILED) &&
           record->error == EADDRINUSE && record_is_tcp(record) && record_port(record) != 0 &&
           !watch_layout_reuses(stream->show.layout, record->reuse_byte);
}

/* Takes back what libreuse.so has tried again at once, with success. */
static bool take_back(struct stream *stream, const struct watch_record *recovered)
{
    struct watch_record failed = *recovered;
    failed.kind = recovered->kind == WATCH_RECOVERED ? WATCH_BIND_FAILED : WATCH_LISTEN_FAILED;
    struct stream_pending *pending = pending_of(stream, recovered);
    const bool is_pending = pending != NULL && fold_is_same(&pending->finding->record, &failed);
    if (recovered->time - recovered->since >= SECOND_TRY_MS * UINT64_C(1000000)) {
        return false;
    }
    if (is_pending) {
        finding_free(pending->finding);
        free(pending->finding);
        pending->finding = NULL;
    }
    fold_take_back(&stream->fold, &failed);
    return true;
}

static bool is_late(const struct stream *stream, const struct watch_record *record)
{
    return stream->is_ending || kernel_milliseconds() - (int64_t)(record->time / 1000000) > LATE_MS;
}

static void take_news(struct stream *stream, const struct watch_record *record)
{
    struct stream_pending *pending = pending_of(stream, record);
    if (pending != NULL && record->kind == pending->finding->record.kind &&
        watch_layout_reuses(stream->show.layout, record->reuse_byte)) {
        pending->finding->record.reuse_byte = record->reuse_byte;
        return;
    }
    if (stream->filter.unit != NULL) {
        struct origin origin;
        origin_find(&origin, record);
        const bool is_of_unit = origin_is(&origin, stream->filter.unit);
        origin_free(&origin);
        if (!is_of_unit) {
            return;
        }
    }
    const struct fold_show fold_show = {show_counted, stream};
    if (!fold_add(&stream->fold, record, kernel_milliseconds(), &fold_show)) {
        return;
    }
    struct finding *finding = output_allocate(1, sizeof *finding);
    finding_make(finding, record, stream->show.layout, is_late(stream, record));
    if (may_be_tried_again(stream, record)) {
        keep_pending(stream, finding);
        return;
    }
    if (pending != NULL) {
        release(stream, pending); /* in the order in which it happened */
    }
    show_finding(&stream->show, finding);
    finding_free(finding);
    free(finding);
}

static void take(void *context, const struct watch_record *record)
{
    struct stream *stream = context;
    if (!is_wanted(stream, record)) {
        return;
    }
    const bool works = record->kind == WATCH_RECOVERED || record->kind == WATCH_LISTEN_RECOVERED;
    if (works && !record_is_moved(record) && take_back(stream, record)) {
        return;
    }
    /* That an internet socket is bound at last, or to what, is worth a line; the others are not. */
    if (record->kind == WATCH_RECOVERED ? record_is_tcp(record)
                                        : record->kind != WATCH_LISTEN_RECOVERED) {
        take_news(stream, record);
    }
}

bool stream_take(struct stream *stream)
{
    const size_t taken = watcher_take(&stream->watcher, AT_ONCE, take, stream);
    watcher_tidy(&stream->watcher);
    return taken == AT_ONCE;
}

void stream_show_due(struct stream *stream, int64_t now)
{
    const struct fold_show fold_show = {show_counted, stream};
    release_due(stream, now);
    fold_end(&stream->fold, now, false, &fold_show);
}

void stream_show_rest(struct stream *stream)
{
    const struct fold_show fold_show = {show_counted, stream};
    release_due(stream, INT64_MAX);
    fold_end(&stream->fold, kernel_milliseconds(), true, &fold_show);
}

int64_t stream_due(const struct stream *stream)
{
    int64_t due = fold_due(&stream->fold);
    for (size_t i = 0; i < STREAM_PENDING; i++) {
        const struct stream_pending *pending = &stream->pending[i];
        if (pending->finding != NULL && (due < 0 || pending->due < due)) {
            due = pending->due;
        }
    }
    return due;
}
