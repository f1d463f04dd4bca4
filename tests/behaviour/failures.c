/*
 * A failed bind() is remembered by the socket, until the program listens on it all the same
 * (swallowed), binds it after all (recovered), or binds another address (moved). Descriptors'
 * numbers, copies and forks do not confuse that.
 */
#include "deadline.h"
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define PORT 9999

static struct host holder;
static int held;
static struct host host;

/* Somebody else listens on the port, and there is a host. */
static void someone_else_listens(void)
{
    enter_private_network();
    holder = start_host(WITHOUT_SHIM);
    held = host_serve(&holder, "0.0.0.0:9999");
    host = start_host(WITH_SHIM);
}

static int socket_that_failed(void)
{
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    return fd;
}

static void expect_swallowed(const struct host *who, unsigned count)
{
    EXPECT_VALUE(count_reports(&who->process, "swallowed"), count);
}

TestSuite(swallowed, .init = someone_else_listens);

Test(swallowed, names_the_address_the_error_and_the_port_that_the_program_really_listens_on)
{
    int fd = socket_that_failed();
    EXPECT_SUCCESS(host_listen(&host, fd));
    const char *rest =
        expect_report(&host.process, "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; "
                                     "the program went on and listens on 0.0.0.0:");
    char *end;
    long port = strtol(rest, &end, 10);
    cr_assert_str_eq(end, ", clients of port 9999 do not reach it");
    EXPECT_VALUE(port, host_port(&host, fd));
    EXPECT_VALUE(count_sockets((uint16_t)port, TCP_LISTEN), 1);
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%ld", port);
    EXPECT_SUCCESS(connect_error(address));
}

Test(swallowed, names_an_ipv6_address)
{
    need_protocol(AF_INET6, 0);
    int fd = host_socket(&host, AF_INET6, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(&host, fd, "[::]:9999"), EADDRINUSE);
    expect_report(&host.process, "bind-failed: [::]:9999: EADDRINUSE: ");
    EXPECT_SUCCESS(host_listen(&host, fd));
    const char *rest =
        expect_report(&host.process, "swallowed: bind to [::]:9999 had failed with EADDRINUSE; "
                                     "the program went on and listens on [::]:");
    EXPECT_VALUE(strtol(rest, NULL, 10), host_port(&host, fd));
}

Test(swallowed, names_an_error_other_than_eaddrinuse)
{
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "192.0.2.1:80"), EADDRNOTAVAIL);
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_report(&host.process, "swallowed: bind to 192.0.2.1:80 had failed with EADDRNOTAVAIL; ");
}

Test(swallowed, is_told_of_mptcp)
{
    need_protocol(AF_INET, MPTCP_PROTOCOL);
    int fd = host_socket(&host, AF_INET, SOCK_STREAM, MPTCP_PROTOCOL);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    const char *rest =
        expect_report(&host.process, "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; "
                                     "the program went on and listens on 0.0.0.0:");
    EXPECT_VALUE(strtol(rest, NULL, 10), host_port(&host, fd));
}

Test(swallowed, is_told_once)
{
    int fd = socket_that_failed();
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_swallowed(&host, 1);
}

Test(swallowed, is_told_of_a_copy_of_the_descriptor)
{
    int fd = socket_that_failed();
    EXPECT_VALUE(host_dup2(&host, fd, 100), 100);
    host_close(&host, fd);
    EXPECT_SUCCESS(host_listen(&host, 100));
    expect_swallowed(&host, 1);
}

Test(swallowed, is_not_told_of_a_new_socket_with_the_number_of_one_that_failed)
{
    int fd = socket_that_failed();
    host_close(&host, fd);
    int other = host_tcp_socket(&host);
    EXPECT_VALUE(other, fd);
    EXPECT_SUCCESS(host_bind(&host, other, "0.0.0.0:8888"));
    EXPECT_SUCCESS(host_listen(&host, other));
    expect_swallowed(&host, 0);
    EXPECT_VALUE(count_reports(&host.process, "recovered"), 0);
}

Test(swallowed, is_not_told_of_a_new_unbound_socket_with_the_number_of_one_that_failed)
{
    int fd = socket_that_failed();
    host_close(&host, fd);
    int other = host_tcp_socket(&host);
    EXPECT_VALUE(other, fd);
    EXPECT_SUCCESS(host_listen(&host, other));
    expect_swallowed(&host, 0);
}

/* Other servers of the program, meanwhile, must not make it forget. */
Test(swallowed, is_told_of_a_duplicate_after_many_other_sockets)
{
    enum { OTHERS = 30 };
    int fd = socket_that_failed();
    EXPECT_VALUE(host_dup2(&host, fd, 100), 100);
    host_close(&host, fd);
    for (int i = 0; i < OTHERS; i++) {
        int other = host_tcp_socket(&host);
        EXPECT_SUCCESS(host_bind(&host, other, "127.0.0.1:8888"));
        host_close(&host, other);
    }
    EXPECT_SUCCESS(host_listen(&host, 100));
    expect_swallowed(&host, 1);
}

Test(swallowed, is_not_told_of_a_socket_that_dup2_put_in_the_place_of_one_that_failed)
{
    int fd = socket_that_failed();
    int other = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, other, "0.0.0.0:8888"));
    EXPECT_VALUE(host_dup2(&host, other, fd), fd);
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_swallowed(&host, 0);
}

Test(swallowed, is_told_of_the_one_socket_of_two_that_listens)
{
    int first = socket_that_failed();
    int second = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, second, "127.0.0.1:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, second));
    expect_report(&host.process, "swallowed: bind to 127.0.0.1:9999 ");
    expect_swallowed(&host, 1);
    EXPECT_SUCCESS(host_listen(&host, first));
    expect_report(&host.process, "swallowed: bind to 0.0.0.0:9999 ");
    expect_swallowed(&host, 2);
}

Test(swallowed, is_told_by_a_forked_child_under_its_own_name)
{
    int fd = socket_that_failed();
    struct host child = fork_host(&host);
    EXPECT_SUCCESS(host_listen(&child, fd));
    cr_assert_neq(child.process.pid, host.process.pid);
    expect_swallowed(&child, 1);
    expect_swallowed(&host, 0);
}

Test(swallowed, is_told_by_the_parent_of_a_bind_that_failed_before_the_fork)
{
    int fd = socket_that_failed();
    struct host child = fork_host(&host);
    end_forked_host(&child);
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_swallowed(&host, 1);
}

Test(swallowed, is_told_after_a_bind_by_a_child_that_shares_the_memory)
{
    int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind_in_vfork(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 0); /* it was the child's */
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_swallowed(&host, 1);
}

Test(swallowed, is_not_told_when_a_second_bind_of_a_bound_socket_fails)
{
    int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:8888"));
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:8888"), EINVAL);
    expect_report(&host.process, "bind-failed: 0.0.0.0:8888: EINVAL: ");
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_SUCCESS(connect_error("127.0.0.1:8888"));
    expect_swallowed(&host, 0);
}

/* Nothing that failed before and is gone may push out what failed last. */
Test(swallowed, is_told_after_a_thousand_failures_of_sockets_that_are_gone)
{
    for (int i = 0; i < 1000; i++) {
        host_close(&host, socket_that_failed());
    }
    EXPECT_SUCCESS(host_listen(&host, socket_that_failed()));
    expect_swallowed(&host, 1);
}

Test(swallowed, is_told_of_each_of_sixty_sockets)
{
    int fds[60];
    for (int i = 0; i < 60; i++) {
        fds[i] = socket_that_failed();
    }
    for (int i = 0; i < 60; i++) {
        EXPECT_SUCCESS(host_listen(&host, fds[i]));
    }
    expect_swallowed(&host, 60);
}

TestSuite(recovered, .init = someone_else_listens);
TestSuite(moved, .init = someone_else_listens);

Test(recovered, is_told_with_the_tries_and_the_time_and_is_not_swallowed)
{
    int fd = socket_that_failed();
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    end_by_signal(&holder.process, SIGKILL);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    const char *rest = expect_report(
        &host.process, "recovered: 0.0.0.0:9999: bind succeeded after 3 failed tries in ");
    char *end;
    double seconds = strtod(rest, &end);
    cr_assert_str_eq(end, " s");
    cr_assert(seconds >= 0 && seconds < DEADLINE_SECONDS, "not the time of three tries: %s", rest);

    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_swallowed(&host, 0);
    EXPECT_SUCCESS(connect_error("127.0.0.1:9999"));
}

/* A socket of the host has failed at 0.0.0.0:9999, and is bound to another address. */
static void expect_moved(const char *to, const char *rest)
{
    int fd = socket_that_failed();
    EXPECT_SUCCESS(host_bind(&host, fd, to));
    char expected[192];
    snprintf(expected, sizeof expected,
             "moved: bind to 0.0.0.0:9999 had failed with EADDRINUSE; the program has bound %s "
             "instead%s",
             to, rest);
    cr_assert_str_eq(expect_report(&host.process, expected), "");
    EXPECT_VALUE(count_reports(&host.process, "recovered"), 0);
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_swallowed(&host, 0);
}

Test(moved, is_told_of_a_bind_to_another_port_and_is_not_recovered_nor_swallowed)
{
    expect_moved("0.0.0.0:8888", "; port 9999 does not lead to it");
}

Test(moved, is_told_of_a_bind_to_another_address_of_the_same_port)
{
    host_close(&holder, held);
    held = host_serve(&holder, "127.0.0.1:9999");
    expect_moved("127.0.0.2:9999", "");
}

Test(moved, names_the_address_that_was_tried_first_whatever_was_tried_since)
{
    int fd = socket_that_failed();
    EXPECT_ERROR(host_bind(&host, fd, "192.0.2.1:9998"), EADDRNOTAVAIL);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:8888"));
    expect_report(&host.process, "moved: bind to 0.0.0.0:9999 had failed with EADDRINUSE; the "
                                 "program has bound 0.0.0.0:8888 instead");
}

Test(moved, is_not_told_of_the_address_that_was_tried_first)
{
    int fd = socket_that_failed();
    EXPECT_ERROR(host_bind(&host, fd, "192.0.2.1:9998"), EADDRNOTAVAIL);
    end_by_signal(&holder.process, SIGKILL);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    expect_report(&host.process, "recovered: 0.0.0.0:9999: ");
    EXPECT_VALUE(count_reports(&host.process, "moved"), 0);
}

Test(recovered, is_not_told_of_another_socket)
{
    socket_that_failed();
    end_by_signal(&holder.process, SIGKILL);
    host_serve(&host, "0.0.0.0:9999");
    EXPECT_VALUE(count_reports(&host.process, "recovered"), 0);
    expect_swallowed(&host, 0);
}

Test(recovered, forgets_what_had_failed)
{
    int fd = socket_that_failed();
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:8888"));
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(count_reports(&host.process, "moved"), 1);

    /* With nothing to remember, listen() is as cheap as ever. */
    int other = host_tcp_socket(&host);
    struct system_calls calls;
    host.trace = &calls;
    EXPECT_SUCCESS(host_listen(&host, other));
    cr_assert_eq(calls.count, 3, "listen() made the system calls%s", describe_calls(&calls));
}
