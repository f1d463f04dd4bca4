/*
 * Text and JSON say the same. A line of JSON is valid whatever the bytes are of which names and
 * paths consist, and neither form can be forged by them.
 */
#include "host.h"
#include "json.h"
#include "moments.h"
#include "namespace.h"
#include "receivers.h"
#include "reports.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NOBODYS_ADDRESS "192.0.2.1:9999"
#define JSON            "LIBREUSE_FORMAT=json"
#define EVERYTHING      "LIBREUSE_LEVEL=info"

static void make_machine(void)
{
    enter_private_network();
    enter_private_files();
}

TestSuite(formats, .init = make_machine);

/* The lines that a process wrote, each of which must be JSON where that is asked for. */
struct lines {
    size_t count;
    char *text[32];
};

static struct lines lines_of(const struct process *process)
{
    struct lines lines = {.count = 0};
    for (char *rest = errors_of(process); *rest != '\0';) {
        char *end = strchr(rest, '\n');
        cr_assert_not_null(end, "a line without an end: %s", rest);
        cr_assert_leq(end + 1 - rest, 1024, "%td bytes: %s", end + 1 - rest, rest);
        cr_assert_lt(lines.count, sizeof lines.text / sizeof lines.text[0], "too many lines");
        *end = '\0';
        lines.text[lines.count++] = rest;
        rest = end + 1;
    }
    return lines;
}

static struct lines json_of(const struct process *process)
{
    struct lines lines = lines_of(process);
    for (size_t i = 0; i < lines.count; i++) {
        cr_assert(json_is_object(lines.text[i], strlen(lines.text[i])), "no JSON: %s",
                  lines.text[i]);
    }
    return lines;
}

static const char *member(const char *object, const char *name)
{
    const char *value = json_member(object, name);
    cr_assert_not_null(value, "no %s in %s", name, object);
    return value;
}

static void expect_member(const char *object, const char *name, const char *expected)
{
    const char *value = member(object, name);
    cr_assert_str_eq(value, expected, "%s is %s instead of %s", name, value, expected);
}

static void expect_number(const char *object, const char *name, long expected)
{
    char number[32];
    char quoted[64];
    snprintf(number, sizeof number, "%ld", expected);
    expect_member(object, name, number);
    snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
    cr_assert_null(strstr(object, quoted), "%s is a string in %s", name, object);
}

/* Events whose words do not depend on the moment. */
static struct host host_with_events(const char *format)
{
    struct host host = start_host_as(
        WITH_SHIM,
        (struct program){.settings = {format, EVERYTHING, "LIBREUSE_DRY_RUN=\"perhaps\\\n"}});
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, NOBODYS_ADDRESS), EADDRNOTAVAIL);
    host_close(&host, host_serve(&host, "127.0.0.1:9999"));
    EXPECT_ERROR(host_bind(&host, -1, "127.0.0.1:9999"), EBADF);
    EXPECT_ERROR(host_listen(&host, -1), EBADF);
    EXPECT_ERROR(host_bind(&host, fd, "@a name with \n\"\\ in it"), EAFNOSUPPORT);
    return host;
}

Test(formats, json_has_what_the_text_says)
{
    struct host with_text = host_with_events("LIBREUSE_FORMAT=text");
    struct host with_json = host_with_events(JSON);
    struct lines text = lines_of(&with_text.process);
    struct lines json = json_of(&with_json.process);
    EXPECT_VALUE((long)text.count, 7);
    EXPECT_VALUE((long)json.count, 7);
    for (size_t i = 0; i < text.count; i++) {
        const char *object = json.text[i];
        char line[2048];
        snprintf(line, sizeof line, "libreuse: %s[%d]: %s: %s", member(object, "program"),
                 (int)with_text.process.pid, member(object, "event"), member(object, "message"));
        if (strcmp(member(object, "event"), "loaded") == 0) {
            continue; /* tells the format */
        }
        cr_assert_str_eq(line, text.text[i]);
        expect_number(object, "pid", with_json.process.pid);
    }
}

Test(formats, json_has_the_level_and_the_address_of_each_event)
{
    static const struct {
        const char *event;
        const char *level;
        const char *address; /* NULL: it has none */
        const char *error;
    } expected[] = {
        {"loaded", "info", NULL, NULL},
        {"config", "warning", NULL, NULL},
        {"bind-failed", "err", NOBODYS_ADDRESS, "EADDRNOTAVAIL"},
        {"listening", "info", "127.0.0.1:9999", NULL},
        {"bind-failed", "err", "127.0.0.1:9999", "EBADF"},
        {"listen-failed", "err", NULL, "EBADF"},
        {"bind-failed", "err", "@a name with \\x0a\\\"\\\\ in it", "EAFNOSUPPORT"},
    };
    struct host host = host_with_events(JSON);
    struct lines json = json_of(&host.process);
    for (size_t i = 0; i < json.count; i++) {
        expect_member(json.text[i], "event", expected[i].event);
        expect_member(json.text[i], "level", expected[i].level);
        const char *address = json_member(json.text[i], "address");
        const char *error = json_member(json.text[i], "errno");
        cr_assert_eq(address == NULL, expected[i].address == NULL, "%s", json.text[i]);
        cr_assert_eq(error == NULL, expected[i].error == NULL, "%s", json.text[i]);
        if (address != NULL) {
            cr_assert_str_eq(address, expected[i].address);
        }
        if (error != NULL) {
            cr_assert_str_eq(error, expected[i].error);
        }
    }
}

Test(formats, json_has_the_holder_and_where_a_swallowed_program_listens)
{
    struct host owner = start_host(WITHOUT_SHIM);
    int listener = host_serve(&owner, "127.0.0.1:9999");
    struct host host = start_host_as(WITH_SHIM, (struct program){.settings = {JSON}});
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    struct lines json = json_of(&host.process);
    EXPECT_VALUE((long)json.count, 2);
    const char *failed = json.text[0];
    expect_member(failed, "address", "0.0.0.0:9999");
    expect_number(failed, "port", 9999);
    expect_member(failed, "errno", "EADDRINUSE");
    expect_number(failed, "holders", 1);
    expect_member(failed, "holder_state", "LISTEN");
    expect_member(failed, "holder_address", "127.0.0.1:9999");
    expect_number(failed, "holder_uid", (long)geteuid());
    expect_number(failed, "holder_pid", owner.process.pid);
    expect_member(failed, "holder_program", "obedient_host");
    expect_number(failed, "holder_fd", listener);

    char listens_on[32];
    snprintf(listens_on, sizeof listens_on, "0.0.0.0:%u", host_port(&host, fd));
    expect_member(json.text[1], "event", "swallowed");
    expect_member(json.text[1], "listens_on", listens_on);
    cr_assert_not_null(strstr(member(json.text[1], "message"), listens_on));
}

Test(formats, json_tells_the_time_in_utc_whatever_the_hosts_time_zone)
{
    static const char *const zones[] = {"TZ=Asia/Kathmandu", "TZ=XYZ+11:30", "TZ=:/nonsense"};
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        struct host host = start_host_as(WITH_SHIM, (struct program){.settings = {JSON, zones[i]}});
        int64_t since = moment_now();
        EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), NOBODYS_ADDRESS), EADDRNOTAVAIL);
        struct lines json = json_of(&host.process);
        EXPECT_VALUE((long)json.count, 1);
        cr_assert_str_empty(expect_moment(member(json.text[0], "time"), since));
    }
}

/* Names */

#define EIGHT(byte)      byte byte byte byte byte byte byte byte
#define SIXTY_FOUR(byte) EIGHT(EIGHT(byte))

static const char *const hostile_names[] = {
    "\"",
    "\\",
    "\n",
    "\"}\n{\"event\":\"rescued\"}",
    "\x01\x1f\x7f",
    "\x80",
    "\xff\xfe",
    "\xc3",
    "\xc3\xa9",
    "\xe2\x82",
    "\xed\xa0\x80",
    "\xf4\x90\x80\x80",
    "\xc0\x80",
    "\\u0000",
    "\\\"",
    "%s%n",
    "a\tb\rc",
    SIXTY_FOUR("\""),
    SIXTY_FOUR("\\"),
    SIXTY_FOUR("\x01"),
    SIXTY_FOUR("\xff"),
    SIXTY_FOUR("a") SIXTY_FOUR("\n"),
};
enum { HOSTILE_NAMES = sizeof hostile_names / sizeof hostile_names[0] };

/* The name of the program as a line of text has it, with its escapes. */
static char *program_in(const char *line, const struct process *process)
{
    static const char start[] = "libreuse: ";
    char end[32];
    snprintf(end, sizeof end, "[%d]: ", (int)process->pid);
    cr_assert_eq(strncmp(line, start, strlen(start)), 0, "%s", line);
    const char *stop = strstr(line, end);
    cr_assert_not_null(stop, "%s", line);
    return strndup(line + strlen(start), (size_t)(stop - line) - strlen(start));
}

/* The longest internet address, and one of each path on which something fails. */
static struct process run_named(const char *name, const char *format)
{
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.title = name, .settings = {format, EVERYTHING}});
    host_serve(&host, "127.0.0.1:65535");
    int fd = host_socket(&host, AF_INET6, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(&host, fd, "[2001:db8:1111:2222:3333:4444:5555:6666]:65535"),
                 EADDRNOTAVAIL);
    EXPECT_SUCCESS(host_listen(&host, fd));
    end_host(&host);
    return host.process;
}

Test(formats, json_is_valid_and_text_a_line_whatever_the_program_is_called)
{
    for (size_t i = 0; i < HOSTILE_NAMES; i++) {
        struct process with_text = run_named(hostile_names[i], "LIBREUSE_FORMAT=text");
        struct process with_json = run_named(hostile_names[i], JSON);
        struct lines text = lines_of(&with_text);
        struct lines json = json_of(&with_json);
        EXPECT_VALUE((long)text.count, 5);
        EXPECT_VALUE((long)json.count, 5);
        for (size_t line = 0; line < json.count; line++) {
            expect_member(json.text[line], "program", program_in(text.text[line], &with_text));
            expect_number(json.text[line], "pid", with_json.pid);
            member(json.text[line], "message");
        }
    }
}

/* Every report has its message, in every form: the journal shows a record without one as empty. */
Test(formats, journal_gets_a_message_whatever_the_program_is_called)
{
    int journal = receive_at(JOURNAL_PATH);
    for (size_t i = 0; i < HOSTILE_NAMES; i++) {
        run_named(hostile_names[i], "LIBREUSE_LOG=journal");
        struct datagram datagram;
        for (int record = 0; record < 5; record++) {
            cr_assert(receive(journal, &datagram), "no record");
            cr_assert_not_null(strstr(datagram.bytes, "\nMESSAGE="), "%s", datagram.bytes);
            cr_assert_eq(datagram.bytes[datagram.length - 1], '\n');
        }
        cr_assert(!receive(journal, &datagram));
    }
}

Test(formats, json_is_valid_whatever_the_holder_is_called)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(listen(listener, 1), 0);
    struct sockaddr_storage name;
    socklen_t size = sizeof name;
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&name, &size), 0);
    const unsigned char *port = (const unsigned char *)&name + 2;
    char address[32];
    snprintf(address, sizeof address, "0.0.0.0:%u", port[0] * 256U + port[1]);
    for (size_t i = 0; i < HOSTILE_NAMES; i++) {
        cr_assert_eq(prctl(PR_SET_NAME, hostile_names[i]), 0);
        struct host host =
            start_host_as(WITH_SHIM, (struct program){.title = hostile_names[HOSTILE_NAMES - 1 - i],
                                                      .settings = {JSON}});
        int fd = host_tcp_socket(&host);
        EXPECT_ERROR(host_bind(&host, fd, address), EADDRINUSE);
        struct lines json = json_of(&host.process);
        EXPECT_VALUE((long)json.count, 1);
        expect_number(json.text[0], "holder_pid", getpid());
        member(json.text[0], "holder_program");
        member(json.text[0], "message");
        end_host(&host);
    }
}

/* Paths */

static struct process bind_path(const char *path, const char *title, const char *format)
{
    return run((struct program){.path = BUILD_FOLDER "/fixtures/changing_host",
                                .title = title,
                                .shim = WITH_SHIM,
                                .arguments = {"bind-path", path},
                                .settings = {format}});
}

Test(formats, json_is_valid_and_text_a_line_whatever_the_path_of_a_socket)
{
    cr_assert_eq(chdir(OWN_FOLDER), 0);
    for (size_t i = 0; i < HOSTILE_NAMES; i++) {
        char path[109] = "";
        for (size_t byte = 0; byte + 1 < sizeof path; byte++) {
            path[byte] = hostile_names[i][byte % strlen(hostile_names[i])];
        }
        bind_path(path, NULL, JSON);
        struct process with_json = bind_path(path, hostile_names[i], JSON);
        struct process with_text = bind_path(path, hostile_names[i], "LIBREUSE_FORMAT=text");
        struct lines json = json_of(&with_json);
        struct lines text = lines_of(&with_text);
        cr_assert(json.count == 1 && text.count == 1, "no report for %s", path);
        const char *address = member(json.text[0], "address");
        cr_assert_not_null(strstr(text.text[0], address), "%s is not in %s", address, text.text[0]);
        expect_member(json.text[0], "errno", "EADDRINUSE");
        member(json.text[0], "message");
    }
}
