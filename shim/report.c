#include "report.h"

#include "config.h"
#include "event.h"
#include "format.h"
#include "kernel.h"
#include "limit.h"
#include "line.h"
#include "sink.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

enum sink { SINK_STDERR, SINK_FILE, SINK_SYSLOG, SINK_JOURNAL };

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
static bool to_file(struct line line, const struct event *event)
{
    start_line(&line);
    if (!config_json()) {
        format_time(&line, kernel_wall_milliseconds());
        line_text(&line, " ");
    }
    write_record(&line, event);
    char path[LOG_PATH_SIZE];
    config_log_path(path);
    return sink_file(path, line.text, line.length);
}

/* The tag of RFC 3164 is "libreuse:", with which the text form begins. */
static bool to_syslog(struct line line, const struct event *event)
{
    start_line(&line);
    format_syslog_header(&line, event_level(event->kind), kernel_wall_milliseconds());
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

static bool (*const sinks[])(struct line line, const struct event *event) = {
    [SINK_STDERR] = to_stderr,
    [SINK_FILE] = to_file,
    [SINK_SYSLOG] = to_syslog,
    [SINK_JOURNAL] = to_journal,
};

static bool stderr_is_the_journal(void)
{
    struct kernel_file file;
    return sink_stderr_at_load(&file) && config_is_journal_stream(file.device, file.inode);
}

/* The sink that LIBREUSE_LOG names is tried first, then those of auto in their order. */
static void deliver(struct line line, const struct event *event)
{
    static const enum sink named[] = {
        [LOG_STDERR] = SINK_STDERR,
        [LOG_JOURNAL] = SINK_JOURNAL,
        [LOG_SYSLOG] = SINK_SYSLOG,
        [LOG_FILE] = SINK_FILE,
    };
    static const enum sink automatic[] = {SINK_STDERR, SINK_JOURNAL, SINK_SYSLOG};
    enum { AUTOMATIC = sizeof automatic / sizeof automatic[0] };

    const enum log log = config_log();
    enum sink first = named[log];
    if (log == LOG_AUTO) {
        first = stderr_is_the_journal() ? SINK_JOURNAL : SINK_STDERR;
    }
    bool delivered = sinks[first](line, event);
    for (unsigned int i = 0; i < AUTOMATIC && !delivered; i++) {
        delivered = automatic[i] != first && sinks[automatic[i]](line, event);
    }
}

static bool is_shown(enum event_kind kind)
{
    return event_level(kind) <= config_level() && config_log() != LOG_NONE;
}

/* Asked once for each event, because the limit counts the asking. */
static bool is_wanted(enum event_kind kind)
{
    return is_shown(kind) && (kind == EVENT_SWALLOWED || limit_admits());
}

__attribute__((noinline)) static void deliver_large(const struct event *event)
{
    char text[LARGE];
    deliver((struct line){.text = text, .size = sizeof text}, event);
}

__attribute__((noinline)) static void deliver_small(const struct event *event)
{
    char text[SMALL];
    deliver((struct line){.text = text, .size = sizeof text}, event);
}

static void report(struct event *event)
{
    event->left_out = limit_take_left_out();
    if (event_level(event->kind) > LEVEL_NOTICE) {
        deliver_small(event);
    } else {
        deliver_large(event);
    }
}

/*
 * Who holds the address; NULL where that is not to be looked up. In a function of its own, so that
 * the look-up's stack and that of the record do not add up.
 */
__attribute__((noinline)) static const struct holders *look_up(int fd, const struct address *asked,
                                                               struct holders *holders)
{
    if (!config_explain()) {
        return NULL;
    }
    struct holders_question question;
    holders_ask(&question, fd, asked);
    holders_find(&question, holders);
    holders_find_owner(holders);
    return holders;
}

void report_bind_failed(int fd, const struct address *asked, int error, enum rescue rescue)
{
    if (is_wanted(EVENT_BIND_FAILED)) {
        struct holders holders;
        const bool held = error == EADDRINUSE && !address_is_any_port(asked);
        report(&(struct event){.kind = EVENT_BIND_FAILED,
                               .fd = fd,
                               .error = error,
                               .rescue = rescue,
                               .address = asked,
                               .holders = held ? look_up(fd, asked, &holders) : NULL});
    }
}

void report_waiting(int fd, const struct address *asked, enum rescue rescue)
{
    if (is_wanted(EVENT_WAITING)) {
        struct holders holders;
        report(&(struct event){.kind = EVENT_WAITING,
                               .fd = fd,
                               .error = EADDRINUSE,
                               .rescue = rescue,
                               .address = asked,
                               .holders = look_up(fd, asked, &holders),
                               .milliseconds = (uint64_t)config_wait() * 1000});
    }
}

void report_rescued(int fd, const struct address *asked)
{
    if (is_wanted(EVENT_RESCUED)) {
        struct holders holders;
        report(&(struct event){.kind = EVENT_RESCUED,
                               .fd = fd,
                               .address = asked,
                               .holders = look_up(fd, asked, &holders)});
    }
}

void report_recovered(int fd, const struct failure *failure)
{
    if (is_wanted(EVENT_RECOVERED)) {
        struct address now;
        address_of_socket(&now, fd);
        report(&(struct event){
            .kind = EVENT_RECOVERED,
            .fd = fd,
            .address = &now,
            .tries = failure->tries,
            .milliseconds = (uint64_t)(kernel_milliseconds() - failure->since),
        });
    }
}

void report_listen_failed(int fd, int error)
{
    if (is_wanted(EVENT_LISTEN_FAILED)) {
        struct address now;
        address_of_socket(&now, fd);
        struct holders holders;
        report(&(struct event){
            .kind = EVENT_LISTEN_FAILED,
            .fd = fd,
            .error = error,
            .address = &now,
            .holders = error == EADDRINUSE && !address_is_any_port(&now)
                           ? look_up(fd, &now, &holders)
                           : NULL,
        });
    }
}

void report_swallowed(int fd, const struct failure *failure, const struct address *listens_on)
{
    if (is_wanted(EVENT_SWALLOWED)) {
        report(&(struct event){.kind = EVENT_SWALLOWED,
                               .fd = fd,
                               .error = failure->error,
                               .address = &failure->asked,
                               .listens_on = listens_on});
    }
}

void report_kept_from_listening(int fd, const struct failure *failure)
{
    report_swallowed(fd, failure, NULL);
}

void report_listening(int fd)
{
    if (is_wanted(EVENT_LISTENING)) {
        struct address now;
        address_of_socket(&now, fd);
        report(&(struct event){.kind = EVENT_LISTENING, .fd = fd, .address = &now});
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
