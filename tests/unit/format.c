#include "report/format.h"
#include "report/date.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

TestSuite(format);

static char text[4096];

static struct line empty(size_t size)
{
    memset(text, '!', sizeof text);
    return (struct line){.text = text, .size = size};
}

/* Checks one JSON value, strictly as RFC 8259 says, and returns where it ends; NULL if it is none.
 */
static const char *json_end(const char *json)
{
    if (*json == '"') {
        for (json++; *json != '"'; json++) {
            if ((unsigned char)*json < 0x20 || (unsigned char)*json > 0x7e) {
                return NULL;
            }
            if (*json == '\\') {
                json++;
                if (strchr("\"\\/bfnrt", *json) == NULL || *json == '\0') {
                    return NULL;
                }
            }
        }
        return json + 1;
    }
    if (*json == '{') {
        do {
            json = json_end(json + 1);
            if (json == NULL || *json != ':') {
                return NULL;
            }
            json = json_end(json + 1);
        } while (json != NULL && *json == ',');
        return json != NULL && *json == '}' ? json + 1 : NULL;
    }
    if (strncmp(json, "true", 4) == 0) {
        return json + 4;
    }
    char *end;
    strtoul(json, &end, 10);
    return end != json ? end : NULL;
}

static void assert_json(const struct line *line)
{
    cr_assert_eq(line->text[line->length - 1], '\n');
    const char *end = json_end(line->text);
    cr_assert_not_null(end, "no JSON: %.*s", (int)line->length, line->text);
    cr_assert_eq(end, line->text + line->length - 1, "more than one value: %.*s", (int)line->length,
                 line->text);
}

static struct address internet(const char *ip, unsigned short port)
{
    struct address address = {.length = sizeof(struct sockaddr_in)};
    address.as.in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, ip, &address.as.in.sin_addr);
    return address;
}

/* An AF_UNIX address with the longest path, made of the bytes that escaping makes widest. */
static struct address widest(void)
{
    struct address address = {.length = sizeof(struct sockaddr_un)};
    address.as.un.sun_family = AF_UNIX;
    memset(address.as.un.sun_path, '\x01', sizeof address.as.un.sun_path);
    return address;
}

Test(format, the_text_form_names_program_pid_and_event)
{
    const struct address asked = internet("0.0.0.0", 9999);
    const struct address now = internet("0.0.0.0", 43569);
    struct line line = empty(LINE_SIZE);
    format_text(&line, &(struct event){.kind = EVENT_SWALLOWED,
                                       .error = EADDRINUSE,
                                       .address = &asked,
                                       .listens_on = &now});
    char expected[LINE_SIZE];
    snprintf(expected, sizeof expected,
             "libreuse: %s[%d]: swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; the "
             "program went on and listens on 0.0.0.0:43569, clients of port 9999 do not reach it\n",
             program_invocation_short_name, getpid());
    line.text[line.length] = '\0';
    cr_assert_str_eq(line.text, expected);
}

Test(format, what_was_left_out_is_said_in_the_next_report)
{
    const struct address asked = internet("0.0.0.0", 9999);
    struct event event = {.kind = EVENT_RESCUED, .address = &asked, .left_out = 1};
    struct line line = empty(LINE_SIZE);
    format_text(&line, &event);
    line.text[line.length] = '\0';
    cr_assert_not_null(strstr(line.text, " (1 report left out before this one)\n"));
    event.left_out = 1234;
    line = empty(LINE_SIZE);
    format_text(&line, &event);
    line.text[line.length] = '\0';
    cr_assert_not_null(strstr(line.text, " (1234 reports left out before this one)\n"));
}

Test(format, the_end_of_a_burst_is_said_in_its_last_report)
{
    const struct address asked = internet("0.0.0.0", 9999);
    const struct event event = {.kind = EVENT_RESCUED, .address = &asked, .ends_burst = true};
    struct line line = empty(LINE_SIZE);
    format_text(&line, &event);
    line.text[line.length] = '\0';
    cr_assert_not_null(strstr(line.text, " (from now on, one report a second is shown of what "
                                         "is not new, and the others are counted)\n"));
    line = empty(LINE_SIZE);
    format_json(&line, &event);
    assert_json(&line);
    line.text[line.length] = '\0';
    cr_assert_not_null(strstr(line.text, ",\"ends_burst\":true,"));
}

Test(format, json_is_valid_whatever_the_bytes_and_however_small_the_room)
{
    const struct address asked = widest();
    const struct address quotes = {
        .length = sizeof(struct sockaddr_un),
        .as.un = {.sun_family = AF_UNIX, .sun_path = "/tmp/\"\\\n\x7f\xc3\xa9\""}};
    const struct address *const addresses[] = {&asked, &quotes};
    for (size_t i = 0; i < 2; i++) {
        struct event event = {.kind = EVENT_BIND_FAILED,
                              .error = EACCES,
                              .address = addresses[i],
                              .left_out = 4294967295U};
        struct line line = empty(LINE_SIZE);
        format_json(&line, &event);
        assert_json(&line);
        cr_assert_leq(line.length, LINE_SIZE);
        cr_assert_eq(text[LINE_SIZE], '!', "written behind the buffer");
        const size_t smallest = 256; /* less than any buffer of report.c */
        for (size_t size = smallest; size < LINE_SIZE; size++) {
            line = empty(size);
            format_json(&line, &event);
            assert_json(&line);
            cr_assert_eq(text[size], '!', "written behind %zu bytes", size);
        }
    }
}

Test(format, json_has_the_facts_of_the_text)
{
    const struct address asked = internet("192.0.2.1", 80);
    struct line line = empty(LINE_SIZE);
    format_json(&line,
                &(struct event){.kind = EVENT_BIND_FAILED, .error = EACCES, .address = &asked});
    assert_json(&line);
    line.text[line.length] = '\0';
    cr_assert_not_null(strstr(text, "\"event\":\"bind-failed\",\"level\":\"err\",\"address\":"
                                    "\"192.0.2.1:80\",\"port\":80,\"errno\":\"EACCES\""));
}

/* A seccomp filter may answer EADDRINUSE for an address that the kernel has never seen. */
Test(format, every_refusal_has_words_also_for_an_address_that_is_not_known)
{
    static const enum rescue refused[] = {RESCUE_NO_USE,  RESCUE_NOT_SET,  RESCUE_PROGRAMS_OWN,
                                          RESCUE_NOT_TCP, RESCUE_ANY_PORT, RESCUE_LEFT_OUT,
                                          RESCUE_DRY_RUN};
    const struct address unknown = {.length = 0};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct line line = empty(LINE_SIZE);
        format_text(&line, &(struct event){.kind = EVENT_BIND_FAILED,
                                           .error = EADDRINUSE,
                                           .rescue = refused[i],
                                           .address = &unknown});
        line.text[line.length] = '\0';
        cr_assert_not_null(strstr(text, "EADDRINUSE: another socket holds the "));
    }
}

Test(format, every_journal_field_is_one_line_with_a_name)
{
    const struct address asked = widest();
    struct line line = empty(2048);
    format_journal(&line, &(struct event){.kind = EVENT_BIND_FAILED,
                                          .error = EADDRINUSE,
                                          .rescue = RESCUE_NOT_TCP,
                                          .address = &asked});
    line.text[line.length] = '\0';
    bool message = false;
    for (char *field = strtok(line.text, "\n"); field != NULL; field = strtok(NULL, "\n")) {
        const size_t name = strspn(field, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_");
        cr_assert_gt(name, 0);
        cr_assert_eq(field[name], '=', "%s", field);
        message = message || strncmp(field, "MESSAGE=", 8) == 0;
    }
    cr_assert(message);
}

Test(format, times_are_what_the_c_library_says)
{
    uint64_t random = 1;
    for (int i = 0; i < 100000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        /* Until 2286, or 2038 where the C library counts no further. */
        const int64_t end = sizeof(time_t) == sizeof(int32_t) ? INT32_MAX : 10000000000;
        const int64_t milliseconds = (int64_t)(random >> 11) % (end * 1000);
        const time_t seconds = (time_t)(milliseconds / 1000);
        struct tm utc;
        gmtime_r(&seconds, &utc);
        char expected[64];
        char head[32];
        strftime(head, sizeof head, "%Y-%m-%dT%H:%M:%S", &utc);
        snprintf(expected, sizeof expected, "%s.%03dZ", head, (int)(milliseconds % 1000));
        struct line line = empty(64);
        date_write(&line, milliseconds);
        cr_assert_arr_eq(text, expected, line.length, "%s", expected);
        cr_assert_eq(line.length, strlen(expected));

        strftime(expected, sizeof expected, "<27>%b %e %H:%M:%S ", &utc);
        line = empty(64);
        date_write_syslog_header(&line, LEVEL_ERR, milliseconds);
        cr_assert_arr_eq(text, expected, line.length, "%s", expected);
        cr_assert_eq(line.length, strlen(expected));
    }
}

Test(format, levels_are_the_priorities_of_syslog)
{
    static const char *const heads[] = {"<27>", "<28>", "<29>", "<30>", "<31>"};
    for (enum level level = LEVEL_ERR; level <= LEVEL_INFO; level++) {
        struct line line = empty(64);
        date_write_syslog_header(&line, level, 0);
        cr_assert_arr_eq(text, heads[level], 4);
    }
}

/* What libreuse watch knows of the process, and the library does not. */
Test(format, all_that_is_known_of_another_process_is_told_to_machines)
{
    const struct address asked = internet("0.0.0.0", 9999);
    struct subject subject = {.program = "python3",
                              .runs = "/srv/app.py",
                              .pid = 4242,
                              .unit = "app.service",
                              .container = "f00d",
                              .user = "www-data",
                              .repeats = 3};
    struct holders holders = {.source = HOLDERS_BY_SOCK_DIAG, .total = 1};
    holders.named.owner =
        (struct owner){.search = OWNER_FOUND, .pid = 811, .program = "java", .script = "app.jar"};
    const struct event event = {.kind = EVENT_BIND_FAILED,
                                .error = EADDRINUSE,
                                .subject = &subject,
                                .address = &asked,
                                .holders = &holders};
    static const char *const expected[] = {"\"program\":\"python3\"",
                                           "\"pid\":4242",
                                           "\"runs\":\"/srv/app.py\"",
                                           "\"unit\":\"app.service\"",
                                           "\"container\":\"f00d\"",
                                           "\"user\":\"www-data\"",
                                           "\"repeats\":3",
                                           "\"holder_runs\":\"app.jar\""};
    struct line line = empty(LINE_SIZE);
    format_json(&line, &event);
    assert_json(&line);
    line.text[line.length] = '\0';
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        cr_assert_not_null(strstr(text, expected[i]), "%s is not in %s", expected[i], text);
    }
    subject = (struct subject){.program = "server1", .pid = 4242};
    line = empty(LINE_SIZE);
    format_json(&line, &event);
    assert_json(&line);
    line.text[line.length] = '\0';
    cr_assert_null(strstr(text, "\"user\""), "%s", text);
    cr_assert_null(strstr(text, "\"repeats\""), "%s", text);
}

Test(format, where_nobody_could_be_asked_the_error_of_netlink_is_told_to_machines)
{
    const struct address asked = internet("0.0.0.0", 9999);
    const struct holders holders = {
        .source = HOLDERS_REFUSED, .netlink_error = EPERM, .proc_error = ENOENT};
    struct line line = empty(LINE_SIZE);
    format_json(&line, &(struct event){.kind = EVENT_BIND_FAILED,
                                       .error = EADDRINUSE,
                                       .address = &asked,
                                       .holders = &holders});
    assert_json(&line);
    line.text[line.length] = '\0';
    cr_assert_not_null(strstr(text, "\"look_up_errno\":\"EPERM\""), "%s", text);
}
