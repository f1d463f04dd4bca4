/*
 * Where reports go: descriptor 2, the journal, the system log, in the order of auto, and what
 * arrives there, byte for byte. The files are in log_file.c.
 */
#include "deadline.h"
#include "host.h"
#include "json.h"
#include "moments.h"
#include "namespace.h"
#include "receivers.h"
#include "reports.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define FIXTURE(name) BUILD_FOLDER "/fixtures/" name

/* Nobody has this address, and nothing needs to be looked up to say so. */
#define NOBODYS_ADDRESS "192.0.2.1:9999"
#define DATA            "the host's own data"

/* The receivers of a test; -1 where the test has none. */
static int journal;
static int system_log;

static void make_machine(void)
{
    enter_private_network();
    enter_private_files();
    journal = -1;
    system_log = -1;
}

static void open_both(void)
{
    journal = receive_at(JOURNAL_PATH);
    system_log = receive_at(SYSTEM_LOG_PATH);
}

TestSuite(sinks, .init = make_machine);

static struct host host_with(const char *log, const char *setting)
{
    return start_host_as(WITH_SHIM, (struct program){.settings = {log, setting}});
}

static struct host host_on(int errors, const char *log)
{
    return start_host_as(WITH_SHIM, (struct program){.settings = {log}, .errors = errors});
}

/* One report is due. */
static void fail(struct host *host)
{
    int fd = host_tcp_socket(host);
    EXPECT_ERROR(host_bind(host, fd, NOBODYS_ADDRESS), EADDRNOTAVAIL);
    host_close(host, fd);
}

static unsigned count_in(const char *text, const char *words)
{
    unsigned count = 0;
    for (const char *found = strstr(text, words); found != NULL; found = strstr(found, words)) {
        count++;
        found += strlen(words);
    }
    return count;
}

static unsigned take_reports(int receiver)
{
    static struct datagram datagram;
    unsigned count = 0;
    while (receiver >= 0 && receive(receiver, &datagram)) {
        count += count_in(datagram.bytes, ": bind-failed: ");
    }
    return count;
}

enum place { NOWHERE, STANDARD_ERROR, JOURNAL, SYSTEM_LOG };

/* One report has come, and that is where. */
static void expect_at(enum place place, const char *errors)
{
    EXPECT_VALUE(take_reports(journal), place == JOURNAL);
    EXPECT_VALUE(take_reports(system_log), place == SYSTEM_LOG);
    EXPECT_VALUE(count_in(errors, ": bind-failed: "), place == STANDARD_ERROR);
}

static void check(struct host host, enum place place)
{
    fail(&host);
    expect_at(place, errors_of(&host.process));
    end_host(&host);
}

/* auto */

Test(sinks, auto_writes_to_the_standard_error_of_load_time)
{
    open_both();
    check(start_host(WITH_SHIM), STANDARD_ERROR);
    check(host_with("LIBREUSE_LOG=auto", NULL), STANDARD_ERROR);
    check(host_with("LIBREUSE_LOG=", NULL), STANDARD_ERROR);
}

static int new_file(void)
{
    int fd = memfd_create("errors", MFD_CLOEXEC);
    cr_assert_geq(fd, 0, "memfd_create: %s", strerror(errno));
    return fd;
}

/* JOURNAL_STREAM as systemd sets it, for a host whose descriptor 2 is this file. */
static const char *stream_of(int fd)
{
    static char setting[128];
    struct stat facts;
    cr_assert_eq(fstat(fd, &facts), 0, "fstat: %s", strerror(errno));
    snprintf(setting, sizeof setting, "JOURNAL_STREAM=%ju:%ju", (uintmax_t)facts.st_dev,
             (uintmax_t)facts.st_ino);
    return setting;
}

static struct host host_of_systemd(int errors, const char *log)
{
    return start_host_as(WITH_SHIM,
                         (struct program){.settings = {stream_of(errors), log}, .errors = errors});
}

static void check_host_of_systemd(const char *log, enum place place)
{
    int errors = new_file();
    struct host host = host_of_systemd(errors, log);
    fail(&host);
    expect_at(place, content_of(errors));
}

Test(sinks, auto_takes_the_journal_when_standard_error_is_connected_to_it)
{
    open_both();
    check_host_of_systemd("LIBREUSE_LOG=auto", JOURNAL);
}

Test(sinks, auto_takes_standard_error_when_that_is_the_journals_and_the_journal_does_not_answer)
{
    system_log = receive_at(SYSTEM_LOG_PATH);
    check_host_of_systemd("LIBREUSE_LOG=auto", STANDARD_ERROR);
}

Test(sinks, stderr_is_taken_when_it_is_asked_for_though_it_is_connected_to_the_journal)
{
    open_both();
    check_host_of_systemd("LIBREUSE_LOG=stderr", STANDARD_ERROR);
}

/* A service that has its own log on descriptor 2 inherits the variable from its start script. */
Test(sinks, auto_takes_standard_error_when_another_file_is_connected_to_the_journal)
{
    open_both();
    int errors = new_file();
    struct host host = start_host_as(WITH_SHIM, (struct program){.settings = {stream_of(errors)}});
    fail(&host);
    expect_at(STANDARD_ERROR, errors_of(&host.process));
    cr_assert_str_empty(content_of(errors));
}

Test(sinks, auto_takes_standard_error_when_the_journals_stream_is_no_device_and_inode)
{
    open_both();
    int errors = new_file();
    char inode[128];
    char more[128];
    char other[128];
    struct stat facts;
    cr_assert_eq(fstat(errors, &facts), 0);
    snprintf(inode, sizeof inode, "JOURNAL_STREAM=%ju", (uintmax_t)facts.st_ino);
    snprintf(more, sizeof more, "%s:1", stream_of(errors));
    snprintf(other, sizeof other, "JOURNAL_STREAM=%ju:%ju", (uintmax_t)facts.st_dev + 1,
             (uintmax_t)facts.st_ino);
    const char *const streams[] = {"JOURNAL_STREAM=",
                                   "JOURNAL_STREAM=:",
                                   "JOURNAL_STREAM=-1:-1",
                                   "JOURNAL_STREAM=0:0",
                                   inode,
                                   more,
                                   other};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        struct host host =
            start_host_as(WITH_SHIM, (struct program){.settings = {streams[i]}, .errors = errors});
        fail(&host);
        cr_assert_eq(take_reports(journal), 0, "%s", streams[i]);
        cr_assert_eq(count_in(content_of(errors), ": bind-failed: "), i + 1, "%s", streams[i]);
    }
}

/* The journal gets what the program does not see: its descriptor 2 is a data file by now. */
Test(sinks, auto_takes_the_journal_when_standard_error_was_connected_to_it_and_is_a_data_file_now)
{
    open_both();
    int errors = new_file();
    struct host host = host_of_systemd(errors, NULL);
    make_file(OWN_FOLDER "/data", 0644, "");
    host_close(&host, 2);
    EXPECT_VALUE(host_open(&host, OWN_FOLDER "/data"), 2);
    fail(&host);
    host_write(&host, 2, DATA);
    expect_at(JOURNAL, content_of(errors));
    cr_assert_str_eq(file_at(OWN_FOLDER "/data"), DATA);
}

static int dev_null(void)
{
    int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "/dev/null: %s", strerror(errno));
    return fd;
}

Test(sinks, auto_takes_the_journal_when_standard_error_is_dev_null)
{
    open_both();
    check(host_on(dev_null(), "LIBREUSE_LOG=auto"), JOURNAL);
}

Test(sinks, auto_takes_the_journal_when_the_program_has_no_standard_error)
{
    open_both();
    check(start_host_as(WITH_SHIM, (struct program){.errors_closed = true}), JOURNAL);
}

Test(sinks, auto_takes_the_journal_when_the_program_has_closed_standard_error)
{
    open_both();
    struct host host = start_host(WITH_SHIM);
    host_close(&host, 2);
    check(host, JOURNAL);
}

Test(sinks, auto_takes_the_system_log_when_there_is_neither_standard_error_nor_a_journal)
{
    system_log = receive_at(SYSTEM_LOG_PATH);
    check(host_on(dev_null(), "LIBREUSE_LOG=auto"), SYSTEM_LOG);
}

Test(sinks, auto_loses_a_report_that_nobody_takes_and_the_program_goes_on)
{
    struct host host = host_on(dev_null(), "LIBREUSE_LOG=auto");
    fail(&host);
    EXPECT_SUCCESS(host_listen(&host, host_tcp_socket(&host)));
    end_host(&host);
}

/* Each name of LIBREUSE_LOG */

Test(sinks, stderr_is_followed_by_the_journal_and_the_system_log_when_it_cannot_be_used)
{
    system_log = receive_at(SYSTEM_LOG_PATH);
    check(host_on(dev_null(), "LIBREUSE_LOG=stderr"), SYSTEM_LOG);
    journal = receive_at(JOURNAL_PATH);
    check(host_on(dev_null(), "LIBREUSE_LOG=stderr"), JOURNAL);
}

Test(sinks, journal_takes_all_and_standard_error_stays_clean)
{
    open_both();
    check(host_with("LIBREUSE_LOG=journal", NULL), JOURNAL);
}

Test(sinks, journal_that_does_not_answer_is_followed_by_standard_error)
{
    system_log = receive_at(SYSTEM_LOG_PATH);
    check(host_with("LIBREUSE_LOG=journal", NULL), STANDARD_ERROR);
    /* The socket of a journal that has ended is a file to which nobody listens. */
    close(receive_at(JOURNAL_PATH));
    check(host_with("LIBREUSE_LOG=journal", NULL), STANDARD_ERROR);
    check(host_on(dev_null(), "LIBREUSE_LOG=journal"), SYSTEM_LOG);
}

Test(sinks, syslog_takes_all_and_standard_error_stays_clean)
{
    open_both();
    check(host_with("LIBREUSE_LOG=syslog", NULL), SYSTEM_LOG);
}

Test(sinks, syslog_that_does_not_answer_is_followed_by_standard_error_and_then_by_the_journal)
{
    journal = receive_at(JOURNAL_PATH);
    check(host_with("LIBREUSE_LOG=syslog", NULL), STANDARD_ERROR);
    check(host_on(dev_null(), "LIBREUSE_LOG=syslog"), JOURNAL);
}

/* Some system logs of old listened on a stream socket. */
Test(sinks, syslog_on_a_stream_socket_is_followed_by_standard_error)
{
    int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SYSTEM_LOG_PATH};
    cr_assert_eq(bind(stream, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(stream, 1), 0);
    check(host_with("LIBREUSE_LOG=syslog", NULL), STANDARD_ERROR);
}

Test(sinks, none_writes_nothing_anywhere_not_even_what_was_swallowed)
{
    open_both();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = host_with("LIBREUSE_LOG=none", "LIBREUSE_LEVEL=info");
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_silence(&host.process);
    struct datagram datagram;
    cr_assert(!receive(journal, &datagram), "the journal got: %s", datagram.bytes);
    cr_assert(!receive(system_log, &datagram), "the system log got: %s", datagram.bytes);
}

/* What arrives */

/* The text of the only report on standard error, without its newline. */
static char *only_line(const struct host *host)
{
    char *text = errors_of(&host->process);
    cr_assert_eq(count_in(text, "\n"), 1, "not one line: %s", text);
    text[strlen(text) - 1] = '\0';
    return text;
}

/* What every report says after "libreuse: PROGRAM[PID]: ", taken from standard error. */
static const char *sentence(void)
{
    struct host host = start_host(WITH_SHIM);
    fail(&host);
    return strstr(only_line(&host), "]: ") + strlen("]: ");
}

static char *start_of(const struct host *host)
{
    static char start[64];
    snprintf(start, sizeof start, "obedient_host[%d]: ", (int)host->process.pid);
    return start;
}

Test(sinks, syslog_gets_a_datagram_in_the_form_of_rfc_3164_and_nothing_more)
{
    open_both();
    struct host host = host_with("LIBREUSE_LOG=syslog", "TZ=Asia/Kathmandu");
    int64_t since = moment_now();
    fail(&host);
    struct datagram datagram;
    cr_assert(receive(system_log, &datagram));
    cr_assert_eq(strncmp(datagram.bytes, "<27>", 4), 0, "%s", datagram.bytes);
    const char *rest = expect_syslog_moment(datagram.bytes + 4, since);
    char expected[2048];
    snprintf(expected, sizeof expected, " libreuse: %s%s", start_of(&host), sentence());
    cr_assert_str_eq(rest, expected);
    cr_assert_eq(strlen(datagram.bytes), datagram.length, "there is more behind a zero byte");
}

Test(sinks, syslog_gets_a_tag_before_json)
{
    open_both();
    struct host host = host_with("LIBREUSE_LOG=syslog", "LIBREUSE_FORMAT=json");
    int64_t since = moment_now();
    fail(&host);
    struct datagram datagram;
    cr_assert(receive(system_log, &datagram));
    cr_assert_eq(strncmp(datagram.bytes, "<27>", 4), 0, "%s", datagram.bytes);
    const char *rest = expect_syslog_moment(datagram.bytes + 4, since);
    static const char tag[] = " libreuse: ";
    cr_assert_eq(strncmp(rest, tag, strlen(tag)), 0, "%s", rest);
    const char *object = rest + strlen(tag);
    cr_assert(json_is_object(object, datagram.length - (size_t)(object - datagram.bytes)), "%s",
              object);
}

/*
 * One event of each level: port 9999 has a leftover that is rescued, port 7777 is another host's
 * and one setting is nonsense. The events that come, in their order, with the program's level.
 */
static const struct {
    const char *event;
    const char *level;
    const char *message_id;
} events[] = {
    {"loaded", "info", "3e5467a0188544a289d190eecc7a2284"},
    {"config", "warning", "2428c3cd92254510aa881fb12753cf10"},
    {"rescued", "notice", "5120eb3c0a64446b84973aa0f215978d"},
    {"listening", "info", "36aa45f5aa6a4f8bb2cc48ab940eb420"},
    {"waiting", "notice", "79e89a807b4a44d585df761a6b26e529"},
    {"bind-failed", "err", "03deeed9311f4ecaa3a3366e8b1c76c9"},
    {"swallowed", "err", "797c1744a55f43d9bcb49cba1163dbc5"},
    {"listening", "info", "36aa45f5aa6a4f8bb2cc48ab940eb420"},
    {"bind-failed", "err", "03deeed9311f4ecaa3a3366e8b1c76c9"},
    {"moved", "warning", "8acb3dd26b4546b497316d33654aea16"},
    {"listen-failed", "err", "b49018f2d2e1488996401253698974e3"},
};
enum { EVENTS = sizeof events / sizeof events[0] };

static struct host holder;

static struct host host_with_every_event(const char *log)
{
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:7777");
    struct host host = start_host_as(
        WITH_SHIM, (struct program){.settings = {log, "LIBREUSE_LEVEL=info", "LIBREUSE_WAIT=1",
                                                 "LIBREUSE_DRY_RUN=perhaps"}});
    host_serve(&host, "127.0.0.1:9999");
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "127.0.0.1:7777"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, NOBODYS_ADDRESS), EADDRNOTAVAIL);
    EXPECT_SUCCESS(host_bind(&host, fd, "127.0.0.1:8888"));
    EXPECT_ERROR(host_listen(&host, -1), EBADF);
    return host;
}

static int priority_of(const char *level)
{
    static const char *const levels[] = {"err", "warning", "notice", "info"};
    int priority = 0;
    while (strcmp(levels[priority], level) != 0) {
        priority++;
    }
    return priority + 3;
}

Test(sinks, syslog_gets_every_event_from_the_facility_daemon_with_its_severity)
{
    open_both();
    struct host host = host_with_every_event("LIBREUSE_LOG=syslog");
    for (size_t i = 0; i < EVENTS; i++) {
        struct datagram datagram;
        cr_assert(receive(system_log, &datagram), "no %s", events[i].event);
        char priority[16];
        char event[128];
        snprintf(priority, sizeof priority, "<%d>", 3 * 8 + priority_of(events[i].level));
        snprintf(event, sizeof event, " libreuse: %s%s: ", start_of(&host), events[i].event);
        cr_assert_eq(strncmp(datagram.bytes, priority, strlen(priority)), 0, "%s instead of %s",
                     datagram.bytes, priority);
        cr_assert_not_null(strstr(datagram.bytes, event), "%s instead of%s", datagram.bytes, event);
    }
    EXPECT_VALUE(take_reports(system_log), 0);
    expect_silence(&host.process);
}

/*
 * The value of a field of the journal's native protocol; NULL where it is not there. Every line
 * must be a field with a legal name, and none may be there twice (systemd would take both).
 */
static const char *field(const struct datagram *datagram, const char *name)
{
    const char *found = NULL;
    cr_assert_eq(strlen(datagram->bytes), datagram->length, "a zero byte in the record");
    cr_assert_eq(datagram->bytes[datagram->length - 1], '\n', "not ended: %s", datagram->bytes);
    for (const char *line = datagram->bytes; *line != '\0'; line = strchr(line, '\n') + 1) {
        const size_t length = strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        cr_assert(length > 0 && line[0] != '_' && line[length] == '=', "no field: %s", line);
        if (length == strlen(name) && strncmp(line, name, length) == 0) {
            cr_assert_null(found, "twice: %s", line);
            found = strndup(line + length + 1, strcspn(line + length + 1, "\n"));
        }
    }
    return found;
}

static void expect_field(const struct datagram *datagram, const char *name, const char *expected)
{
    const char *value = field(datagram, name);
    cr_assert_not_null(value, "no %s in %s", name, datagram->bytes);
    cr_assert_str_eq(value, expected, "%s=%s instead of %s", name, value, expected);
}

static void expect_number(const struct datagram *datagram, const char *name, long expected)
{
    char number[32];
    snprintf(number, sizeof number, "%ld", expected);
    expect_field(datagram, name, number);
}

static void expect_no_field(const struct datagram *datagram, const char *name)
{
    cr_assert_null(field(datagram, name), "%s in %s", name, datagram->bytes);
}

Test(sinks, journal_gets_a_record_of_its_native_protocol_with_a_field_for_each_fact)
{
    open_both();
    struct host host = host_with("LIBREUSE_LOG=journal", NULL);
    fail(&host);
    struct datagram datagram;
    cr_assert(receive(journal, &datagram));
    char message[2048];
    snprintf(message, sizeof message, "%s%s", start_of(&host), sentence());
    expect_field(&datagram, "MESSAGE", message);
    expect_field(&datagram, "PRIORITY", "3");
    expect_field(&datagram, "SYSLOG_IDENTIFIER", "libreuse");
    expect_field(&datagram, "MESSAGE_ID", "03deeed9311f4ecaa3a3366e8b1c76c9");
    expect_field(&datagram, "LIBREUSE_PROGRAM", "obedient_host");
    expect_field(&datagram, "LIBREUSE_EVENT", "bind-failed");
    expect_field(&datagram, "LIBREUSE_ADDRESS", NOBODYS_ADDRESS);
    expect_field(&datagram, "LIBREUSE_PORT", "9999");
    expect_field(&datagram, "LIBREUSE_ERRNO", "EADDRNOTAVAIL");
    EXPECT_VALUE(count_in(datagram.bytes, "\n"), 9);
}

/* JSON is for programs that read lines; the journal has fields. */
Test(sinks, journal_gets_the_same_record_when_the_format_is_json)
{
    open_both();
    struct host host = host_with("LIBREUSE_LOG=journal", "LIBREUSE_FORMAT=json");
    fail(&host);
    struct datagram datagram;
    cr_assert(receive(journal, &datagram));
    char message[2048];
    snprintf(message, sizeof message, "%s%s", start_of(&host), sentence());
    expect_field(&datagram, "MESSAGE", message);
    expect_field(&datagram, "LIBREUSE_EVENT", "bind-failed");
}

Test(sinks, journal_gets_every_event_with_its_priority_and_the_number_of_its_catalogue_entry)
{
    open_both();
    struct host host = host_with_every_event("LIBREUSE_LOG=journal");
    for (size_t i = 0; i < EVENTS; i++) {
        struct datagram datagram;
        cr_assert(receive(journal, &datagram), "no %s", events[i].event);
        expect_field(&datagram, "LIBREUSE_EVENT", events[i].event);
        expect_field(&datagram, "MESSAGE_ID", events[i].message_id);
        expect_number(&datagram, "PRIORITY", priority_of(events[i].level));
        const char *message = field(&datagram, "MESSAGE");
        cr_assert_eq(strncmp(message, start_of(&host), strlen(start_of(&host))), 0, "%s", message);
    }
    EXPECT_VALUE(take_reports(journal), 0);
    expect_silence(&host.process);
}

Test(sinks, journal_gets_who_holds_the_port)
{
    open_both();
    struct host owner = start_host(WITHOUT_SHIM);
    int listener = host_serve(&owner, "127.0.0.1:9999");
    struct host host = host_with("LIBREUSE_LOG=journal", NULL);
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    struct datagram datagram;
    cr_assert(receive(journal, &datagram));
    expect_field(&datagram, "LIBREUSE_ADDRESS", "0.0.0.0:9999");
    expect_field(&datagram, "LIBREUSE_ERRNO", "EADDRINUSE");
    expect_field(&datagram, "LIBREUSE_HOLDERS", "1");
    expect_field(&datagram, "LIBREUSE_HOLDER_STATE", "LISTEN");
    expect_field(&datagram, "LIBREUSE_HOLDER_ADDRESS", "127.0.0.1:9999");
    expect_number(&datagram, "LIBREUSE_HOLDER_UID", (long)geteuid());
    expect_number(&datagram, "LIBREUSE_HOLDER_PID", owner.process.pid);
    expect_field(&datagram, "LIBREUSE_HOLDER_PROGRAM", "obedient_host");
    expect_number(&datagram, "LIBREUSE_HOLDER_FD", listener);
    expect_no_field(&datagram, "LIBREUSE_HOLDER_PEER");
    expect_no_field(&datagram, "LIBREUSE_TIME_WAIT");

    EXPECT_SUCCESS(host_listen(&host, fd));
    cr_assert(receive(journal, &datagram));
    char listens_on[32];
    snprintf(listens_on, sizeof listens_on, "0.0.0.0:%u", host_port(&host, fd));
    expect_field(&datagram, "LIBREUSE_EVENT", "swallowed");
    expect_field(&datagram, "LIBREUSE_ADDRESS", "0.0.0.0:9999");
    expect_field(&datagram, "LIBREUSE_LISTENS_ON", listens_on);
}

Test(sinks, journal_gets_how_long_leftovers_stay)
{
    open_both();
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    struct host host = host_with("LIBREUSE_LOG=journal", NULL);
    host_serve(&host, "127.0.0.1:9999");
    struct datagram datagram;
    cr_assert(receive(journal, &datagram));
    expect_field(&datagram, "LIBREUSE_EVENT", "rescued");
    expect_field(&datagram, "LIBREUSE_HOLDER_STATE", "TIME_WAIT");
    expect_field(&datagram, "LIBREUSE_HOLDERS", "1");
    expect_field(&datagram, "LIBREUSE_TIME_WAIT", "1");
    long seconds = strtol(field(&datagram, "LIBREUSE_TIME_WAIT_SECONDS"), NULL, 10);
    cr_assert(seconds > 60 - 2 * DEADLINE_SECONDS && seconds <= 60, "%ld s", seconds);
    cr_assert_not_null(field(&datagram, "LIBREUSE_HOLDER_PEER"));
    expect_no_field(&datagram, "LIBREUSE_HOLDER_PID");
    expect_no_field(&datagram, "LIBREUSE_ERRNO");
}

/* A path with a newline in it could end a field and begin another. */
Test(sinks, journal_gets_no_field_that_an_address_forges)
{
    open_both();
    struct host first = start_host(WITHOUT_SHIM);
    static const char name[] = "@x\nPRIORITY=0\n_PID=1\nMESSAGE=forged";
    EXPECT_SUCCESS(host_bind(&first, host_socket(&first, AF_UNIX, SOCK_STREAM, 0), name));
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.title = "x\nMESSAGE_ID=forged",
                                                  .settings = {"LIBREUSE_LOG=journal"}});
    EXPECT_ERROR(host_bind(&host, host_socket(&host, AF_UNIX, SOCK_STREAM, 0), name), EADDRINUSE);
    struct datagram datagram;
    cr_assert(receive(journal, &datagram));
    expect_field(&datagram, "PRIORITY", "3");
    expect_field(&datagram, "LIBREUSE_PROGRAM", "x\\x0aMESSAGE_ID=forged");
    expect_field(&datagram, "LIBREUSE_ADDRESS", "@x\\x0aPRIORITY=0\\x0a_PID=1\\x0aMESSAGE=forged");
}

/* Nobody waits */

/* A receiver that does not read. The harness gives up when a host waits for it. */
Test(sinks, journal_that_is_full_stops_nobody_and_standard_error_takes_the_report)
{
    open_both();
    fill_receiver(JOURNAL_PATH);
    check(host_with("LIBREUSE_LOG=journal", NULL), STANDARD_ERROR);
}

Test(sinks, journal_that_is_full_is_followed_by_the_system_log_when_there_is_no_standard_error)
{
    open_both();
    fill_receiver(JOURNAL_PATH);
    check(host_on(dev_null(), "LIBREUSE_LOG=journal"), SYSTEM_LOG);
    fill_receiver(JOURNAL_PATH);
    check(host_on(dev_null(), "LIBREUSE_LOG=auto"), SYSTEM_LOG);
}

Test(sinks, syslog_that_is_full_stops_nobody_and_standard_error_takes_the_report)
{
    open_both();
    fill_receiver(SYSTEM_LOG_PATH);
    check(host_with("LIBREUSE_LOG=syslog", NULL), STANDARD_ERROR);
}

Test(sinks, that_are_all_full_lose_the_report_and_stop_nobody)
{
    open_both();
    fill_receiver(JOURNAL_PATH);
    fill_receiver(SYSTEM_LOG_PATH);
    check(host_on(dev_null(), "LIBREUSE_LOG=auto"), NOWHERE);
}

Test(sinks, journal_takes_reports_again_when_it_reads_again)
{
    open_both();
    struct host host = host_with("LIBREUSE_LOG=journal", NULL);
    fill_receiver(JOURNAL_PATH);
    fail(&host);
    take_reports(journal);
    fail(&host);
    EXPECT_VALUE(take_reports(journal), 1);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
}

/* A terminal of the test's own: the host's side. */
static int open_terminal(int *controller)
{
    *controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(*controller >= 0 && grantpt(*controller) == 0 && unlockpt(*controller) == 0,
              "no terminal: %s", strerror(errno));
    int terminal = open(ptsname(*controller), O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert_geq(terminal, 0, "%s: %s", ptsname(*controller), strerror(errno));
    return terminal;
}

Test(sinks, stderr_that_is_a_terminal_gets_the_reports)
{
    int controller;
    int terminal = open_terminal(&controller);
    struct host host = host_on(terminal, NULL);
    fail(&host);
    char text[4096];
    ssize_t got = read(controller, text, sizeof text - 1);
    cr_assert_gt(got, 0, "read: %s", strerror(errno));
    text[got] = '\0';
    EXPECT_VALUE(count_in(text, ": bind-failed: "), 1);
}

/* Ctrl-S */
Test(sinks, stderr_that_is_a_stopped_terminal_stops_nobody_and_the_journal_takes_the_report)
{
    open_both();
    int controller;
    int terminal = open_terminal(&controller);
    cr_assert_eq(tcflow(terminal, TCOOFF), 0, "tcflow: %s", strerror(errno));
    check(host_on(terminal, NULL), JOURNAL);
}

/* Writes single bytes until not one more fits; the result is how many bytes that are. */
static size_t fill_terminal(int terminal)
{
    size_t written = 0;
    int flags = fcntl(terminal, F_GETFL);
    fcntl(terminal, F_SETFL, flags | O_NONBLOCK);
    while (write(terminal, "x", 1) == 1) {
        written++;
    }
    fcntl(terminal, F_SETFL, flags);
    return written;
}

Test(sinks, stderr_that_is_a_full_terminal_stops_nobody_and_the_journal_takes_the_report)
{
    open_both();
    int controller;
    int terminal = open_terminal(&controller);
    fill_terminal(terminal);
    check(host_on(terminal, NULL), JOURNAL);
}

/* There is room, but not for a whole report: a plain write would wait for the rest. */
Test(sinks, stderr_that_is_an_almost_full_terminal_stops_nobody)
{
    open_both();
    int controller;
    int terminal = open_terminal(&controller);
    size_t room = fill_terminal(terminal);
    tcflush(terminal, TCOFLUSH);
    tcflush(controller, TCIFLUSH);
    close(terminal);
    close(controller);

    terminal = open_terminal(&controller);
    int flags = fcntl(terminal, F_GETFL);
    fcntl(terminal, F_SETFL, flags | O_NONBLOCK);
    for (size_t written = 0; written + 20 < room; written++) {
        cr_assert_eq(write(terminal, "x", 1), 1, "write: %s", strerror(errno));
    }
    fcntl(terminal, F_SETFL, flags);
    struct host host = host_on(terminal, NULL);
    fail(&host);
    fail(&host);
    end_host(&host);
}

/* A guest, on these paths, too */

static const char *const logs[] = {
    "LIBREUSE_LOG=stderr",
    "LIBREUSE_LOG=journal",
    "LIBREUSE_LOG=syslog",
    "LIBREUSE_LOG=" OWN_FOLDER "/log",
    "LIBREUSE_LOG=" OWN_FOLDER "/missing/log", /* what follows when a sink fails */
};
enum { LOGS = sizeof logs / sizeof logs[0] };

/* Runs the fixture with each sink, receivers there and not there, in text and JSON. */
static void run_with_every_sink(const char *fixture,
                                void (*look)(struct process *process, const char *log))
{
    for (size_t i = 0; i < 2 * LOGS; i++) {
        if (i == LOGS) {
            close(journal);
            close(system_log);
        }
        enter_private_network();
        struct process process = run((struct program){
            .path = fixture,
            .shim = WITH_SHIM,
            .settings = {logs[i % LOGS], "LIBREUSE_LEVEL=info",
                         i % 2 == 0 ? "LIBREUSE_FORMAT=json" : "LIBREUSE_FORMAT=text"}});
        look(&process, logs[i % LOGS]);
    }
}

static void expect_all_of_it_reached(struct process *process, const char *log)
{
    cr_assert_str_eq(output_of(process),
                     "reached 6: Address already in use ok ok ok ok ok; cancelled\n", "%s", log);
}

Test(sinks, have_no_cancellation_point)
{
    open_both();
    run_with_every_sink(FIXTURE("pending_cancel"), expect_all_of_it_reached);
}

static void expect_no_allocation(struct process *process, const char *log)
{
    cr_assert_str_eq(output_of(process), "0 calls, 2 calls of strdup() and free()\n", "%s", log);
}

Test(sinks, allocate_no_memory)
{
    open_both();
    run_with_every_sink(FIXTURE("count_allocations"), expect_no_allocation);
}

static void expect_service_without_much_stack(struct process *process, const char *log)
{
    cr_assert_str_eq(output_of(process), "bind ok, off; listen ok, on\n", "%s", log);
}

Test(sinks, work_on_a_thread_with_the_smallest_stack)
{
    open_both();
    run_with_every_sink(FIXTURE("small_stack"), expect_service_without_much_stack);
}

/* Descriptors of the host, after two reports, are those that it had before. */
static void expect_no_leak(const char *log)
{
    struct host host = host_with(log, "LIBREUSE_LEVEL=info");
    unsigned before = count_descriptors(&host);
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "127.0.0.1:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    cr_assert_eq(count_descriptors(&host), before + 1, "%s: %u descriptors instead of %u", log,
                 count_descriptors(&host), before + 1);
    EXPECT_VALUE(host_tcp_socket(&host), fd + 1);
    end_host(&host);
}

Test(sinks, leave_no_descriptor_open)
{
    holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    for (size_t i = 0; i < LOGS; i++) {
        expect_no_leak(logs[i]);
    }
    open_both();
    for (size_t i = 0; i < LOGS; i++) {
        expect_no_leak(logs[i]);
    }
    fill_receiver(JOURNAL_PATH);
    fill_receiver(SYSTEM_LOG_PATH);
    for (size_t i = 0; i < LOGS; i++) {
        expect_no_leak(logs[i]);
    }
    expect_no_leak("LIBREUSE_LOG=" OWN_FOLDER);
    expect_no_leak("LIBREUSE_LOG=/dev/null");
    expect_no_leak("LIBREUSE_LOG=" SYSTEM_LOG_PATH);
}

Test(sinks, that_need_a_descriptor_are_followed_by_standard_error_when_there_is_none_left)
{
    open_both();
    for (size_t i = 0; i < LOGS; i++) {
        struct host host = host_with(logs[i], NULL);
        int fd = host_tcp_socket(&host);
        host_use_up_descriptors(&host);
        EXPECT_ERROR(host_bind(&host, fd, NOBODYS_ADDRESS), EADDRNOTAVAIL);
        EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);

        /* A way through folders needs two at a time. */
        host_close(&host, 63);
        EXPECT_ERROR(host_bind(&host, fd, NOBODYS_ADDRESS), EADDRNOTAVAIL);
        EXPECT_VALUE(host_tcp_socket(&host), 63);
        end_host(&host);
    }
}
