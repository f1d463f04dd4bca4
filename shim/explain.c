#include "explain.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const refusals[] = {
    [RESCUE_NO_USE] = "another socket holds the port, and SO_REUSEADDR does not free it",
    [RESCUE_NOT_SET] = "another socket holds the port, and SO_REUSEADDR could not be set",
    [RESCUE_PROGRAMS_OWN] = "another socket holds the port, although the program sets SO_REUSEADDR",
    [RESCUE_NOT_TCP] = "another socket holds the address",
    [RESCUE_ANY_PORT] = "another socket holds the address", /* which could not be read */
    [RESCUE_LEFT_OUT] = "another socket holds the port, and LIBREUSE_PORTS leaves it out",
    [RESCUE_DRY_RUN] = "another socket holds the port; not tried with SO_REUSEADDR "
                       "(LIBREUSE_DRY_RUN)",
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
        line_text(line, "; not tried with SO_REUSEADDR, because a filter refuses setsockopt(2)");
    }
}

static const char no_free_port[] = "no port of net.ipv4.ip_local_port_range is free";

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

static void explain_swallowed(struct line *line, const struct event *event)
{
    line_text(line, "bind to ");
    address_write(line, event->address);
    line_text(line, " had failed with ");
    explain_name(line, event->error);
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
    line_text(line, ": bind succeeded with SO_REUSEADDR");
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
    line_text(line, event->tries == 1 ? " failed try in " : " failed tries in ");
    line_seconds(line, event->milliseconds);
}

static void explain_listening(struct line *line, const struct event *event)
{
    address_write(line, event->address);
    line_text(line, ": armed with SO_REUSEADDR");
}

static void explain_loaded(struct line *line, const struct event *event)
{
    (void)event;
    line_text(line, "version " LIBREUSE_VERSION ", LIBREUSE_LOG=");
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

static void explain_config(struct line *line, const struct event *event)
{
    const struct complaint *complaint = event->complaint;
    line_text(line, complaint->variable);
    line_text(line, "=\"");
    line_escaped(line, complaint->value, strlen(complaint->value));
    line_text(line, "\": expected ");
    line_text(line, complaint->expected);
    line_text(line, "; using ");
    line_text(line, complaint->in_use);
}

void explain_event(struct line *line, const struct event *event)
{
    static void (*const sentences[])(struct line * line, const struct event *event) = {
        [EVENT_SWALLOWED] = explain_swallowed,  [EVENT_BIND_FAILED] = explain_bind,
        [EVENT_LISTEN_FAILED] = explain_listen, [EVENT_CONFIG] = explain_config,
        [EVENT_WAITING] = explain_waiting,      [EVENT_RESCUED] = explain_rescued,
        [EVENT_RECOVERED] = explain_recovered,  [EVENT_LISTENING] = explain_listening,
        [EVENT_LOADED] = explain_loaded,
    };
    sentences[event->kind](line, event);
}
