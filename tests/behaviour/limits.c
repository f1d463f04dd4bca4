/*
 * How much is said: a burst of 20 reports, then one a second, and what was left out is counted;
 * what is new is said all the same. What is not shown costs no look-up.
 */
#include "deadline.h"
#include "host.h"
#include "json.h"
#include "namespace.h"
#include "receivers.h"
#include "reports.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/net.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define NOBODYS_ADDRESS "192.0.2.1:9999"

enum { BURST = 20 };

static struct host holder;

static void hold_port(void)
{
    enter_private_network();
    enter_private_files();
    holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
}

TestSuite(limits, .init = hold_port);

static struct host host_with(const char *setting)
{
    return start_host_as(WITH_SHIM, (struct program){.settings = {setting}});
}

static void fail(struct host *host)
{
    int fd = host_tcp_socket(host);
    EXPECT_ERROR(host_bind(host, fd, NOBODYS_ADDRESS), EADDRNOTAVAIL);
    host_close(host, fd);
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 0;
    for (; *text != '\0'; text++) {
        lines += *text == '\n';
    }
    return lines;
}

static unsigned reports_of(const struct host *host)
{
    return count_lines(errors_of(&host->process));
}

/* The sum of all "(N reports left out before this one)". */
static unsigned left_out_in(const char *text)
{
    unsigned sum = 0;
    for (const char *place = strstr(text, " left out before this one)\n"); place != NULL;
         place = strstr(place + 1, " left out before this one)\n")) {
        const char *number = place;
        while (*number != '(') {
            number--;
        }
        unsigned left_out = (unsigned)strtoul(number + 1, NULL, 10);
        char words[64];
        snprintf(words, sizeof words, "(%u report%s left out", left_out, left_out == 1 ? "" : "s");
        cr_assert_eq(strncmp(number, words, strlen(words)), 0, "%s", number);
        sum += left_out;
    }
    return sum;
}

static long milliseconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* As many reports as a process may have made whose first one came at `start` or later. */
static unsigned most_since(long start)
{
    return BURST + (unsigned)((milliseconds_now() - start + 1) / 1000);
}

static void expect_between(unsigned number, unsigned least, unsigned most, const char *what)
{
    cr_assert(number >= least && number <= most, "%u %s instead of %u to %u", number, what, least,
              most);
}

Test(limits, let_twenty_reports_through_and_then_one_a_second_that_tells_how_many_were_left_out)
{
    struct host host = host_with(NULL);
    const long start = milliseconds_now();
    for (int i = 0; i < BURST; i++) {
        fail(&host);
    }
    EXPECT_VALUE(reports_of(&host), BURST);
    EXPECT_VALUE(left_out_in(errors_of(&host.process)), 0);

    unsigned tries = BURST;
    for (; tries < 2 * BURST; tries++) {
        fail(&host);
    }
    expect_between(reports_of(&host), BURST, most_since(start), "reports");

    /* Until the next one has come, and one more. */
    const unsigned wanted = reports_of(&host) + 2;
    while (reports_of(&host) < wanted) {
        cr_assert_lt(milliseconds_now() - start, DEADLINE_SECONDS * 1000,
                     "no report comes any more");
        fail(&host);
        tries++;
        expect_between(reports_of(&host), BURST, most_since(start), "reports");
        pause_briefly();
    }
    EXPECT_VALUE(reports_of(&host) + left_out_in(errors_of(&host.process)), tries);
    cr_assert_gt(left_out_in(errors_of(&host.process)), 0);
}

Test(limits, tell_what_was_left_out_in_json_too)
{
    struct host host = host_with("LIBREUSE_FORMAT=json");
    for (int i = 0; i < 2 * BURST; i++) {
        fail(&host);
    }
    EXPECT_SUCCESS(host_listen(&host, host_tcp_socket(&host)));
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, NOBODYS_ADDRESS), EADDRNOTAVAIL);
    EXPECT_SUCCESS(host_listen(&host, fd)); /* swallowed */

    unsigned shown = 0;
    unsigned left_out = 0;
    unsigned announced = 0;
    for (char *line = strtok(errors_of(&host.process), "\n"); line != NULL;
         line = strtok(NULL, "\n")) {
        cr_assert(json_is_object(line, strlen(line)), "%s", line);
        const char *number = json_member(line, "left_out");
        left_out += number != NULL ? (unsigned)strtoul(number, NULL, 10) : 0;
        announced += json_member(line, "ends_burst") != NULL;
        shown++;
    }
    EXPECT_VALUE(announced, 1);
    EXPECT_VALUE(shown + left_out, 2 * BURST + 2);
    cr_assert_gt(left_out, 0);
}

Test(limits, never_keep_back_a_swallowed_bind)
{
    struct host host = host_with(NULL);
    for (int i = 0; i < 3 * BURST; i++) {
        int fd = host_tcp_socket(&host);
        EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
        EXPECT_SUCCESS(host_listen(&host, fd));
        EXPECT_VALUE(count_reports(&host.process, "swallowed"), i + 1);
        host_close(&host, fd);
    }
    EXPECT_VALUE(reports_of(&host) + left_out_in(errors_of(&host.process)), 6 * BURST);
}

/* There is a file already where a socket is to be made, as after a server that was killed. */
static void fail_in_unix(struct host *host, unsigned number)
{
    char path[64];
    snprintf(path, sizeof path, OWN_FOLDER "/leftover-%u", number);
    fclose(fopen(path, "w"));
    int fd = host_socket(host, AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(host, fd, path), EADDRINUSE);
    host_close(host, fd);
}

Test(limits, of_unix_sockets_are_their_own)
{
    struct host host = host_with(NULL);
    for (unsigned i = 0; i < 2 * BURST; i++) {
        fail_in_unix(&host, 0);
    }
    EXPECT_VALUE(left_out_in(errors_of(&host.process)), 0);
    for (unsigned i = 0; i < BURST; i++) {
        fail(&host);
    }
    EXPECT_VALUE(count_reports(&host.process, "bind-failed: " NOBODYS_ADDRESS), BURST);
    EXPECT_VALUE(left_out_in(errors_of(&host.process)), 0);
}

/* As dovecot does, whose leftovers nobody has to repair, and which then has lost its port. */
Test(limits, never_keep_back_the_first_report_of_an_address)
{
    struct host host = host_with(NULL);
    for (unsigned i = 0; i < 2 * BURST; i++) {
        fail(&host);
    }
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed: 0.0.0.0:9999"), 1);
    EXPECT_ERROR(host_bind(&host, fd, "192.0.2.1:9998"), EADDRNOTAVAIL);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed: 192.0.2.1:9998"), 1);
    for (unsigned i = 0; i < 2 * BURST; i++) {
        char report[64];
        fail_in_unix(&host, i);
        snprintf(report, sizeof report, "bind-failed: " OWN_FOLDER "/leftover-%u", i);
        EXPECT_VALUE(count_reports(&host.process, report), 1);
    }
}

/* What becomes of an address is new, and so is another error. */
Test(limits, never_keep_back_that_a_bind_has_worked_at_last)
{
    struct host host = host_with(NULL);
    const int fd = host_tcp_socket(&host);
    for (unsigned i = 0; i < 2 * BURST; i++) {
        EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    }
    end_host(&holder);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    EXPECT_VALUE(count_reports(&host.process, "recovered: 0.0.0.0:9999"), 1);
}

Test(limits, keep_a_program_that_tries_every_address_to_some_lines)
{
    enum { ADDRESSES = 64 };
    struct host host = host_with(NULL);
    const long start = milliseconds_now();
    for (unsigned i = 0; i < 4 * ADDRESSES; i++) {
        char address[32];
        snprintf(address, sizeof address, "192.0.2.1:%u", 1000 + i);
        int fd = host_tcp_socket(&host);
        EXPECT_ERROR(host_bind(&host, fd, address), EADDRNOTAVAIL);
        host_close(&host, fd);
    }
    expect_between(reports_of(&host), ADDRESSES, ADDRESSES + most_since(start), "reports");
}

#define ENDS_BURST                                                                                 \
    " (from now on, one report a second is shown of what is not new, and the others are "          \
    "counted)\n"

Test(limits, are_announced_by_the_last_report_of_a_burst)
{
    struct host host = host_with(NULL);
    for (unsigned i = 0; i < BURST - 1; i++) {
        fail(&host);
    }
    const char *text = errors_of(&host.process);
    cr_assert_null(strstr(text, ENDS_BURST), "%s", text);
    while (strstr(text, ENDS_BURST) == NULL && left_out_in(text) == 0) {
        fail(&host);
        text = errors_of(&host.process);
    }
    EXPECT_VALUE(left_out_in(text), 0);
    cr_assert_str_eq(strstr(text, ENDS_BURST), ENDS_BURST);
    expect_between(count_lines(text), BURST, BURST + DEADLINE_SECONDS, "reports");
}

Test(limits, are_a_processs_own)
{
    struct host first = host_with(NULL);
    struct host second = host_with(NULL);
    for (int i = 0; i < 2 * BURST; i++) {
        fail(&first);
    }
    fail(&second);
    EXPECT_VALUE(reports_of(&second), 1);
    EXPECT_VALUE(left_out_in(errors_of(&second.process)), 0);
}

/* A report that nobody sees does not count. */
Test(limits, do_not_count_what_the_level_hides)
{
    struct host host = host_with("LIBREUSE_LEVEL=err");
    for (int i = 0; i < 2 * BURST; i++) {
        int fd = host_tcp_socket(&host);
        EXPECT_ERROR(host_bind(&host, fd, NOBODYS_ADDRESS), EADDRNOTAVAIL);
        EXPECT_SUCCESS(host_bind(&host, fd, "127.0.0.1:8888")); /* moved: warning */
        host_close(&host, fd);
        if (i == BURST / 2) {
            EXPECT_VALUE(reports_of(&host), BURST / 2 + 1);
        }
    }
    expect_between(reports_of(&host), BURST, BURST + DEADLINE_SECONDS, "reports");
    EXPECT_VALUE(count_reports(&host.process, "moved"), 0);
}

Test(limits, keep_a_program_that_probes_ten_thousand_ports_to_some_lines_and_lose_none_of_the_count)
{
    const long start = milliseconds_now();
    struct process process = run((struct program){
        .path = BUILD_FOLDER "/fixtures/port_probe", .shim = WITH_SHIM, .arguments = {"10000"}});
    const char *text = errors_of(&process);
    expect_between(count_reports(&process, "bind-failed"), BURST, most_since(start), "reports");
    EXPECT_VALUE(count_reports(&process, "swallowed"), 1);
    /* The last line, which no limit keeps back, tells of all that were left out until then. */
    EXPECT_VALUE(count_lines(text) + left_out_in(text), 10000 + 1);
}

/* System calls */

static bool is_among(const struct system_calls *calls, uint64_t number)
{
    for (size_t i = 0; i < calls->count && i < SYSTEM_CALLS_SHOWN; i++) {
        if (calls->numbers[i] == number) {
            return true;
        }
    }
    return false;
}

/* Whether one of the calls looks something up, or writes. */
static bool looks_up(const struct system_calls *calls)
{
    bool found = is_among(calls, SYS_openat) || is_among(calls, SYS_readlinkat) ||
                 is_among(calls, SYS_getdents64) || is_among(calls, SYS_read);
#ifdef SYS_socket
    found = found || is_among(calls, SYS_recvmsg) || is_among(calls, SYS_sendto);
#endif
#ifdef SYS_socketcall
    found = found || calls->count > 18; /* they cannot be told apart */
#endif
    return found;
}

/*
 * The port of a TIME_WAIT socket that cannot be passed. A tracer makes each system call slow, and
 * no process has such a socket open, so that none is searched for.
 */
#define LEFTOVER "127.0.0.2:7777"

static int fail_at_leftover(struct host *host, struct system_calls *calls)
{
    int fd = host_tcp_socket(host);
    host->trace = calls;
    int error = host_bind(host, fd, LEFTOVER);
    host_close(host, fd);
    return error;
}

/* The calls that the shim makes in a failing bind() to say nothing. */
enum { MOST_CALLS_IN_SILENCE = 20 };

static void expect_no_look_up(const struct system_calls *calls)
{
    cr_assert(!looks_up(calls), "something was looked up:%s", describe_calls(calls));
    cr_assert(!is_among(calls, SYS_write), "something was written:%s", describe_calls(calls));
    cr_assert_leq(calls->count, MOST_CALLS_IN_SILENCE, "%zu system calls:%s", calls->count,
                  describe_calls(calls));
}

static void expect_look_up(const struct system_calls *calls)
{
    cr_assert(looks_up(calls), "a look-up is not seen, and none would be missed:%s",
              describe_calls(calls));
}

Test(limits, make_a_report_that_is_left_out_cost_no_look_up)
{
    leave_time_wait(WITHOUT_SHIM, LEFTOVER);
    struct host host = host_with(NULL);
    struct system_calls calls;
    EXPECT_ERROR(fail_at_leftover(&host, &calls), EADDRINUSE);
    expect_look_up(&calls);
    /* Once more than it takes, should a second have passed. */
    unsigned before;
    do {
        for (int i = 0; i < BURST; i++) {
            fail(&host);
        }
        before = reports_of(&host);
        EXPECT_ERROR(fail_at_leftover(&host, &calls), EADDRINUSE);
    } while (reports_of(&host) > before);
    expect_no_look_up(&calls);
}

Test(limits, that_hide_all_reports_cost_no_look_up)
{
    leave_time_wait(WITHOUT_SHIM, LEFTOVER);
    struct host host = host_with("LIBREUSE_LOG=none");
    struct system_calls calls;
    EXPECT_ERROR(fail_at_leftover(&host, &calls), EADDRINUSE);
    expect_no_look_up(&calls);
}

static struct system_calls calls_of_rescue(const char *setting)
{
    leave_time_wait(WITH_SHIM, LEFTOVER);
    struct host host = host_with(setting);
    struct system_calls calls;
    int fd = host_tcp_socket(&host);
    host.trace = &calls;
    EXPECT_SUCCESS(host_bind(&host, fd, LEFTOVER));
    end_host(&host);
    return calls;
}

Test(limits, of_the_level_cost_no_look_up)
{
    struct system_calls calls = calls_of_rescue(NULL);
    expect_look_up(&calls);
    calls = calls_of_rescue("LIBREUSE_LEVEL=err");
    expect_no_look_up(&calls);
}

Test(limits, of_explain_cost_no_look_up_and_show_the_report)
{
    leave_time_wait(WITHOUT_SHIM, LEFTOVER);
    struct host host = host_with("LIBREUSE_EXPLAIN=0");
    struct system_calls calls;
    EXPECT_ERROR(fail_at_leftover(&host, &calls), EADDRINUSE);
    cr_assert(!looks_up(&calls), "something was looked up:%s", describe_calls(&calls));
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
}
