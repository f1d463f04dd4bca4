#include "fields.h"

#include "explain/explain.h"
#include "format.h"

#include <string.h>

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

static void write_runs(struct line *line, const struct event *event)
{
    line_escaped(line, event->subject->runs, strlen(event->subject->runs));
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

static void write_holder_runs(struct line *line, const struct event *event)
{
    const char *script = event->holders->named.owner.script;
    line_escaped(line, script, strlen(script));
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

static bool has_runs(const struct event *event)
{
    return has_subject(event) && event->subject->runs != NULL;
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
    return event->holders != NULL && holders_have_name(event->holders);
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

static bool runs_script(const struct event *event)
{
    return has_owner(event) && event->holders->named.owner.script[0] != '\0';
}

static bool has_time_wait(const struct event *event)
{
    return has_holders(event) && event->holders->count[STATE_TIME_WAIT] > 0;
}

const struct field fields[] = {
    {"program", "LIBREUSE_PROGRAM", false, always, format_program},
    {"pid", NULL, true, always, format_pid},
    {NULL, "OBJECT_PID", true, has_subject, format_pid},
    {"unit", "LIBREUSE_UNIT", false, has_unit, write_unit},
    {"runs", "LIBREUSE_RUNS", false, has_runs, write_runs},
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
    {"holder_runs", "LIBREUSE_HOLDER_RUNS", false, runs_script, write_holder_runs},
    {"holder_fd", "LIBREUSE_HOLDER_FD", true, has_owner, write_holder_fd},
    {"holder_processes", "LIBREUSE_HOLDER_PROCESSES", true, has_owner, write_holder_processes},
    {"time_wait", "LIBREUSE_TIME_WAIT", true, has_time_wait, write_time_wait},
    {"time_wait_seconds", "LIBREUSE_TIME_WAIT_SECONDS", true, has_time_wait,
     write_time_wait_seconds},
    {"tries", "LIBREUSE_TRIES", true, has_tries, write_tries},
    {"left_out", "LIBREUSE_LEFT_OUT", true, has_left_out, write_count_left_out},
    {"ends_burst", "LIBREUSE_ENDS_BURST", true, ends_burst, write_true},
};
const size_t fields_count = sizeof fields / sizeof fields[0];
