#include "limit.h"

#include "guest/kernel.h"
#include "guest/line.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

static struct budget {
    /* When the bucket is full again, by kernel_milliseconds(); it is full if that is past. */
    _Alignas(8) _Atomic int64_t full_at;
    atomic_uint left_out;
    atomic_uint known[LIMIT_ADDRESSES]; /* what has been reported, by its mark; 0: a free place */
} of_unix, of_all_else;

static struct budget *budget_of(const struct event *event)
{
    const struct address *address = event->address;
    const bool is_unix = address != NULL && address->length >= sizeof address->as.any.sa_family &&
                         address->as.any.sa_family == AF_UNIX;
    return is_unix ? &of_unix : &of_all_else;
}

/*
 * A number for a kind of event, an error and an address, as they are written; never 0. FNV-1a: two
 * of a hundred addresses have the same one once in a million processes.
 */
static unsigned int mark_of(const struct event *event)
{
    char text[160]; /* the longest path, unless it is full of escapes */
    struct line line = {.text = text, .size = sizeof text};
    line_number(&line, (unsigned int)event->kind);
    line_text(&line, " ");
    line_number(&line, (unsigned int)event->error);
    line_text(&line, " ");
    address_write(&line, event->address);
    uint32_t mark = 2166136261;
    for (size_t i = 0; i < line.length; i++) {
        mark = (mark ^ (unsigned char)text[i]) * 16777619;
    }
    return mark != 0 ? mark : 1;
}

/* Whether this has not been reported before. Where all places are taken, nothing new is known. */
__attribute__((noinline)) static bool is_new(struct budget *budget, const struct event *event)
{
    const unsigned int mark = mark_of(event);
    for (size_t i = 0; i < LIMIT_ADDRESSES; i++) {
        unsigned int there = 0;
        if (atomic_compare_exchange_strong(&budget->known[i], &there, mark)) {
            return true;
        }
        if (there == mark) {
            return false;
        }
    }
    return false;
}

enum token { TOKEN_NONE, TOKEN_LAST, TOKEN_ONE_OF_MORE };

static enum token take_token(struct budget *budget)
{
    const int64_t now = kernel_milliseconds();
    if (now == 0) {
        return TOKEN_ONE_OF_MORE; /* better too many reports than none for ever */
    }
    int64_t full = atomic_load(&budget->full_at);
    int64_t later;
    do {
        later = (full > now ? full : now) + LIMIT_MILLISECONDS_EACH;
        if (later - now > (int64_t)LIMIT_BURST * LIMIT_MILLISECONDS_EACH) {
            return TOKEN_NONE;
        }
    } while (!atomic_compare_exchange_weak(&budget->full_at, &full, later));
    const bool is_last = later - now > (int64_t)(LIMIT_BURST - 1) * LIMIT_MILLISECONDS_EACH;
    return is_last ? TOKEN_LAST : TOKEN_ONE_OF_MORE;
}

bool limit_admits(struct event *event)
{
    struct budget *budget = budget_of(event);
    const bool passes =
        event->kind == EVENT_SWALLOWED || (event->address != NULL && is_new(budget, event));
    const enum token token = take_token(budget);
    if (token == TOKEN_NONE && !passes) {
        atomic_fetch_add(&budget->left_out, 1);
        return false;
    }
    event->left_out = atomic_exchange(&budget->left_out, 0);
    event->ends_burst = token == TOKEN_LAST && event->left_out == 0;
    return true;
}
