#include "explain.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const refusals[] = {
    [RESCUE_NO_USE] = "another socket holds the port, and SO_REUSEADDR does not free it",
    [RESCUE_NOT_SET] = "another socket holds the port, and SO_REUSEADDR may not be changed",
    [RESCUE_PROGRAMS_OWN] = "another socket holds the port, although the program sets SO_REUSEADDR",
    [RESCUE_NOT_TCP] = "another socket holds the address",
    [RESCUE_ANY_PORT] = "another socket holds the address", /* which could not be read */
    [RESCUE_LEFT_OUT] = "another socket holds the port, and LIBREUSE_PORTS leaves it out",
    [RESCUE_DRY_RUN] = "another socket holds the port; not tried with SO_REUSEADDR "
                       "(LIBREUSE_DRY_RUN)",
    [RESCUE_NOT_TRIED] = "another socket holds the port; it was asked for without SO_REUSEADDR",
};

/* Where it was not looked up who holds the port (LIBREUSE_EXPLAIN=0): how to do that. */
static void say_who(struct line *line, unsigned int port)
{
    if (port != 0) {
        line_text(line, "; to see which: ss -aenp sport = :");
        line_number(line, port);
    }
}

/* ADDRESS: ERRNO: */
static void begin_failure(struct line *line, const struct event *event)
{
    if (event->address->length > 0 || event->kind == EVENT_BIND_FAILED) {
        address_write(line, event->address);
    } else {
        line_text(line, "descriptor ");
        line_signed(line, event->fd);
    }
    line_text(line, ": ");
    explain_name(line, event->error);
    line_text(line, ": ");
}

/* Why the shim did not help, where that is not because of the holders. */
static void write_abstention(struct line *line, enum rescue rescue)
{
    if (rescue == RESCUE_LEFT_OUT) {
        line_text(line, "; LIBREUSE_PORTS leaves the port out");
    } else if (rescue == RESCUE_DRY_RUN) {
        line_text(line, "; not tried with SO_REUSEADDR, because of LIBREUSE_DRY_RUN");
    } else if (rescue == RESCUE_NOT_SET) {
        line_text(line, "; not tried with SO_REUSEADDR, because a filter refuses setsockopt(2) or "
                        "getsockopt(2) of it");
    }
}

static const char no_free_port[] =
    "no port of net.ipv4.ip_local_port_range is free: widen it; a client that binds before it "
    "connects shares ports with IP_BIND_ADDRESS_NO_PORT";

static void explain_bind(struct line *line, const struct event *event)
{
    begin_failure(line, event);
    if (event->error != EADDRINUSE) {
        explain_refused(line, event);
    } else if (address_is_any_port(event->address)) {
        line_text(line, no_free_port);
    } else if (event->holders != NULL) {
        explain_holders(line, event);
        write_abstention(line, event->rescue);
    } else {
        line_text(line, refusals[event->rescue]);
        say_who(line, address_port(event->address));
    }
}

static void explain_listen(struct line *line, const struct event *event)
{
    begin_failure(line, event);
    if (event->error == EADDRINUSE && address_is_any_port(event->address)) {
        line_text(line, no_free_port);
    } else if (event->error == EADDRINUSE && event->holders != NULL) {
        explain_holders(line, event);
        write_abstention(line, event->rescue);
    } else if (event->error == EADDRINUSE) {
        line_text(line, "another socket listens on the port");
        say_who(line, address_port(event->address));
    } else if (event->error == EINVAL) {
        line_text(line, "the socket is connected, or not bound, or in another state that does not "
                        "allow it");
    } else {
        explain_refused(line, event);
    }
}

static void begin_past_failure(struct line *line, const struct event *event)
{
    line_text(line, "bind to ");
    address_write(line, event->address);
    line_text(line, " had failed with ");
    explain_name(line, event->error);
}

static void explain_swallowed(struct line *line, const struct event *event)
{
    begin_past_failure(line, event);
    if (event->listens_on == NULL) {
        line_text(line, config_swallowed() == SWALLOWED_EXIT
                            ? "; the program went on to listen, and is ended with status 75"
                            : "; the program went on to listen, and listen fails with that error");
        line_text(line, " (LIBREUSE_SWALLOWED)");
        return;
    }
    line_text(line, "; the program went on and listens on ");
    address_write(line, event->listens_on);
    const unsigned int port = address_port(event->address);
    if (port != 0) {
        line_text(line, ", clients of port ");
        line_number(line, port);
        line_text(line, " do not reach it");
    }
}

static void explain_waiting(struct line *line, const struct event *event)
{
    address_write(line, event->address);
    line_text(line, ": trying again for up to ");
    line_number(line, event->milliseconds / 1000);
    line_text(line, " s (LIBREUSE_WAIT); ");
    if (event->holders != NULL) {
        explain_holders(line, event);
    } else {
        line_text(line, refusals[event->rescue]);
    }
}

static void explain_rescued(struct line *line, const struct event *event)
{
    address_write(line, event->address);
    line_text(line, event->is_trial ? ": bind would succeed with SO_REUSEADDR"
                                    : ": bind succeeded with SO_REUSEADDR");
    if (event->holders != NULL && event->holders->total > 0) {
        line_text(line, " past ");
        explain_counts(line, event->holders);
    }
}

static void explain_recovered(struct line *line, const struct event *event)
{
    address_write(line, event->address);
    line_text(line, ": bind succeeded after ");
    line_number(line, event->tries);
    line_text(line, event->tries == 1 ? " failed try" : " failed tries");
    if (event->milliseconds != TIME_UNKNOWN) {
        line_text(line, " in ");
        line_seconds(line, event->milliseconds);
    }
}

static void explain_moved(struct line *line, const struct event *event)
{
    begin_past_failure(line, event);
    line_text(line, "; the program has bound ");
    address_write(line, event->bound_to);
    line_text(line, " instead");
    const unsigned int port = address_port(event->address);
    if (port != 0 && port != address_port(event->bound_to)) {
        line_text(line, "; port ");
        line_number(line, port);
        line_text(line, " does not lead to it");
    }
}

static void explain_listening(struct line *line, const struct event *event)
{
    address_write(line, event->address);
    line_text(line, ": armed with SO_REUSEADDR");
}

void explain_settings(struct line *line)
{
    line_text(line, "LIBREUSE_LOG=");
    if (config_log() == LOG_FILE) {
        char path[LOG_PATH_SIZE];
        config_log_path(path);
        line_escaped(line, path, strlen(path));
    } else {
        line_text(line, config_log_name(config_log()));
    }
    line_text(line, config_json() ? " LIBREUSE_FORMAT=json" : " LIBREUSE_FORMAT=text");
    line_text(line, " LIBREUSE_LEVEL=");
    line_text(line, config_level_name(config_level()));
    line_text(line, config_all_ports() ? ", all ports" : ", only some ports (LIBREUSE_PORTS)");
    line_text(line, config_dry_run() ? ", LIBREUSE_DRY_RUN=1" : "");
    line_text(line, config_explain() ? "" : ", LIBREUSE_EXPLAIN=0");
    if (config_wait() > 0) {
        line_text(line, ", LIBREUSE_WAIT=");
        line_number(line, config_wait());
    }
    static const char *const swallowed[] = {
        [SWALLOWED_LOG] = "",
        [SWALLOWED_FAIL] = ", LIBREUSE_SWALLOWED=fail",
        [SWALLOWED_EXIT] = ", LIBREUSE_SWALLOWED=exit",
    };
    line_text(line, swallowed[config_swallowed()]);
}

static void explain_loaded(struct line *line, const struct event *event)
{
    (void)event;
    line_text(line, "version " LIBREUSE_VERSION ", ");
    explain_settings(line);
}

static void explain_wrong_name(struct line *line, const struct complaint *complaint)
{
    line_escaped(line, complaint->value, strlen(complaint->value));
    line_text(line, ": there is no such variable, and it has no effect");
    if (complaint->variable != NULL) {
        line_text(line, "; meant is perhaps ");
        line_text(line, complaint->variable);
    }
}

static void explain_config(struct line *line, const struct event *event)
{
    const struct complaint *complaint = event->complaint;
    if (complaint->expected == NULL) {
        explain_wrong_name(line, complaint);
        return;
    }
    line_text(line, complaint->variable);
    line_text(line, "=\"");
    line_escaped(line, complaint->value, strlen(complaint->value));
    line_text(line, "\": expected ");
    line_text(line, complaint->expected);
    line_text(line, "; using ");
    line_text(line, complaint->in_use);
}

static void explain_log_error(struct line *line, const struct log_failure *log)
{
    explain_name(line, log->error);
    if (log->error == ENXIO) {
        line_text(line, ": no program reads this pipe");
    } else if (log->error == EAGAIN) {
        line_text(line, ": the reader of this pipe does not read");
    } else if (log->error == EACCES || log->error == EPERM) {
        line_text(line, " for uid ");
        line_number(line, log->uid);
    }
}

/* The file of LIBREUSE_LOG does not take a report. */
static void explain_log_failed(struct line *line, const struct event *event)
{
    static const char *const troubles[] = {
        [LOG_TROUBLE_OWNER] = "it, or a folder on the way to it, belongs to uid ",
        [LOG_TROUBLE_LINKS] = "it has a second name (hard link) and lies where everybody may write",
        [LOG_TROUBLE_SYMLINK] = "a symbolic link on the way to it could be anybody's",
        [LOG_TROUBLE_TYPE] = "it is neither a file nor a pipe",
        [LOG_TROUBLE_SIGNALS] = "a filter refuses to hold back the signals that a write may raise",
        [LOG_TROUBLE_CUT] = "it took only a part of a report: the file system is full, or a limit "
                            "is reached",
    };
    const struct log_failure *log = event->log;
    char path[LOG_PATH_SIZE];
    config_log_path(path);
    line_escaped(line, path, strlen(path));
    line_text(line, ": ");
    if (log->trouble == LOG_TROUBLE_ERROR) {
        explain_log_error(line, log);
    } else {
        line_text(line, troubles[log->trouble]);
    }
    if (log->trouble == LOG_TROUBLE_OWNER) {
        line_number(line, log->uid);
        line_text(line, " and lies where everybody may write");
    }
    line_text(line, "; reports that it does not take go to ");
    line_text(line, event->instead);
}

/* ADDRESS: ERRNO: 12 more times in 10 s */
static void explain_repeats(struct line *line, const struct event *event)
{
    begin_failure(line, event);
    line_number(line, event->subject->repeats);
    line_text(line, event->subject->repeats == 1 ? " more time in " : " more times in ");
    line_number(line, event->subject->repeat_time);
    line_text(line, " s");
}

void explain_event(struct line *line, const struct event *event)
{
    if (event->subject != NULL && event->subject->repeats > 0) {
        explain_repeats(line, event);
        return;
    }
    static void (*const sentences[])(struct line * line, const struct event *event) = {
        [EVENT_SWALLOWED] = explain_swallowed,  [EVENT_BIND_FAILED] = explain_bind,
        [EVENT_LISTEN_FAILED] = explain_listen, [EVENT_CONFIG] = explain_config,
        [EVENT_WAITING] = explain_waiting,      [EVENT_RESCUED] = explain_rescued,
        [EVENT_RECOVERED] = explain_recovered,  [EVENT_LISTENING] = explain_listening,
        [EVENT_LOADED] = explain_loaded,        [EVENT_LOG_FAILED] = explain_log_failed,
        [EVENT_MOVED] = explain_moved,
    };
    sentences[event->kind](line, event);
}
