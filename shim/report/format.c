#include "format.h"

#include "date.h"
#include "explain/explain.h"
#include "fields.h"
#include "guest/kernel.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* The program's name when the library was loaded: programs overwrite the original with titles. */
static char program[64];
static atomic_bool prepared;

void format_prepare(void)
{
    const char *name = program_invocation_short_name;
    memcpy(program, name, strnlen(name, sizeof program - 1));
    prepared = true;
}

/* Before the C library is initialized, which is when DT_PREINIT_ARRAY runs, only the kernel knows.
 */
void format_program(struct line *line, const struct event *event)
{
    char thread[KERNEL_NAME_SIZE];
    const char *name = prepared ? program : program_invocation_short_name;
    if (event->subject != NULL) {
        name = event->subject->program;
    } else if (name[0] == '\0' && kernel_thread_name(thread)) {
        name = thread;
    }
    struct line part = *line; /* with its escapes no longer than without: others need room, too */
    if (part.size - part.length > sizeof program) {
        part.size = part.length + sizeof program;
    }
    line_escaped(&part, name, strnlen(name, sizeof program - 1));
    line->length = part.length;
}

void format_pid(struct line *line, const struct event *event)
{
    line_number(line,
                event->subject != NULL ? event->subject->pid : (unsigned int)kernel_process());
}

static void write_limit(struct line *line, const struct event *event)
{
    if (event->ends_burst) {
        line_text(line,
                  " (from now on, one report a second is shown of what is not new, and the others "
                  "are counted)");
    }
    if (event->left_out > 0) {
        line_text(line, " (");
        line_number(line, event->left_out);
        line_text(line, event->left_out == 1 ? " report" : " reports");
        line_text(line, " left out before this one)");
    }
}

/* PROGRAM[PID]: EVENT: ... */
static void write_message(struct line *line, const struct event *event)
{
    format_program(line, event);
    line_text(line, "[");
    format_pid(line, event);
    line_text(line, "]: ");
    line_text(line, event_name(event->kind));
    line_text(line, ": ");
    explain_event(line, event);
    write_limit(line, event);
}

void format_text(struct line *line, const struct event *event)
{
    line_text(line, "libreuse: ");
    write_message(line, event);
    line_end(line);
}

/* Bytes that are kept for the message: fields that would take them are left out. */
enum { MESSAGE_ROOM = 160 };

/* A field for which there is no room is left out whole, and so what `before` it was is restored. */
static void keep_if_whole(struct line *line, size_t before)
{
    if (line_is_full(line)) {
        line->length = before;
    }
}

static void json_field(struct line *line, const struct event *event, size_t field)
{
    const size_t before = line->length;
    const char *quote = fields[field].is_bare ? "" : "\"";
    line_text(line, ",\"");
    line_text(line, fields[field].json);
    line_text(line, "\":");
    line_text(line, quote);
    const size_t start = line->length;
    fields[field].write(line, event);
    line_escape_json(line, start);
    line_text(line, quote);
    keep_if_whole(line, before);
}

void format_json(struct line *line, const struct event *event)
{
    static const char end[] = "\"}";
    line->size -= MESSAGE_ROOM;
    line_text(line, "{\"time\":\"");
    date_write(line, kernel_wall_milliseconds());
    line_text(line, "\"");
    for (size_t i = 0; i < fields_count; i++) {
        if (fields[i].json != NULL && fields[i].is_there(event)) {
            json_field(line, event, i);
        }
    }
    line->size += MESSAGE_ROOM - (sizeof end - 1);
    line_text(line, ",\"message\":\"");
    const size_t start = line->length;
    explain_event(line, event); /* is cut where there is no room for all of it */
    line_escape_json(line, start);
    line->size += sizeof end - 1;
    line_text(line, end);
    line_end(line);
}

static void journal_field(struct line *line, const struct event *event, size_t field)
{
    const size_t before = line->length;
    line_text(line, "\n");
    line_text(line, fields[field].journal);
    line_text(line, "=");
    fields[field].write(line, event);
    keep_if_whole(line, before);
}

void format_journal(struct line *line, const struct event *event)
{
    line->size -= MESSAGE_ROOM;
    line_text(line, "PRIORITY=");
    line_number(line, (unsigned int)event_level_of(event) + LEVEL_ERR_PRIORITY);
    line_text(line, "\nSYSLOG_IDENTIFIER=libreuse\nMESSAGE_ID=");
    line_text(line, event_message_id(event->kind));
    for (size_t i = 0; i < fields_count; i++) {
        if (fields[i].journal != NULL && fields[i].is_there(event)) {
            journal_field(line, event, i);
        }
    }
    line->size += MESSAGE_ROOM;
    line_text(line, "\nMESSAGE=");
    write_message(line, event);
    line_end(line);
}
