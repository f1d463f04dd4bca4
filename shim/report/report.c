#include "report.h"

#include "choose_sink.h"
#include "explain/event.h"
#include "guest/config.h"
#include "guest/kernel.h"
#include "guest/line.h"
#include "ledger.h"
#include "limit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

/*
 * The buffers, on the stack: a large one for what went wrong, which may have a path in it and, for
 * the journal, says everything twice; a small one for what went well.
 */
enum { LARGE = 2048, SMALL = 448 };

static bool is_shown(enum event_kind kind)
{
    return event_level(kind) <= config_level() && config_log() != LOG_NONE;
}

/* Asked once for each event, because the limit counts the asking. */
static bool is_wanted(struct event *event)
{
    return is_shown(event->kind) && limit_admits(event);
}

/* The same, of the address that a socket has: only for what is shown, the kernel is asked for it.
 */
static bool is_wanted_at(int fd, struct event *event, struct address *now)
{
    if (!is_shown(event->kind)) {
        return false;
    }
    address_of_socket(now, fd);
    event->address = now;
    return limit_admits(event);
}

__attribute__((noinline)) static void deliver_large(struct event *event)
{
    char text[LARGE];
    choose_sink((struct line){.text = text, .size = sizeof text}, event);
}

__attribute__((noinline)) static void deliver_small(struct event *event)
{
    char text[SMALL];
    choose_sink((struct line){.text = text, .size = sizeof text}, event);
}

/* With signals held, because descriptors are open meanwhile. */
static void report(struct event *event)
{
    struct kernel_signals before;
    const bool held = kernel_hold_signals(&before);
    if (event_level(event->kind) > LEVEL_NOTICE) {
        deliver_small(event);
    } else {
        deliver_large(event);
    }
    if (held) {
        kernel_release_signals(&before);
    }
}

/*
 * Many servers bind [::] and 0.0.0.0, and tolerate that the second is refused where the first takes
 * IPv4, too: then all is well.
 */
static bool is_own_other_family(const struct holders *holders, const struct address *asked)
{
    return holders != NULL && holders->total == 1 && holders->named.state == STATE_LISTEN &&
           holders->named.owner.search == OWNER_FOUND && holders->named.owner.this_process &&
           holders->named.local.as.any.sa_family != asked->as.any.sa_family;
}

/* In a function of its own, so that the look-up's stack and that of the record do not add up. */
__attribute__((noinline)) const struct holders *report_look_up(int fd, const struct address *asked,
                                                               struct holders *holders)
{
    if (!config_explain()) {
        return NULL;
    }
    struct kernel_signals before;
    const bool held = kernel_hold_signals(&before);
    struct holders_question question;
    holders_ask(&question, fd, asked);
    holders_find(&question, holders);
    holders_find_owner(holders);
    if (!is_own_other_family(holders, asked)) {
        holders_find_sharers(holders);
    }
    if (held) {
        kernel_release_signals(&before);
    }
    return holders;
}

void report_bind_failed(int fd, const struct address *asked, int error, enum rescue rescue)
{
    struct event event = {
        .kind = EVENT_BIND_FAILED, .fd = fd, .error = error, .rescue = rescue, .address = asked};
    if (is_wanted(&event)) {
        struct holders holders;
        const bool held = error == EADDRINUSE && !address_is_any_port(asked);
        event.holders = held ? report_look_up(fd, asked, &holders) : NULL;
        event.is_expected = held && is_own_other_family(event.holders, asked);
        if (event_level_of(&event) <= config_level()) {
            report(&event);
        }
    }
}

void report_waiting(int fd, const struct address *asked, enum rescue rescue,
                    const struct holders *holders)
{
    struct event event = {.kind = EVENT_WAITING,
                          .fd = fd,
                          .error = EADDRINUSE,
                          .rescue = rescue,
                          .address = asked,
                          .holders = holders,
                          .milliseconds = (uint64_t)config_wait() * 1000};
    if (is_wanted(&event)) {
        report(&event);
    }
}

void report_rescued(int fd, const struct address *asked)
{
    struct event event = {.kind = EVENT_RESCUED, .fd = fd, .address = asked};
    if (is_wanted(&event)) {
        struct holders holders;
        event.holders = report_look_up(fd, asked, &holders);
        report(&event);
    }
}

static void report_moved(int fd, const struct failure *failure, const struct address *now)
{
    struct event event = {.kind = EVENT_MOVED,
                          .fd = fd,
                          .error = failure->error,
                          .address = &failure->asked,
                          .bound_to = now,
                          .tries = failure->tries};
    if (address_port(&failure->asked) != address_port(now)) {
        ledger_note_loss(fd, failure, now);
    }
    if (is_wanted(&event)) {
        report(&event);
    }
}

static uint64_t milliseconds_since(int64_t then)
{
    const int64_t now = kernel_milliseconds();
    return then != 0 && now >= then ? (uint64_t)(now - then) : TIME_UNKNOWN;
}

static void report_recovered(int fd, const struct failure *failure, const struct address *now)
{
    struct event event = {
        .kind = EVENT_RECOVERED, .fd = fd, .address = now, .tries = failure->tries};
    if (is_wanted(&event)) {
        event.milliseconds = milliseconds_since(failure->since);
        report(&event);
    }
}

void report_recovered_or_moved(int fd, const struct failure *failure)
{
    struct address now;
    address_of_socket(&now, fd);
    if (address_is_what_was_asked(&now, &failure->asked)) {
        report_recovered(fd, failure, &now);
    } else {
        report_moved(fd, failure, &now);
    }
}

void report_listen_failed(int fd, int error, enum rescue rescue)
{
    struct address now;
    struct event event = {.kind = EVENT_LISTEN_FAILED, .fd = fd, .error = error, .rescue = rescue};
    if (is_wanted_at(fd, &event, &now)) {
        struct holders holders;
        const bool held = error == EADDRINUSE && !address_is_any_port(&now);
        event.holders = held ? report_look_up(fd, &now, &holders) : NULL;
        report(&event);
    }
}

void report_swallowed(int fd, const struct failure *failure, const struct address *listens_on)
{
    struct event event = {.kind = EVENT_SWALLOWED,
                          .fd = fd,
                          .error = failure->error,
                          .address = &failure->asked,
                          .listens_on = listens_on};
    ledger_note_loss(fd, failure, listens_on);
    if (is_wanted(&event)) {
        report(&event);
    }
}

void report_kept_from_listening(int fd, const struct failure *failure)
{
    report_swallowed(fd, failure, NULL);
}

void report_listening(int fd)
{
    struct address now;
    struct event event = {.kind = EVENT_LISTENING, .fd = fd};
    if (is_wanted_at(fd, &event, &now)) {
        report(&event);
    }
}

static void report_complaints(void)
{
    struct complaint complaint;
    while (config_take_complaint(&complaint)) {
        report(&(struct event){.kind = EVENT_CONFIG, .complaint = &complaint});
    }
}

void report_first_call(void)
{
    static atomic_uint called; /* a bool's exchange would need libatomic on riscv64 */
    if (called || !config_is_loaded() || atomic_exchange(&called, 1)) {
        return;
    }
    if (is_shown(EVENT_LOADED)) {
        report(&(struct event){.kind = EVENT_LOADED});
    }
    if (is_shown(EVENT_CONFIG)) {
        report_complaints();
    }
}
