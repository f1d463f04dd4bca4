#include "report.h"

#include "date.h"
#include "explain/event.h"
#include "format.h"
#include "guest/config.h"
#include "guest/kernel.h"
#include "guest/line.h"
#include "ledger.h"
#include "limit.h"
#include "sink.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

enum sink { SINK_STDERR, SINK_SYSLOG, SINK_JOURNAL };

/*
 * The buffers, on the stack: a large one for what went wrong, which may have a path in it and, for
 * the journal, says everything twice; a small one for what went well.
 */
enum { LARGE = 2048, SMALL = 448 };

/* Starts a record of text or JSON, which is at most LINE_SIZE bytes long. */
static void start_line(struct line *line)
{
    line->length = 0;
    line->size = line->size < LINE_SIZE ? line->size : LINE_SIZE;
}

static void write_record(struct line *line, const struct event *event)
{
    if (config_json()) {
        format_json(line, event);
    } else {
        format_text(line, event);
    }
}

static bool to_stderr(struct line line, const struct event *event)
{
    start_line(&line);
    write_record(&line, event);
    return sink_stderr(line.text, line.length);
}

/* A log file has a time before each line; a JSON record has its own. */
static bool to_file(struct line line, const struct event *event, struct log_failure *failure)
{
    start_line(&line);
    if (!config_json()) {
        date_write(&line, kernel_wall_milliseconds());
        line_text(&line, " ");
    }
    write_record(&line, event);
    char path[LOG_PATH_SIZE];
    config_log_path(path);
    return sink_file(path, line.text, line.length, failure);
}

/* The tag of RFC 3164 is "libreuse:", with which the text form begins. */
static bool to_syslog(struct line line, const struct event *event)
{
    start_line(&line);
    date_write_syslog_header(&line, event_level_of(event), kernel_wall_milliseconds());
    if (config_json()) {
        line_text(&line, "libreuse: ");
    }
    write_record(&line, event);
    return sink_syslog(line.text, line.length - 1); /* a datagram needs no newline */
}

static bool to_journal(struct line line, const struct event *event)
{
    format_journal(&line, event);
    return sink_journal(line.text, line.length);
}

static const struct {
    bool (*take)(struct line line, const struct event *event);
    const char *name;
} sinks[] = {
    [SINK_STDERR] = {to_stderr, "standard error"},
    [SINK_SYSLOG] = {to_syslog, "the system log"},
    [SINK_JOURNAL] = {to_journal, "the journal"},
};

static bool stderr_is_the_journal(void)
{
    struct kernel_file file;
    return sink_stderr_at_load(&file) && config_is_journal_stream(file.device, file.inode);
}

static bool is_shown(enum event_kind kind)
{
    return event_level(kind) <= config_level() && config_log() != LOG_NONE;
}

/* Tries `first`, and then those of auto in their order. */
static bool deliver_to(enum sink first, struct line line, struct event *event)
{
    static const enum sink automatic[] = {SINK_STDERR, SINK_JOURNAL, SINK_SYSLOG};
    enum { AUTOMATIC = sizeof automatic / sizeof automatic[0] };

    event->instead = sinks[first].name;
    bool delivered = sinks[first].take(line, event);
    for (unsigned int i = 0; i < AUTOMATIC && !delivered; i++) {
        event->instead = sinks[automatic[i]].name;
        delivered = automatic[i] != first && sinks[automatic[i]].take(line, event);
    }
    return delivered;
}

/* Once in a process: why the file that LIBREUSE_LOG names is not where reports go. */
static void say_log_failed(enum sink first, struct line line, const struct log_failure *failure)
{
    static atomic_uint said;
    struct event event = {.kind = EVENT_LOG_FAILED, .error = failure->error, .log = failure};
    if (is_shown(EVENT_LOG_FAILED) && !atomic_exchange(&said, 1) &&
        !deliver_to(first, line, &event)) {
        said = 0;
    }
}

static void deliver(struct line line, struct event *event)
{
    static const enum sink named[] = {
        [LOG_STDERR] = SINK_STDERR,
        [LOG_JOURNAL] = SINK_JOURNAL,
        [LOG_SYSLOG] = SINK_SYSLOG,
        [LOG_FILE] = SINK_STDERR, /* where the file cannot be written */
    };
    struct log_failure failure;
    const enum log log = config_log();
    enum sink first = named[log];
    if (log == LOG_AUTO) {
        first = stderr_is_the_journal() ? SINK_JOURNAL : SINK_STDERR;
    } else if (log == LOG_FILE) {
        if (to_file(line, event, &failure)) {
            return;
        }
        say_log_failed(first, line, &failure);
    }
    deliver_to(first, line, event);
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
    deliver((struct line){.text = text, .size = sizeof text}, event);
}

__attribute__((noinline)) static void deliver_small(struct event *event)
{
    char text[SMALL];
    deliver((struct line){.text = text, .size = sizeof text}, event);
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
