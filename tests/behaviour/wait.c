/*
 * LIBREUSE_WAIT: a bind() that cannot have its port waits until it can. LIBREUSE_SWALLOWED: what
 * listen() does on a socket whose bind() had failed.
 */
#include "deadline.h"
#include "filter.h"
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "skip.h"
#include "sockets.h"
#include "syscalls.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define PORT 9999

/* Far longer than a test may take: a bind() that only its end lets go hangs, and the test fails. */
#define LONG "LIBREUSE_WAIT=600"

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct host host_with(const char *setting)
{
    return start_host_as(WITH_SHIM, (struct program){.settings = {setting}});
}

/* A bind() has begun to wait, and says so. The text is what it says. */
static const char *begin_to_wait(struct host *host, int fd, const char *address)
{
    char beginning[64];
    snprintf(beginning, sizeof beginning, "waiting: %s: ", address);
    host_begin_bind(host, fd, address);
    EVENTUALLY(count_reports(&host->process, "waiting") > 0);
    cr_assert_not(host_has_bound(host), "it does not wait");
    return expect_report(&host->process, beginning);
}

/* Somebody who was waited for has gone. */
static void expect_bound(struct host *host, int fd, const char *way)
{
    EXPECT_SUCCESS(host_end_bind(host));
    EXPECT_VALUE(host_get_option(host, fd, SO_REUSEADDR), 0);
    EXPECT_VALUE(count_reports(&host->process, "waiting"), 1);
    EXPECT_VALUE(count_reports(&host->process, "bind-failed"), 0);
    EXPECT_VALUE(count_reports(&host->process, "recovered"), 1);
    EXPECT_SUCCESS(host_listen(host, fd));
    EXPECT_VALUE(count_reports(&host->process, "swallowed"), 0);
    EXPECT_SUCCESS(connect_error(way));
}

TestSuite(waiting, .init = enter_private_network);

Test(waiting, lasts_until_time_wait_ends)
{
    leave_time_wait(WITHOUT_SHIM, "0.0.0.0:9999");
    struct host host = host_with("LIBREUSE_WAIT=75");
    int fd = host_tcp_socket(&host);
    const char *rest = begin_to_wait(&host, fd, "0.0.0.0:9999");
    expect_words(rest, "75 s");
    expect_words(rest, "LIBREUSE_WAIT");
    expect_words(rest, "1 TIME_WAIT socket");
    unsigned long seconds = number_after(rest, ", for ");
    cr_assert(seconds > 40 && seconds <= 60, "%s", rest);
    destroy_sockets(PORT, TCP_TIME_WAIT);
    expect_bound(&host, fd, "127.0.0.1:9999");
    expect_report(&host.process, "recovered: 0.0.0.0:9999: ");
}

/* No trick with the clock: the kernel keeps these remains for two seconds only. */
Test(waiting, lasts_until_the_remains_of_a_connection_are_gone_by_themselves)
{
    set_network("ipv4/tcp_fin_timeout", "2");
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "0.0.0.0:9999");
    connected_client("127.0.0.1:9999", 0);
    host_accept(&server, listener);
    struct host host = host_with(LONG);
    int fd = host_tcp_socket(&host);
    end_by_signal(&server.process, SIGKILL);
    begin_to_wait(&host, fd, "0.0.0.0:9999");
    expect_bound(&host, fd, "127.0.0.1:9999");
}

/* Set SLOW=1 to see a whole TIME_WAIT. */
Test(waiting, lasts_as_long_as_a_real_time_wait)
{
    if (getenv("SLOW") == NULL) {
        skip_because("it takes a minute, and SLOW=1 is not set");
    }
    leave_time_wait(WITHOUT_SHIM, "0.0.0.0:9999");
    struct host host = host_with("LIBREUSE_WAIT=75");
    int fd = host_tcp_socket(&host);
    begin_to_wait(&host, fd, "0.0.0.0:9999");
    int64_t start = milliseconds();
    while (!host_has_bound(&host) && milliseconds() < start + 70000) {
        pause_briefly();
    }
    expect_bound(&host, fd, "127.0.0.1:9999");
    cr_assert_geq(milliseconds(), start + 50000);
}

Test(waiting, lasts_until_a_listener_goes)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    char who[64];
    snprintf(who, sizeof who, "obedient_host[%d]", (int)holder.process.pid);
    struct host host;
    int fd;
    const char *rest;
    unsigned tries = 0;
    do {
        if (tries > 0) {
            end_by_signal(&host.process, SIGKILL); /* or it would get the port */
        }
        host = host_with(LONG);
        fd = host_tcp_socket(&host);
        rest = begin_to_wait(&host, fd, "0.0.0.0:9999");
    } while (is_not_found_in_time(rest, ++tries));
    expect_words(rest, "600 s");
    expect_words(rest, who);
    expect_words(rest, "listening on 127.0.0.1:9999");
    end_by_signal(&holder.process, SIGKILL);
    expect_bound(&host, fd, "127.0.0.1:9999");
}

/* One look-up tells whether to wait, what to say and how long to sleep. */
Test(waiting, looks_up_once_before_it_sleeps)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    struct host host = host_with(LONG);
    const int fd = host_tcp_socket(&host);
    begin_trace(host.process.pid);
    host_begin_bind(&host, fd, "0.0.0.0:9999");
    run_to_first_call(host.process.pid);
    unsigned int questions = 0;
    uint64_t number = 0;
    while (number != SYS_ppoll) {
        cr_assert(run_to_next_call(host.process.pid, &number), "it did not sleep");
        questions += number == SYS_sendto;
    }
    let_go(host.process.pid);
    EXPECT_VALUE(questions, 1);
    end_by_signal(&holder.process, SIGKILL);
    expect_bound(&host, fd, "127.0.0.1:9999");
}

/* The listener was armed: what it leaves is passed at once. */
Test(waiting, ends_with_a_rescue_when_a_server_under_the_shim_goes)
{
    struct host holder = start_host(WITH_SHIM);
    int listener = host_serve(&holder, "0.0.0.0:9999");
    connected_client("127.0.0.1:9999", 0);
    host_accept(&holder, listener);
    struct host host = host_with(LONG);
    int fd = host_tcp_socket(&host);
    begin_to_wait(&host, fd, "0.0.0.0:9999");
    end_by_signal(&holder.process, SIGKILL);
    expect_bound(&host, fd, "127.0.0.1:9999");
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
}

Test(waiting, lasts_until_a_server_of_ipv6_goes)
{
    need_protocol(AF_INET6, 0);
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "[::1]:9999");
    struct host host = host_with(LONG);
    int fd = host_socket(&host, AF_INET6, SOCK_STREAM, 0);
    begin_to_wait(&host, fd, "[::]:9999");
    end_by_signal(&holder.process, SIGKILL);
    expect_bound(&host, fd, "[::1]:9999");
}

Test(waiting, works_for_a_program_that_sets_reuseaddr_itself)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = host_with(LONG);
    int fd = host_tcp_socket(&host);
    host_set_option(&host, fd, SOL_SOCKET, SO_REUSEADDR, 1);
    begin_to_wait(&host, fd, "0.0.0.0:9999");
    end_by_signal(&holder.process, SIGKILL);
    EXPECT_SUCCESS(host_end_bind(&host));
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 1);
}

Test(waiting, works_without_an_explanation)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {LONG, "LIBREUSE_EXPLAIN=0"}});
    int fd = host_tcp_socket(&host);
    expect_words(begin_to_wait(&host, fd, "0.0.0.0:9999"), "600 s");
    end_by_signal(&holder.process, SIGKILL);
    expect_bound(&host, fd, "127.0.0.1:9999");
}

Test(waiting, is_no_different_on_a_socket_that_does_not_block)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = host_with(LONG);
    int fd = host_socket(&host, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    begin_to_wait(&host, fd, "0.0.0.0:9999");
    end_by_signal(&holder.process, SIGKILL);
    expect_bound(&host, fd, "127.0.0.1:9999");
}

/* Not earlier than it is to end, and not much later on a machine that is not too busy. */
Test(waiting, ends_with_the_kernels_error_when_the_time_is_up)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = host_with("LIBREUSE_WAIT=1");
    unsigned before = count_descriptors(&host);
    int fd = host_tcp_socket(&host);
    int64_t start = milliseconds();
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    int64_t took = milliseconds() - start;
    cr_assert(took >= 1000 && took < 3000, "it took %" PRId64 " ms", took);
    expect_words(expect_report(&host.process, "waiting: 0.0.0.0:9999: "), "1 s");
    const char *rest = expect_report(&host.process, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
    expect_words(rest, "listening on 0.0.0.0:9999");
    EXPECT_VALUE(count_reports(&host.process, "recovered"), 0);
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
    EXPECT_VALUE(count_descriptors(&host), before + 1);

    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(count_reports(&host.process, "swallowed"), 1);
}

Test(waiting, ends_with_the_kernels_error_without_an_explanation_or_a_word)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_host_as(
        WITH_SHIM, (struct program){.settings = {"LIBREUSE_WAIT=1", "LIBREUSE_EXPLAIN=0",
                                                 "LIBREUSE_LEVEL=err"}});
    const int64_t start = milliseconds();
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "0.0.0.0:9999"), EADDRINUSE);
    cr_assert_geq(milliseconds() - start, 1000);
    EXPECT_VALUE(count_reports(&host.process, "waiting"), 0);
    expect_words(expect_report(&host.process, "bind-failed: 0.0.0.0:9999: EADDRINUSE: "),
                 "another socket holds the port, and SO_REUSEADDR does not free it");
}

/* Where the sleep is refused, one try follows the other. */
Test(waiting, ends_in_time_without_a_sleep)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = host_with("LIBREUSE_WAIT=1");
    host_filter(&host, SYS_ppoll, FILTER_ANY, SECCOMP_RET_ERRNO | EPERM);
    const int64_t start = milliseconds();
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "0.0.0.0:9999"), EADDRINUSE);
    cr_assert_geq(milliseconds() - start, 1000);
}

/* Nobody would know when to end it. */
Test(waiting, is_not_for_a_host_without_a_clock)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = host_with(LONG);
    host_filter(&host, SYS_clock_gettime, FILTER_ANY, SECCOMP_RET_ERRNO | EPERM);
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "0.0.0.0:9999"), EADDRINUSE);
}

Test(waiting, says_before_that_the_time_is_too_short)
{
    leave_time_wait(WITHOUT_SHIM, "0.0.0.0:9999");
    struct host host = host_with("LIBREUSE_WAIT=1");
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "0.0.0.0:9999"), EADDRINUSE);
    const char *rest =
        expect_report(&host.process, "waiting: 0.0.0.0:9999: trying again for up to 1 s ");
    expect_words(rest, ", longer than it will wait; set LIBREUSE_WAIT=65, or run: libreuse free");
}

/* Meanwhile the port becomes one that the host may not have. */
Test(waiting, ends_when_the_kernel_comes_to_say_something_else)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    struct host host = host_with(LONG);
    host_drop_rights(&host);
    int fd = host_tcp_socket(&host);
    begin_to_wait(&host, fd, "127.0.0.1:9999");
    set_network("ipv4/ip_unprivileged_port_start", "10000");
    EXPECT_ERROR(host_end_bind(&host), EACCES);
    expect_report(&host.process, "bind-failed: 127.0.0.1:9999: EACCES: ");
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
}

/* As any sleep: a program whose handler only sets a flag comes to look at it. */
Test(waiting, is_ended_by_a_signal_that_is_handled)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = host_with(LONG);
    host_catch(&host, SIGUSR1);
    int fd = host_tcp_socket(&host);
    begin_to_wait(&host, fd, "0.0.0.0:9999");
    kill(host.process.pid, SIGUSR1);
    EXPECT_ERROR(host_end_bind(&host), EADDRINUSE);
    EXPECT_VALUE(host_caught(&host), 1);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
}

Test(waiting, can_be_ended_by_a_signal_that_ends_the_host)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = host_with(LONG);
    begin_to_wait(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    end_by_signal(&host.process, SIGTERM);
}

/* Where it would be of no use, bind() is as fast as ever. */
static void expect_no_wait(struct host *host, int fd, const char *address, int error)
{
    int64_t start = milliseconds();
    EXPECT_ERROR(host_bind(host, fd, address), error);
    cr_assert_lt(milliseconds(), start + 5000);
    EXPECT_VALUE(count_reports(&host->process, "waiting"), 0);
}

/* A program that binds [::] and 0.0.0.0, and does not mind the second failure. */
Test(waiting, is_not_for_a_listener_of_the_same_program)
{
    struct host host = host_with(LONG);
    host_serve(&host, "[::]:9999");
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "0.0.0.0:9999"), EADDRINUSE);
    expect_silence(&host.process);
}

Test(waiting, is_not_for_a_host_whose_filter_refuses_the_option)
{
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host host = host_with(LONG);
    host_filter(&host, SYS_setsockopt, FILTER_ANY, SECCOMP_RET_ERRNO | EPERM);
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "0.0.0.0:9999"), EADDRINUSE);
    const char *rest = expect_report(&host.process, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
    expect_no_words(rest, "without SO_REUSEADDR");
    expect_no_words(rest, "LIBREUSE_WAIT");
    expect_words(rest, "setsockopt");
}

Test(waiting, is_not_for_udp)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int held = host_socket(&holder, AF_INET, SOCK_DGRAM, 0);
    EXPECT_SUCCESS(host_bind(&holder, held, "0.0.0.0:9999"));
    struct host host = host_with(LONG);
    expect_no_wait(&host, host_socket(&host, AF_INET, SOCK_DGRAM, 0), "0.0.0.0:9999", EADDRINUSE);
}

Test(waiting, is_not_for_port_0)
{
    set_network("ipv4/ip_local_port_range", "40000 40000");
    struct host holder = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&holder, host_tcp_socket(&holder), "127.0.0.1:0"));
    struct host host = host_with(LONG);
    expect_no_wait(&host, host_tcp_socket(&host), "127.0.0.1:0", EADDRINUSE);
}

Test(waiting, is_not_for_unix_sockets)
{
    struct host host = host_with(LONG);
    int held = host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
    EXPECT_SUCCESS(host_bind(&host, held, "@libreuse"));
    expect_no_wait(&host, host_socket(&host, AF_UNIX, SOCK_STREAM, 0), "@libreuse", EADDRINUSE);
}

Test(waiting, is_not_for_other_errors)
{
    struct host host = host_with(LONG);
    expect_no_wait(&host, host_tcp_socket(&host), "192.0.2.1:9999", EADDRNOTAVAIL);
    const char *rest = expect_report(&host.process, "bind-failed: 192.0.2.1:9999: EADDRNOTAVAIL: ");
    expect_words(rest, "; LIBREUSE_WAIT waits for ports, not for addresses");
}

Test(waiting, is_not_spoken_of_where_it_was_not_asked_for)
{
    struct host host = host_with(NULL);
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "192.0.2.1:9999"), EADDRNOTAVAIL);
    expect_no_words(expect_report(&host.process, "bind-failed: 192.0.2.1:9999: EADDRNOTAVAIL: "),
                    "LIBREUSE_WAIT");
}

Test(waiting, is_not_for_ports_that_are_left_out)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {LONG, "LIBREUSE_PORTS=8888"}});
    expect_no_wait(&host, host_tcp_socket(&host), "0.0.0.0:9999", EADDRINUSE);
}

Test(waiting, is_not_for_a_dry_run)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {LONG, "LIBREUSE_DRY_RUN=1"}});
    expect_no_wait(&host, host_tcp_socket(&host), "0.0.0.0:9999", EADDRINUSE);
}

Test(waiting, is_not_what_happens_unasked)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host hosts[] = {host_with(NULL), host_with("LIBREUSE_WAIT=0"),
                           host_with("LIBREUSE_WAIT=")};
    for (int i = 0; i < 3; i++) {
        expect_no_wait(&hosts[i], host_tcp_socket(&hosts[i]), "0.0.0.0:9999", EADDRINUSE);
        EXPECT_VALUE(count_reports(&hosts[i].process, "config"), 0);
    }
}

static void expect_complaint(const char *variable, const char *value)
{
    char setting[64];
    char beginning[128];
    snprintf(setting, sizeof setting, "%s=%s", variable, value);
    snprintf(beginning, sizeof beginning, "config: %s=\"%s\": expected ", variable, value);
    struct host host = host_with(setting);
    int fd = host_tcp_socket(&host);
    expect_no_wait(&host, fd, "0.0.0.0:9999", EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_report(&host.process, beginning);
    EXPECT_VALUE(count_reports(&host.process, "swallowed"), 1);
}

Test(waiting, is_not_for_a_time_that_is_not_understood)
{
    static const char *const values[] = {"soon",  "-1",  "1.5", "86401", "4294967297",
                                         "1 min", "60m", " 60", "0x10"};
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        expect_complaint("LIBREUSE_WAIT", values[i]);
    }
}

/* A port that somebody else holds, and a host. */
static struct host holder;
static struct host host;

static void hold_port(const char *setting)
{
    enter_private_network();
    holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    host = host_with(setting);
}

static void start_with_fail(void)
{
    hold_port("LIBREUSE_SWALLOWED=fail");
}

static void start_with_exit(void)
{
    hold_port("LIBREUSE_SWALLOWED=exit");
}

static int failed_socket(void)
{
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    return fd;
}

/* What does not count as swallowed, with `fail` and with `exit`. */
static void check_listens_that_are_as_ever(void)
{
    /* Bound at once, and bound twice. */
    host_serve(&host, "0.0.0.0:8888");
    int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:8887"));
    EXPECT_ERROR(host_bind(&host, fd, "127.0.0.1:8887"), EINVAL);
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_SUCCESS(connect_error("127.0.0.1:8887"));

    /* Never bound. */
    EXPECT_SUCCESS(host_listen(&host, host_tcp_socket(&host)));

    /* Bound to another port after all. */
    fd = failed_socket();
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:8885"));
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_SUCCESS(connect_error("127.0.0.1:8885"));

    /* Another socket with the number of one that failed. */
    fd = failed_socket();
    host_close(&host, fd);
    EXPECT_VALUE(host_tcp_socket(&host), fd);
    EXPECT_SUCCESS(host_listen(&host, fd));

    /* What the kernel refuses it refuses with its own error. */
    fd = host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(&host, fd, "/none/socket"), ENOENT);
    EXPECT_ERROR(host_listen(&host, fd), EINVAL);
    fd = failed_socket();
    EXPECT_SUCCESS(host_connect(&host, fd, "127.0.0.1:9999"));
    EXPECT_ERROR(host_listen(&host, fd), EINVAL);
    EXPECT_ERROR(host_listen(&host, -1), EBADF);

    /* A socket that was bound before the bind() that failed listens where the program asked to. */
    fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:8884"));
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:8883"), EINVAL);
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_SUCCESS(connect_error("127.0.0.1:8884"));

    EXPECT_VALUE(count_reports(&host.process, "swallowed"), 0);
}

TestSuite(fail, .init = start_with_fail);

Test(fail, makes_listen_fail_with_the_error_of_bind)
{
    int fd = failed_socket();
    EXPECT_ERROR(host_listen(&host, fd), EADDRINUSE);
    EXPECT_VALUE(host_get_option(&host, fd, SO_ACCEPTCONN), 0);
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
    EXPECT_VALUE(host_port(&host, fd), 0);
    expect_words(
        expect_report(&host.process, "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE"),
        "LIBREUSE_SWALLOWED");
    EXPECT_VALUE(count_reports(&host.process, "listen-failed"), 0);
}

Test(fail, is_about_every_error_of_bind)
{
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "192.0.2.1:9999"), EADDRNOTAVAIL);
    EXPECT_ERROR(host_listen(&host, fd), EADDRNOTAVAIL);
    EXPECT_VALUE(host_get_option(&host, fd, SO_ACCEPTCONN), 0);
    expect_report(&host.process, "swallowed: bind to 192.0.2.1:9999 had failed with EADDRNOTAVAIL");
}

Test(fail, is_about_ipv6_and_mptcp_too)
{
    need_protocol(AF_INET6, 0);
    int fd = host_socket(&host, AF_INET6, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(&host, fd, "[::]:9999"), EADDRINUSE);
    EXPECT_ERROR(host_listen(&host, fd), EADDRINUSE);
    need_protocol(AF_INET, MPTCP_PROTOCOL);
    fd = host_socket(&host, AF_INET, SOCK_STREAM, MPTCP_PROTOCOL);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_ERROR(host_listen(&host, fd), EADDRINUSE);
}

Test(fail, lets_a_program_that_looks_try_again)
{
    int fd = failed_socket();
    EXPECT_ERROR(host_listen(&host, fd), EADDRINUSE);
    EXPECT_ERROR(host_listen(&host, fd), EADDRINUSE);
    end_by_signal(&holder.process, SIGKILL);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_SUCCESS(connect_error("127.0.0.1:9999"));
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 1);
}

Test(fail, disturbs_no_other_listen)
{
    check_listens_that_are_as_ever();
}

TestSuite(end, .init = start_with_exit);

Test(end, ends_the_host_with_status_75)
{
    int fd = failed_socket();
    expect_exit_in_listen(&host, fd, EX_TEMPFAIL);
    EXPECT_VALUE(EX_TEMPFAIL, 75);
    const char *rest =
        expect_report(&host.process, "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE");
    expect_words(rest, "75");
    expect_words(rest, "LIBREUSE_SWALLOWED");
}

Test(end, disturbs_no_other_listen)
{
    check_listens_that_are_as_ever();
    end_host(&host);
}

Test(swallowed_by_a_dry_run, ends_nobody, .init = enter_private_network)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "0.0.0.0:9999");
    struct host dry = start_host_as(
        WITH_SHIM, (struct program){.settings = {"LIBREUSE_DRY_RUN=1", "LIBREUSE_SWALLOWED=exit"}});
    int fd = host_tcp_socket(&dry);
    EXPECT_ERROR(host_bind(&dry, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&dry, fd));
    EXPECT_VALUE(count_reports(&dry.process, "swallowed"), 1);
}

TestSuite(swallowed_setting, .init = enter_private_network);

Test(swallowed_setting, that_is_log_or_nothing_lets_the_program_go_on)
{
    struct host other = start_host(WITHOUT_SHIM);
    host_serve(&other, "0.0.0.0:9999");
    struct host hosts[] = {host_with("LIBREUSE_SWALLOWED=log"), host_with("LIBREUSE_SWALLOWED=")};
    for (int i = 0; i < 2; i++) {
        int fd = host_tcp_socket(&hosts[i]);
        EXPECT_ERROR(host_bind(&hosts[i], fd, "0.0.0.0:9999"), EADDRINUSE);
        EXPECT_SUCCESS(host_listen(&hosts[i], fd));
        EXPECT_VALUE(count_reports(&hosts[i].process, "config"), 0);
        EXPECT_VALUE(count_reports(&hosts[i].process, "swallowed"), 1);
    }
}

Test(swallowed_setting, that_is_not_understood_is_told_and_the_program_goes_on)
{
    static const char *const values[] = {"never", "failure", "FAIL", "1", "exit 75"};
    struct host other = start_host(WITHOUT_SHIM);
    host_serve(&other, "0.0.0.0:9999");
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        expect_complaint("LIBREUSE_SWALLOWED", values[i]);
    }
}

Test(swallowed_setting, and_a_wait_work_together)
{
    struct host other = start_host(WITHOUT_SHIM);
    host_serve(&other, "0.0.0.0:9999");
    struct host patient = start_host_as(
        WITH_SHIM, (struct program){.settings = {"LIBREUSE_WAIT=1", "LIBREUSE_SWALLOWED=fail"}});
    int fd = host_tcp_socket(&patient);
    EXPECT_ERROR(host_bind(&patient, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_ERROR(host_listen(&patient, fd), EADDRINUSE);
    EXPECT_VALUE(count_reports(&patient.process, "waiting"), 1);
    EXPECT_VALUE(count_reports(&patient.process, "bind-failed"), 1);
    EXPECT_VALUE(count_reports(&patient.process, "swallowed"), 1);
}
