#include "show.h"

#include "explain/explain.h"
#include "guest/kernel.h"
#include "reach_of_process.h"
#include "record.h"
#include "report/format.h"
#include "report/sink.h"
#include "sockets/processes.h"
#include "terminal/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void address_of(const struct watch_record *record, struct address *address)
{
    if (record->kind == WATCH_LISTEN_FAILED) {
        record_local(record, address);
    } else {
        record_asked(record, address);
    }
}

static bool is_held(const struct watch_record *record, const struct address *address)
{
    const bool failed = record->kind == WATCH_BIND_FAILED || record->kind == WATCH_LISTEN_FAILED;
    return failed && record->error == EADDRINUSE && address->length > 0 &&
           !address_is_any_port(address);
}

void finding_make(struct finding *finding, const struct watch_record *record,
                  const struct watch_layout *layout, bool is_late)
{
    struct address address;
    *finding = (struct finding){.record = *record};
    origin_find(&finding->origin, record);
    finding->reach = reach_of_process((int)record->process);
    address_of(record, &address);
    if (!is_late && is_held(record, &address)) {
        look_up_find(&finding->look_up, record,
                     watch_layout_is_ipv6_only(layout, record->v6only_byte), &address);
        finding->is_looked_up = true;
    } else if (!is_late && record->kind == WATCH_BIND_FAILED && record->error != EADDRINUSE) {
        look_up_asker(&finding->asker, record, &address);
        finding->has_asker = true;
    }
}

void finding_free(struct finding *finding)
{
    origin_free(&finding->origin);
    look_up_free(&finding->look_up);
}

static enum rescue rescue_of(const struct show *show, const struct finding *finding,
                             const struct address *address)
{
    if (!record_is_tcp(&finding->record)) {
        return RESCUE_NOT_TCP;
    }
    if (address_port(address) == 0) {
        return RESCUE_ANY_PORT;
    }
    if (!watch_layout_reuses(show->layout, finding->record.reuse_byte)) {
        return RESCUE_NOT_TRIED;
    }
    return finding->reach == REACH_IS_THERE ? RESCUE_NO_USE : RESCUE_PROGRAMS_OWN;
}

static enum event_kind kind_of(const struct watch_record *record)
{
    switch (record->kind) {
    case WATCH_BIND_FAILED:
        return EVENT_BIND_FAILED;
    case WATCH_LISTEN_FAILED:
        return EVENT_LISTEN_FAILED;
    case WATCH_SWALLOWED:
        return EVENT_SWALLOWED;
    default:
        return record_is_moved(record) ? EVENT_MOVED : EVENT_RECOVERED;
    }
}

/* When it happened: the record's clock is another than that of the day. */
static int64_t wall_milliseconds(const struct watch_record *record)
{
    const int64_t age = kernel_milliseconds() - (int64_t)(record->time / 1000000);
    return kernel_wall_milliseconds() - (age > 0 ? age : 0);
}

static void print_time(const struct show *show, const struct watch_record *record)
{
    char text[32];
    struct tm parts;
    const time_t time = (time_t)(wall_milliseconds(record) / 1000);
    if (show->utc) {
        gmtime_r(&time, &parts);
    } else {
        localtime_r(&time, &parts);
    }
    strftime(text, sizeof text, "%H:%M:%S", &parts);
    output_text(TONE_FAINT, "%s ", text);
}

/* server1[4250] server1.service, user www: */
static void print_text(const struct show *show, const struct finding *finding,
                       const struct event *event)
{
    static const char *const is_gone[] = {"", " (has ended)"};
    char name[64];
    char sentence[2048];
    const struct subject *subject = event->subject;
    struct line program = {.text = name, .size = sizeof name};
    struct line line = {.text = sentence, .size = sizeof sentence};
    line_escaped(&program, subject->program, strlen(subject->program));
    explain_event(&line, event);
    print_time(show, &finding->record);
    output_text(TONE_PLAIN, "%.*s[%u]%s", (int)program.length, name, subject->pid,
                is_gone[finding->origin.is_gone]);
    if (subject->runs != NULL) {
        char *runs = output_printable(subject->runs);
        output_text(TONE_PLAIN, " (%s)", runs);
        free(runs);
    }
    char *unit = output_printable(subject->container != NULL ? subject->container
                                  : subject->unit != NULL    ? subject->unit
                                                             : "");
    char *user = output_printable(subject->user != NULL ? subject->user : "");
    output_text(TONE_PLAIN, "%s%s%s", subject->container != NULL ? " container " : " ", unit,
                unit[0] != '\0' ? ", " : "");
    output_text(TONE_PLAIN, "user %s: ", user);
    free(unit);
    free(user);
    output_text(event->kind == EVENT_SWALLOWED   ? TONE_BAD
                : event->kind == EVENT_RECOVERED ? TONE_GOOD
                                                 : TONE_WARNING,
                "%s", event_name(event->kind));
    output_text(TONE_PLAIN, ": %.*s\n", (int)line.length, sentence);
    fflush(stdout);
}

static void print_json(const struct event *event)
{
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    format_json(&line, event);
    output_text(TONE_PLAIN, "%.*s", (int)line.length, text);
    fflush(stdout);
}

static void write_to_journal(const struct event *event)
{
    char text[2 * LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    format_journal(&line, event);
    if (!sink_journal(line.text, line.length)) {
        print_json(event); /* standard output, which systemd gives to the journal or elsewhere */
    }
}

static void show_event(const struct show *show, const struct finding *finding,
                       struct subject *subject)
{
    char program[sizeof finding->record.program + 1] = "";
    const struct watch_record *record = &finding->record;
    memcpy(program, record->program, sizeof record->program);
    subject->program = program;
    subject->pid = record->process;
    subject->unit = finding->origin.unit;
    subject->runs = finding->origin.runs;
    subject->is_service = finding->origin.is_service;
    subject->container = finding->origin.container;
    subject->user = finding->origin.user;
    subject->enter = finding->look_up.enter;
    subject->reach = finding->reach;

    struct address address;
    struct address local;
    address_of(record, &address);
    record_local(record, &local);
    const enum event_kind kind = kind_of(record);
    const struct event event = {
        .kind = kind,
        .subject = subject,
        .fd = record->fd,
        .error = kind != EVENT_RECOVERED || subject->repeats > 0 ? record->error : 0,
        .rescue = rescue_of(show, finding, &address),
        .address = &address,
        .listens_on = kind == EVENT_SWALLOWED ? &local : NULL,
        .bound_to = kind == EVENT_MOVED ? &local : NULL,
        .asker = finding->has_asker ? &finding->asker : NULL,
        .holders = finding->is_looked_up ? &finding->look_up.holders : NULL,
        .tries = record->kind == WATCH_RECOVERED ? record->tries : 0,
        .milliseconds = (record->time - record->since) / 1000000,
    };
    if (show->form == SHOW_TEXT) {
        print_text(show, finding, &event);
    } else if (show->form == SHOW_JSON) {
        print_json(&event);
    } else {
        write_to_journal(&event);
    }
}

void show_finding(const struct show *show, const struct finding *finding)
{
    struct subject subject = {0};
    show_event(show, finding, &subject);
}

void show_repeats(const struct show *show, const struct watch_record *last, unsigned int count,
                  int64_t milliseconds)
{
    struct subject subject = {.repeats = count,
                              .repeat_time = (unsigned int)((milliseconds + 999) / 1000)};
    struct finding finding = {.record = *last};
    origin_find(&finding.origin, last);
    show_event(show, &finding, &subject);
    finding_free(&finding);
}
