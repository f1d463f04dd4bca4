#include "choose_sink.h"

#include "date.h"
#include "format.h"
#include "guest/config.h"
#include "guest/kernel.h"
#include "sink.h"

#include <stdatomic.h>

enum sink { SINK_STDERR, SINK_SYSLOG, SINK_JOURNAL };

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
    if (event_level(EVENT_LOG_FAILED) <= config_level() && !atomic_exchange(&said, 1) &&
        !deliver_to(first, line, &event)) {
        said = 0;
    }
}

void choose_sink(struct line line, struct event *event)
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
