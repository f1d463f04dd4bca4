#include "format.h"

#include "date.h"
#include "explain/explain.h"
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
static void write_program(struct line *line, const struct event *event)
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

static void write_pid(struct line *line, const struct event *event)
{
    line_number(line,
                event->subject != NULL ? event->subject->pid : (unsigned int)kernel_process());
}

static void write_limit(struct line *line, const struct event *event)
{
    if (event->ends_burst) {
        line_text(line, " (from now on only one such report a second is shown, and the others are "
                        "counted)");
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
    write_program(line, event);
    line_text(line, "[");
    write_pid(line, event);
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

static void write_error_name(struct line *line, const struct event *event)
{
    explain_name(line, event->error);
}

static void write_address(struct line *line, const struct event *event)
{
    address_write(line, event->address);
}

static void write_port(struct line *line, const struct event *event)
{
    line_number(line, address_port(event->address));
}

static void write_listens_on(struct line *line, const struct event *event)
{
    address_write(line, event->listens_on);
}

static void write_bound_to(struct line *line, const struct event *event)
{
    address_write(line, event->bound_to);
}

static void write_log(struct line *line, const struct event *event)
{
    (void)event;
    char path[LOG_PATH_SIZE];
    config_log_path(path);
    line_escaped(line, path, strlen(path));
}

static void write_name(struct line *line, const struct event *event)
{
    line_text(line, event_name(event->kind));
}

static void write_level(struct line *line, const struct event *event)
{
    line_text(line, config_level_name(event_level_of(event)));
}

static void write_unit(struct line *line, const struct event *event)
{
    line_escaped(line, event->subject->unit, strlen(event->subject->unit));
}

static void write_container(struct line *line, const struct event *event)
{
    line_escaped(line, event->subject->container, strlen(event->subject->container));
}

static void write_user(struct line *line, const struct event *event)
{
    line_escaped(line, event->subject->user, strlen(event->subject->user));
}

static void write_repeats(struct line *line, const struct event *event)
{
    line_number(line, event->subject->repeats);
}

static void write_tries(struct line *line, const struct event *event)
{
    line_number(line, event->tries);
}

static void write_count_left_out(struct line *line, const struct event *event)
{
    line_number(line, event->left_out);
}

static void write_true(struct line *line, const struct event *event)
{
    (void)event;
    line_text(line, "true");
}

static void write_holder_state(struct line *line, const struct event *event)
{
    line_text(line, explain_state_name(event->holders->named.state));
}

static void write_holder_address(struct line *line, const struct event *event)
{
    const struct holder *holder = &event->holders->named;
    address_write_on(line, &holder->local, holder->device);
}

static void write_holder_peer(struct line *line, const struct event *event)
{
    address_write(line, &event->holders->named.peer);
}

static void write_holder_uid(struct line *line, const struct event *event)
{
    line_number(line, event->holders->named.uid);
}

static void write_holder_pid(struct line *line, const struct event *event)
{
    line_number(line, (unsigned int)event->holders->named.owner.pid);
}

static void write_holder_fd(struct line *line, const struct event *event)
{
    line_number(line, (unsigned int)event->holders->named.owner.fd);
}

static void write_holder_program(struct line *line, const struct event *event)
{
    const char *name = event->holders->named.owner.program;
    line_escaped(line, name, strlen(name));
}

static void write_holder_processes(struct line *line, const struct event *event)
{
    line_number(line, event->holders->named.owner.sharers + 1);
}

static void write_refused(struct line *line, const struct event *event)
{
    const struct holders *holders = event->holders;
    explain_name(line, holders->source == HOLDERS_REFUSED ? holders->netlink_error
                                                          : holders->protocol_error);
}

static void write_holders(struct line *line, const struct event *event)
{
    line_number(line, event->holders->total);
}

static void write_time_wait(struct line *line, const struct event *event)
{
    line_number(line, event->holders->count[STATE_TIME_WAIT]);
}

static void write_time_wait_seconds(struct line *line, const struct event *event)
{
    line_number(line, (event->holders->time_wait_ms + 999) / 1000);
}

static bool always(const struct event *event)
{
    return event != NULL;
}

static bool has_subject(const struct event *event)
{
    return event->subject != NULL;
}

static bool has_unit(const struct event *event)
{
    return has_subject(event) && event->subject->unit != NULL;
}

static bool has_container(const struct event *event)
{
    return has_subject(event) && event->subject->container != NULL;
}

static bool has_user(const struct event *event)
{
    return has_subject(event) && event->subject->user != NULL;
}

static bool has_repeats(const struct event *event)
{
    return has_subject(event) && event->subject->repeats > 0;
}

static bool has_error(const struct event *event)
{
    return event->error != 0;
}

static bool has_address(const struct event *event)
{
    return event->address != NULL && event->address->length > 0;
}

static bool has_port(const struct event *event)
{
    return has_address(event) && address_port(event->address) != 0;
}

static bool has_listens_on(const struct event *event)
{
    return event->listens_on != NULL;
}

static bool has_bound_to(const struct event *event)
{
    return event->bound_to != NULL;
}

static bool has_log(const struct event *event)
{
    return event->log != NULL;
}

static bool has_tries(const struct event *event)
{
    return event->tries > 0;
}

static bool has_left_out(const struct event *event)
{
    return event->left_out > 0;
}

static bool ends_burst(const struct event *event)
{
    return event->ends_burst;
}

static bool has_holders(const struct event *event)
{
    return event->holders != NULL && event->holders->total > 0 &&
           event->holders->file != FILE_LEFT_OVER;
}

/* Who holds the address could not be asked. */
static bool was_refused(const struct event *event)
{
    return event->holders != NULL && (event->holders->source == HOLDERS_REFUSED ||
                                      event->holders->source == HOLDERS_NO_PROTOCOL);
}

static bool has_holder_peer(const struct event *event)
{
    return has_holders(event) && event->holders->named.peer.length > 0;
}

static bool has_open_holder(const struct event *event)
{
    return has_holders(event) && event->holders->named.inode != 0;
}

static bool has_owner(const struct event *event)
{
    return has_holders(event) && event->holders->named.owner.search == OWNER_FOUND;
}

static bool has_time_wait(const struct event *event)
{
    return has_holders(event) && event->holders->count[STATE_TIME_WAIT] > 0;
}

/* The facts of an event by name, for machines. Those that an event does not have are left out. */
static const struct {
    const char *json;    /* NULL: of the journal only */
    const char *journal; /* NULL: the journal knows it by itself, or by another name */
    bool is_bare;        /* a number, or true: without quotes in JSON */
    bool (*is_there)(const struct event *event);
    void (*write)(struct line *line, const struct event *event);
} facts[] = {
    {"program", "LIBREUSE_PROGRAM", false, always, write_program},
    {"pid", NULL, true, always, write_pid},
    {NULL, "OBJECT_PID", true, has_subject, write_pid},
    {"unit", "LIBREUSE_UNIT", false, has_unit, write_unit},
    {"container", "LIBREUSE_CONTAINER", false, has_container, write_container},
    {"user", "LIBREUSE_USER", false, has_user, write_user},
    {"repeats", "LIBREUSE_REPEATS", true, has_repeats, write_repeats},
    {"event", "LIBREUSE_EVENT", false, always, write_name},
    {"level", NULL, false, always, write_level},
    {"address", "LIBREUSE_ADDRESS", false, has_address, write_address},
    {"port", "LIBREUSE_PORT", true, has_port, write_port},
    {"errno", "LIBREUSE_ERRNO", false, has_error, write_error_name},
    {"listens_on", "LIBREUSE_LISTENS_ON", false, has_listens_on, write_listens_on},
    {"bound_to", "LIBREUSE_BOUND_TO", false, has_bound_to, write_bound_to},
    {"log", "LIBREUSE_LOG", false, has_log, write_log},
    {"look_up_errno", "LIBREUSE_LOOK_UP_ERRNO", false, was_refused, write_refused},
    {"holders", "LIBREUSE_HOLDERS", true, has_holders, write_holders},
    {"holder_state", "LIBREUSE_HOLDER_STATE", false, has_holders, write_holder_state},
    {"holder_address", "LIBREUSE_HOLDER_ADDRESS", false, has_holders, write_holder_address},
    {"holder_peer", "LIBREUSE_HOLDER_PEER", false, has_holder_peer, write_holder_peer},
    {"holder_uid", "LIBREUSE_HOLDER_UID", true, has_open_holder, write_holder_uid},
    {"holder_pid", "LIBREUSE_HOLDER_PID", true, has_owner, write_holder_pid},
    {"holder_program", "LIBREUSE_HOLDER_PROGRAM", false, has_owner, write_holder_program},
    {"holder_fd", "LIBREUSE_HOLDER_FD", true, has_owner, write_holder_fd},
    {"holder_processes", "LIBREUSE_HOLDER_PROCESSES", true, has_owner, write_holder_processes},
    {"time_wait", "LIBREUSE_TIME_WAIT", true, has_time_wait, write_time_wait},
    {"time_wait_seconds", "LIBREUSE_TIME_WAIT_SECONDS", true, has_time_wait,
     write_time_wait_seconds},
    {"tries", "LIBREUSE_TRIES", true, has_tries, write_tries},
    {"left_out", "LIBREUSE_LEFT_OUT", true, has_left_out, write_count_left_out},
    {"ends_burst", "LIBREUSE_ENDS_BURST", true, ends_burst, write_true},
};
enum { FACTS = sizeof facts / sizeof facts[0] };

/* Bytes that are kept for the message: facts that would take them are left out. */
enum { MESSAGE_ROOM = 160 };

/* A fact for which there is no room is left out whole, and so what `before` it was is restored. */
static void keep_if_whole(struct line *line, size_t before)
{
    if (line_is_full(line)) {
        line->length = before;
    }
}

static void json_fact(struct line *line, const struct event *event, size_t fact)
{
    const size_t before = line->length;
    const char *quote = facts[fact].is_bare ? "" : "\"";
    line_text(line, ",\"");
    line_text(line, facts[fact].json);
    line_text(line, "\":");
    line_text(line, quote);
    const size_t start = line->length;
    facts[fact].write(line, event);
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
    for (size_t i = 0; i < FACTS; i++) {
        if (facts[i].json != NULL && facts[i].is_there(event)) {
            json_fact(line, event, i);
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

static void journal_fact(struct line *line, const struct event *event, size_t fact)
{
    const size_t before = line->length;
    line_text(line, "\n");
    line_text(line, facts[fact].journal);
    line_text(line, "=");
    facts[fact].write(line, event);
    keep_if_whole(line, before);
}

void format_journal(struct line *line, const struct event *event)
{
    line->size -= MESSAGE_ROOM;
    line_text(line, "PRIORITY=");
    line_number(line, (unsigned int)event_level_of(event) + LEVEL_ERR_PRIORITY);
    line_text(line, "\nSYSLOG_IDENTIFIER=libreuse\nMESSAGE_ID=");
    line_text(line, event_message_id(event->kind));
    for (size_t i = 0; i < FACTS; i++) {
        if (facts[i].journal != NULL && facts[i].is_there(event)) {
            journal_fact(line, event, i);
        }
    }
    line->size += MESSAGE_ROOM;
    line_text(line, "\nMESSAGE=");
    write_message(line, event);
    line_end(line);
}
