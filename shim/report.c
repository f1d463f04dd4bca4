#include "report.h"

#include "config.h"
#include "explain.h"
#include "kernel.h"
#include "line.h"
#include "sink.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

/* A report of something that worked must leave a small stack alone: it is short, and so its line.
 */
enum { SHORT_LINE_SIZE = 320 };

/* The program's name when the library was loaded: programs overwrite the original with titles. */
static char program[64];
static atomic_bool prepared;

void report_prepare(void)
{
    const char *name = program_invocation_short_name;
    memcpy(program, name, strnlen(name, sizeof program - 1));
    prepared = true;
}

/* Before the C library is initialized, which is when DT_PREINIT_ARRAY runs, only the kernel knows.
 */
static void write_program(struct line *line)
{
    char thread[KERNEL_NAME_SIZE];
    const char *name = prepared ? program : program_invocation_short_name;
    if (name[0] == '\0' && kernel_thread_name(thread)) {
        name = thread;
    }
    line_escaped(line, name, strnlen(name, sizeof program - 1));
}

static void begin(struct line *line, const char *event)
{
    line_text(line, "libreuse: ");
    write_program(line);
    line_text(line, "[");
    line_number(line, (unsigned int)getpid());
    line_text(line, "]: ");
    line_text(line, event);
    line_text(line, ": ");
}

static void end(struct line *line)
{
    line_end(line);
    sink_write(line->text, line->length);
}

static bool is_shown(enum level level)
{
    return level <= config_level();
}

void report_bind_failed(const struct address *asked, int error, enum rescue rescue)
{
    if (!is_shown(LEVEL_ERR)) {
        return;
    }
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    begin(&line, "bind-failed");
    address_write(&line, asked);
    line_text(&line, ": ");
    explain_name(&line, error);
    line_text(&line, ": ");
    explain_bind(&line, error, rescue, address_port(asked));
    end(&line);
}

void report_rescued(const struct address *asked)
{
    if (!is_shown(LEVEL_NOTICE)) {
        return;
    }
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    begin(&line, "rescued");
    address_write(&line, asked);
    line_text(&line, ": bind succeeded with SO_REUSEADDR");
    end(&line);
}

void report_recovered(int fd, const struct failure *failure)
{
    if (!is_shown(LEVEL_NOTICE)) {
        return;
    }
    struct address now;
    address_of_socket(&now, fd);
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    begin(&line, "recovered");
    address_write(&line, &now);
    line_text(&line, ": bind succeeded after ");
    line_number(&line, failure->tries);
    line_text(&line, failure->tries == 1 ? " failed try in " : " failed tries in ");
    line_seconds(&line, (uint64_t)(kernel_milliseconds() - failure->since));
    end(&line);
}

void report_listen_failed(int fd, int error)
{
    if (!is_shown(LEVEL_ERR)) {
        return;
    }
    struct address now;
    address_of_socket(&now, fd);
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    begin(&line, "listen-failed");
    if (now.length > 0) {
        address_write(&line, &now);
    } else {
        line_text(&line, "descriptor ");
        if (fd < 0) {
            line_text(&line, "-");
        }
        line_number(&line, fd < 0 ? -(uint64_t)fd : (uint64_t)fd);
    }
    line_text(&line, ": ");
    explain_name(&line, error);
    line_text(&line, ": ");
    explain_listen(&line, error, address_port(&now));
    end(&line);
}

void report_swallowed(int fd, const struct failure *failure)
{
    struct address now;
    address_of_socket(&now, fd);
    const unsigned int port = address_port(&failure->asked);
    if (port != 0 && port == address_port(&now)) {
        return; /* it was bound before the bind() that failed: it listens where it was asked to */
    }
    if (!is_shown(LEVEL_ERR)) {
        return;
    }
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    begin(&line, "swallowed");
    line_text(&line, "bind to ");
    address_write(&line, &failure->asked);
    line_text(&line, " had failed with ");
    explain_name(&line, failure->error);
    line_text(&line, "; the program went on and listens on ");
    address_write(&line, &now);
    if (port != 0) {
        line_text(&line, ", clients of port ");
        line_number(&line, port);
        line_text(&line, " do not reach it");
    }
    end(&line);
}

void report_listening(int fd)
{
    if (!is_shown(LEVEL_INFO)) {
        return;
    }
    struct address now;
    address_of_socket(&now, fd);
    char text[SHORT_LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    begin(&line, "listening");
    address_write(&line, &now);
    line_text(&line, ": armed with SO_REUSEADDR");
    end(&line);
}

static void report_loaded(void)
{
    char text[SHORT_LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    begin(&line, "loaded");
    line_text(&line, "version " LIBREUSE_VERSION ", LIBREUSE_LEVEL=");
    line_text(&line, config_level_name(config_level()));
    line_text(&line, config_dry_run() ? " LIBREUSE_DRY_RUN=1" : " LIBREUSE_DRY_RUN=0");
    line_text(&line, config_all_ports() ? ", all ports" : ", only the ports of LIBREUSE_PORTS");
    end(&line);
}

static void report_complaint(const struct complaint *complaint)
{
    char text[SHORT_LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    begin(&line, "config");
    line_text(&line, complaint->variable);
    line_text(&line, "=\"");
    line_escaped(&line, complaint->value, strlen(complaint->value));
    line_text(&line, "\": expected ");
    line_text(&line, complaint->expected);
    line_text(&line, "; using ");
    line_text(&line, complaint->in_use);
    end(&line);
}

static void report_complaints(void)
{
    struct complaint complaint;
    while (config_take_complaint(&complaint)) {
        report_complaint(&complaint);
    }
}

void report_first_call(void)
{
    static atomic_bool called;
    if (called || !config_is_loaded() || atomic_exchange(&called, true)) {
        return;
    }
    if (is_shown(LEVEL_INFO)) {
        report_loaded();
    }
    if (is_shown(LEVEL_WARNING)) {
        report_complaints();
    }
}
