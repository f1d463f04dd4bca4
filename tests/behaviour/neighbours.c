/*
 * Everything but the restart of a TCP listener is as without the shim: each test makes the same
 * calls without it and with it, and expects the same results, errors and states of the sockets.
 */
#include "deadline.h"
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "skip.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define PORT 9999

/* Both halves of a test, each in a network of its own. */
#define WITHOUT_AND_WITH_SHIM(shim)                                                                \
    for (enum shim shim = WITHOUT_SHIM; shim <= WITH_SHIM && (enter_private_network(), true);      \
         shim++)

/* The failure is told, with the shim; nothing is, without it. */
static void expect_told(const struct host *host, enum shim shim, const char *report)
{
    if (shim == WITH_SHIM) {
        expect_report(&host->process, report);
    } else {
        expect_silence(&host->process);
    }
}

Test(neighbours, two_servers_on_one_port_and_the_second_is_refused_in_bind)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host first = start_host(shim);
        struct host second = start_host(shim);
        host_serve(&first, "0.0.0.0:9999");
        int fd = host_tcp_socket(&second);
        EXPECT_ERROR(host_bind(&second, fd, "0.0.0.0:9999"), EADDRINUSE);
        expect_told(&second, shim, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
        expect_silence(&first.process);
        EXPECT_VALUE(host_get_option(&second, fd, SO_REUSEADDR), 0);
        EXPECT_VALUE(count_sockets(PORT, TCP_LISTEN), 1);
    }
}

Test(neighbours, a_specific_address_is_refused_while_a_server_listens_on_all)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host first = start_host(shim);
        struct host second = start_host(shim);
        host_serve(&first, "0.0.0.0:9999");
        int fd = host_tcp_socket(&second);
        EXPECT_ERROR(host_bind(&second, fd, "127.0.0.1:9999"), EADDRINUSE);
        EXPECT_VALUE(host_get_option(&second, fd, SO_REUSEADDR), 0);
    }
}

Test(neighbours, all_addresses_are_refused_while_a_server_listens_on_one)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host first = start_host(shim);
        struct host second = start_host(shim);
        host_serve(&first, "127.0.0.1:9999");
        int fd = host_tcp_socket(&second);
        EXPECT_ERROR(host_bind(&second, fd, "0.0.0.0:9999"), EADDRINUSE);
        EXPECT_SUCCESS(host_bind(&second, fd, "127.0.0.2:9999"));
        EXPECT_SUCCESS(host_listen(&second, fd));
    }
}

Test(neighbours, a_port_that_is_bound_but_does_not_listen_is_a_lock_for_one_instance)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host first = start_host(shim);
        struct host second = start_host(shim);
        int lock = host_tcp_socket(&first);
        int tried = host_tcp_socket(&second);
        EXPECT_SUCCESS(host_bind(&first, lock, "127.0.0.1:9999"));
        EXPECT_ERROR(host_bind(&second, tried, "127.0.0.1:9999"), EADDRINUSE);
        EXPECT_ERROR(host_bind(&second, tried, "127.0.0.1:9999"), EADDRINUSE);
        EXPECT_VALUE(host_get_option(&first, lock, SO_REUSEADDR), 0);
        EXPECT_VALUE(host_get_option(&second, tried, SO_REUSEADDR), 0);
        end_by_signal(&first.process, SIGKILL);
        EXPECT_SUCCESS(host_bind(&second, tried, "127.0.0.1:9999"));
    }
}

/* Until a rescued socket listens it is as exclusive as any. Without the shim nobody gets so far. */
Test(neighbours, a_rescued_port_that_does_not_listen_yet_is_a_lock_too)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host first = start_host(WITH_SHIM);
    struct host second = start_host(WITH_SHIM);
    int lock = host_tcp_socket(&first);
    int tried = host_tcp_socket(&second);
    EXPECT_SUCCESS(host_bind(&first, lock, "0.0.0.0:9999"));
    expect_report(&first.process, "rescued: 0.0.0.0:9999");
    EXPECT_ERROR(host_bind(&second, tried, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&first, lock));
    EXPECT_ERROR(host_bind(&second, tried, "0.0.0.0:9999"), EADDRINUSE);
}

/* A program that sets SO_REUSEADDR itself must not get at a port by the shim's help. */
Test(neighbours, a_socket_that_does_not_listen_cannot_be_passed_by_a_program_with_reuseaddr)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host first = start_host(shim);
        struct host second = start_host(shim);
        int lock = host_tcp_socket(&first);
        int tried = host_tcp_socket(&second);
        EXPECT_SUCCESS(host_bind(&first, lock, "0.0.0.0:9999"));
        host_set_option(&second, tried, SOL_SOCKET, SO_REUSEADDR, 1);
        EXPECT_ERROR(host_bind(&second, tried, "0.0.0.0:9999"), EADDRINUSE);
        EXPECT_VALUE(host_get_option(&second, tried, SO_REUSEADDR), 1);
        expect_told(&second, shim, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
    }
}

Test(neighbours, ipv6_and_ipv4_on_one_port_and_the_second_is_refused_in_bind)
{
    enter_private_network();
    need_protocol(AF_INET6, 0);
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host server = start_host(shim);
        int ipv6 = host_socket(&server, AF_INET6, SOCK_STREAM, 0);
        int ipv4 = host_tcp_socket(&server);
        EXPECT_SUCCESS(host_bind(&server, ipv6, "[::]:9999"));
        EXPECT_ERROR(host_bind(&server, ipv4, "0.0.0.0:9999"), EADDRINUSE);
        host_close(&server, ipv4);
        EXPECT_SUCCESS(host_listen(&server, ipv6));
        EXPECT_SUCCESS(connect_error("127.0.0.1:9999"));
        expect_told(&server, shim, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
    }
}

Test(neighbours, ipv4_and_ipv6_on_one_port_and_the_second_is_refused_in_bind)
{
    enter_private_network();
    need_protocol(AF_INET6, 0);
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host server = start_host(shim);
        int ipv6 = host_socket(&server, AF_INET6, SOCK_STREAM, 0);
        int ipv4 = host_tcp_socket(&server);
        EXPECT_SUCCESS(host_bind(&server, ipv4, "0.0.0.0:9999"));
        EXPECT_SUCCESS(host_listen(&server, ipv4));
        EXPECT_ERROR(host_bind(&server, ipv6, "[::]:9999"), EADDRINUSE);
        expect_silence(&server.process); /* its own other family serves */
    }
}

Test(neighbours, ipv6_only_and_ipv4_live_on_one_port)
{
    enter_private_network();
    need_protocol(AF_INET6, 0);
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host server = start_host(shim);
        int ipv6 = host_socket(&server, AF_INET6, SOCK_STREAM, 0);
        int ipv4 = host_tcp_socket(&server);
        host_set_option(&server, ipv6, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        EXPECT_SUCCESS(host_bind(&server, ipv6, "[::]:9999"));
        EXPECT_SUCCESS(host_bind(&server, ipv4, "0.0.0.0:9999"));
        EXPECT_SUCCESS(host_listen(&server, ipv6));
        EXPECT_SUCCESS(host_listen(&server, ipv4));
        expect_silence(&server.process);
    }
}

Test(neighbours, two_clients_with_a_fixed_source_port_and_the_second_is_refused_in_bind)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host server = start_host(shim);
        struct host first = start_host(shim);
        struct host second = start_host(shim);
        host_serve(&server, "0.0.0.0:9999");
        int one = host_tcp_socket(&first);
        int two = host_tcp_socket(&second);
        EXPECT_SUCCESS(host_bind(&first, one, "0.0.0.0:5000"));
        EXPECT_ERROR(host_bind(&second, two, "0.0.0.0:5000"), EADDRINUSE);
        EXPECT_SUCCESS(host_connect(&first, one, "127.0.0.1:9999"));
        EXPECT_ERROR(host_bind(&second, two, "0.0.0.0:5000"), EADDRINUSE);
        EXPECT_VALUE(host_get_option(&first, one, SO_REUSEADDR), 0);
        EXPECT_VALUE(host_get_option(&second, two, SO_REUSEADDR), 0);
        EXPECT_SUCCESS(host_connect(&second, two, "127.0.0.1:9999"));
    }
}

/* A client is no listener: nothing arms it, and it waits for its TIME_WAIT as ever. */
Test(neighbours, a_client_with_a_fixed_source_port_is_refused_after_its_own_time_wait)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host server = start_host(shim);
        int listener = host_serve(&server, "0.0.0.0:9999");
        struct host client = start_host(shim);
        int fd = host_tcp_socket(&client);
        EXPECT_SUCCESS(host_bind(&client, fd, "0.0.0.0:5000"));
        EXPECT_SUCCESS(host_connect(&client, fd, "127.0.0.1:9999"));
        int connection = host_accept(&server, listener);
        host_close(&client, fd);
        expect_host_end_of_stream(&server, connection);
        host_close(&server, connection);
        EVENTUALLY(count_sockets(5000, TCP_TIME_WAIT) == 1);

        fd = host_tcp_socket(&client);
        EXPECT_ERROR(host_bind(&client, fd, "0.0.0.0:5000"), EADDRINUSE);
        EXPECT_VALUE(host_get_option(&client, fd, SO_REUSEADDR), 0);
    }
}

/* On a UDP socket SO_REUSEADDR would let a second program take the datagrams of the first. */
static void check_udp(int family, const char *address)
{
    enter_private_network();
    need_protocol(family, 0);
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host first = start_host(shim);
        struct host second = start_host(shim);
        int owner = host_socket(&first, family, SOCK_DGRAM, 0);
        int thief = host_socket(&second, family, SOCK_DGRAM, 0);
        host_set_option(&first, owner, SOL_SOCKET, SO_REUSEADDR, 1);
        EXPECT_SUCCESS(host_bind(&first, owner, address));
        EXPECT_ERROR(host_bind(&second, thief, address), EADDRINUSE);
        EXPECT_VALUE(host_get_option(&second, thief, SO_REUSEADDR), 0);
        EXPECT_ERROR(host_listen(&second, thief), EOPNOTSUPP);
        EXPECT_VALUE(host_get_option(&second, thief, SO_REUSEADDR), 0);
        host_close(&second, thief);

        thief = host_socket(&second, family, SOCK_DGRAM, 0);
        struct system_calls calls;
        second.trace = &calls;
        EXPECT_ERROR(host_bind(&second, thief, address), EADDRINUSE);
        cr_assert(!calls.has_setsockopt, "the option was set on a UDP socket");
    }
}

Test(neighbours, a_second_udp_socket_is_refused_over_ipv4)
{
    check_udp(AF_INET, "0.0.0.0:9999");
}

Test(neighbours, a_second_udp_socket_is_refused_over_ipv6)
{
    check_udp(AF_INET6, "[::]:9999");
}

/*
 * All ephemeral ports are taken, by a socket with SO_REUSEADDR that does not listen. With
 * ip_autobind_reuse=1 the kernel would hand its port to a second socket with SO_REUSEADDR.
 */
Test(neighbours, port_0_is_refused_when_no_ephemeral_port_is_free)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        set_network("ipv4/ip_local_port_range", "40000 40000");
        set_network("ipv4/ip_autobind_reuse", "1");
        struct host host = start_host(shim);
        int holder = host_tcp_socket(&host);
        host_set_option(&host, holder, SOL_SOCKET, SO_REUSEADDR, 1);
        EXPECT_SUCCESS(host_bind(&host, holder, "127.0.0.1:0"));
        EXPECT_VALUE(host_port(&host, holder), 40000);

        int fd = host_tcp_socket(&host);
        struct system_calls calls;
        host.trace = &calls;
        EXPECT_ERROR(host_bind(&host, fd, "127.0.0.1:0"), EADDRINUSE);
        cr_assert(!calls.has_setsockopt, "the option was set for port 0");
        EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
        expect_told(&host, shim, "bind-failed: 127.0.0.1:0: EADDRINUSE: ");

        /* The kernel does behave as this test relies on. */
        host_set_option(&host, fd, SOL_SOCKET, SO_REUSEADDR, 1);
        EXPECT_SUCCESS(host_bind(&host, fd, "127.0.0.1:0"));
    }
}

Test(neighbours, no_free_port_is_what_an_unbound_listener_and_a_udp_socket_are_told)
{
    enter_private_network();
    set_network("ipv4/ip_local_port_range", "40000 40000");
    struct host holder = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&holder, host_tcp_socket(&holder), "0.0.0.0:40000"));
    int udp = host_socket(&holder, AF_INET, SOCK_DGRAM, 0);
    EXPECT_SUCCESS(host_bind(&holder, udp, "0.0.0.0:40000"));
    struct host host = start_host(WITH_SHIM);
    EXPECT_ERROR(host_listen(&host, host_tcp_socket(&host)), EADDRINUSE);
    udp = host_socket(&host, AF_INET, SOCK_DGRAM, 0);
    EXPECT_ERROR(host_bind(&host, udp, "0.0.0.0:0"), EADDRINUSE);
    static const char *const beginnings[] = {
        "listen-failed: 0.0.0.0:0: EADDRINUSE: no port of net.ipv4.ip_local_port_range",
        "bind-failed: 0.0.0.0:0: EADDRINUSE: no port of net.ipv4.ip_local_port_range"};
    expect_report(&host.process, beginnings[0]);
    expect_report(&host.process, beginnings[1]);
}

Test(neighbours, port_0_gives_a_listener_on_a_port_of_its_own)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host host = start_host(shim);
        int first = host_serve(&host, "127.0.0.1:0");
        int second = host_serve(&host, "127.0.0.1:0");
        cr_assert_neq(host_port(&host, first), host_port(&host, second));
        expect_silence(&host.process);
    }
}

Test(neighbours, a_second_unix_socket_is_refused_and_no_option_is_set)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host host = start_host(shim);
        int first = host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
        int second = host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
        EXPECT_SUCCESS(host_bind(&host, first, "@libreuse"));
        EXPECT_SUCCESS(host_listen(&host, first));
        struct system_calls calls;
        host.trace = &calls;
        EXPECT_ERROR(host_bind(&host, second, "@libreuse"), EADDRINUSE);
        cr_assert(!calls.has_setsockopt, "the option was set on an AF_UNIX socket");
        EXPECT_ERROR(host_listen(&host, second), EINVAL);
        EXPECT_VALUE(host_get_option(&host, first, SO_REUSEADDR), 0);
        EXPECT_VALUE(host_get_option(&host, second, SO_REUSEADDR), 0);
        expect_told(&host, shim, "bind-failed: @libreuse: EADDRINUSE: ");
    }
}

Test(neighbours, a_program_with_reuseaddr_of_its_own_keeps_it_and_its_restart)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        /* Both runs set the option themselves. */
        for (int run = 0; run < 2; run++) {
            struct host server = start_host(shim);
            int listener = host_tcp_socket(&server);
            host_set_option(&server, listener, SOL_SOCKET, SO_REUSEADDR, 1);
            EXPECT_SUCCESS(host_bind(&server, listener, "0.0.0.0:9999"));
            EXPECT_VALUE(host_get_option(&server, listener, SO_REUSEADDR), 1);
            EXPECT_SUCCESS(host_listen(&server, listener));
            EXPECT_VALUE(host_get_option(&server, listener, SO_REUSEADDR), 1);
            expect_silence(&server.process);

            int client = connected_client("127.0.0.1:9999", 0);
            host_accept(&server, listener);
            end_by_signal(&server.process, SIGKILL);
            expect_end_of_stream(client);
            close(client);
            EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == (unsigned)run + 1);
        }
    }
}

Test(neighbours, a_program_that_switches_reuseaddr_off_after_listen_has_it_off)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host server = start_host(shim);
        int listener = host_serve(&server, "0.0.0.0:9999");
        host_set_option(&server, listener, SOL_SOCKET, SO_REUSEADDR, 0);
        connected_client("127.0.0.1:9999", 0);
        int connection = host_accept(&server, listener);
        EXPECT_VALUE(host_get_option(&server, listener, SO_REUSEADDR), 0);
        EXPECT_VALUE(host_get_option(&server, connection, SO_REUSEADDR), 0);
    }
}

/* Two programs that both set SO_REUSEADDR may both bind; then the second listen() is refused. */
Test(neighbours, a_second_listen_on_one_port_is_refused_and_told)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host first = start_host(shim);
        struct host second = start_host(shim);
        struct host *const hosts[] = {&first, &second};
        int fds[2];
        for (int i = 0; i < 2; i++) {
            fds[i] = host_tcp_socket(hosts[i]);
            host_set_option(hosts[i], fds[i], SOL_SOCKET, SO_REUSEADDR, 1);
            EXPECT_SUCCESS(host_bind(hosts[i], fds[i], "0.0.0.0:9999"));
        }
        EXPECT_SUCCESS(host_listen(&first, fds[0]));
        EXPECT_ERROR(host_listen(&second, fds[1]), EADDRINUSE);
        expect_told(&second, shim, "listen-failed: 0.0.0.0:9999: EADDRINUSE: ");
        expect_silence(&first.process);
    }
}

Test(neighbours, a_listen_that_fails_changes_no_option)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host server = start_host(shim);
        host_serve(&server, "0.0.0.0:9999");
        struct host client = start_host(shim);
        int fd = host_tcp_socket(&client);
        EXPECT_SUCCESS(host_connect(&client, fd, "127.0.0.1:9999"));
        EXPECT_ERROR(host_listen(&client, fd), EINVAL);
        EXPECT_VALUE(host_get_option(&client, fd, SO_REUSEADDR), 0);
    }
}

Test(neighbours, a_client_that_never_listens_is_left_alone)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host server = start_host(shim);
        host_serve(&server, "0.0.0.0:9999");
        struct host client = start_host(shim);
        int fd = host_tcp_socket(&client);
        EXPECT_SUCCESS(host_bind(&client, fd, "127.0.0.1:5000"));
        EXPECT_SUCCESS(host_connect(&client, fd, "127.0.0.1:9999"));
        EXPECT_VALUE(host_get_option(&client, fd, SO_REUSEADDR), 0);
        EXPECT_VALUE(host_get_option(&client, fd, SO_REUSEPORT), 0);
        expect_silence(&client.process);
    }
}

Test(neighbours, errors_of_other_kinds_are_the_kernels)
{
    WITHOUT_AND_WITH_SHIM(shim)
    {
        struct host host = start_host(shim);
        int tcp = host_tcp_socket(&host);
        EXPECT_ERROR(host_bind(&host, tcp, "192.0.2.1:9999"), EADDRNOTAVAIL);
        EXPECT_ERROR(host_bind(&host, 150, "0.0.0.0:9999"), EBADF);
        EXPECT_ERROR(host_bind(&host, -1, "0.0.0.0:9999"), EBADF);
        EXPECT_ERROR(host_bind(&host, 0, "0.0.0.0:9999"), EINVAL); /* its channel, AF_UNIX */
        EXPECT_ERROR(host_bind(&host, 1, "0.0.0.0:9999"), ENOTSOCK);
        EXPECT_ERROR(host_bind(&host, tcp, "@libreuse"), EINVAL); /* too short for IPv4 */
        EXPECT_ERROR(host_bind(&host, tcp, "@a name that is long enough"), EAFNOSUPPORT);
        EXPECT_ERROR(host_listen(&host, 150), EBADF);
        EXPECT_ERROR(host_listen(&host, 1), ENOTSOCK);
        EXPECT_SUCCESS(host_bind(&host, tcp, "0.0.0.0:9999"));
        EXPECT_ERROR(host_bind(&host, tcp, "0.0.0.0:9999"), EINVAL);
    }
}

/* With SO_REUSEADDR the kernel would refuse these just the same: there is nothing to try. */
Test(neighbours, errors_of_other_kinds_set_no_option)
{
    enter_private_network();
    struct host host = start_host(WITH_SHIM);
    int bound = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, bound, "0.0.0.0:9999"));
    struct system_calls calls;
    host.trace = &calls;
    EXPECT_ERROR(host_bind(&host, bound, "0.0.0.0:9999"), EINVAL);
    cr_assert(!calls.has_setsockopt, "the option was set after EINVAL");
    int other = host_tcp_socket(&host);
    host.trace = &calls;
    EXPECT_ERROR(host_bind(&host, other, "192.0.2.1:9999"), EADDRNOTAVAIL);
    cr_assert(!calls.has_setsockopt, "the option was set after EADDRNOTAVAIL");
}

/* When SO_REUSEADDR is on, with the shim: from listen() on and at no other time. */
static void expect_options(struct host *host, int fd, int reuseaddr)
{
    EXPECT_VALUE(host_get_option(host, fd, SO_REUSEADDR), reuseaddr);
    EXPECT_VALUE(host_get_option(host, fd, SO_REUSEPORT), 0);
}

Test(options, are_set_by_listen_alone_when_bind_succeeds_at_once)
{
    enter_private_network();
    struct host server = start_host(WITH_SHIM);
    int listener = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, listener, "0.0.0.0:9999"));
    expect_options(&server, listener, 0);
    EXPECT_SUCCESS(host_listen(&server, listener));
    expect_options(&server, listener, 1);
}

Test(options, are_set_by_listen_alone_when_bind_is_rescued)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host server = start_host(WITH_SHIM);
    int listener = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, listener, "0.0.0.0:9999"));
    expect_report(&server.process, "rescued: 0.0.0.0:9999: bind succeeded with SO_REUSEADDR");
    expect_options(&server, listener, 0);
    EXPECT_SUCCESS(host_listen(&server, listener));
    expect_options(&server, listener, 1);
}

Test(options, are_off_after_a_bind_that_could_not_be_rescued)
{
    enter_private_network();
    struct host first = start_host(WITH_SHIM);
    struct host second = start_host(WITH_SHIM);
    host_serve(&first, "0.0.0.0:9999");
    int fd = host_tcp_socket(&second);
    EXPECT_ERROR(host_bind(&second, fd, "0.0.0.0:9999"), EADDRINUSE);
    expect_options(&second, fd, 0);
}

Test(options, are_inherited_by_accepted_connections)
{
    enter_private_network();
    struct host server = start_host(WITH_SHIM);
    int listener = host_serve(&server, "0.0.0.0:9999");
    connected_client("127.0.0.1:9999", 0);
    expect_options(&server, host_accept(&server, listener), 1);
}

/* A connection that waits in the queue while listen() is called again is armed as well. */
Test(options, stay_set_when_listen_is_called_again)
{
    enter_private_network();
    struct host server = start_host(WITH_SHIM);
    int listener = host_serve(&server, "0.0.0.0:9999");
    EXPECT_SUCCESS(host_listen(&server, listener));
    expect_options(&server, listener, 1);
}

/* A server without a bind(): the kernel gives it a port, and its connections must not block it. */
Test(options, are_set_on_a_listener_that_was_never_bound)
{
    enter_private_network();
    struct host server = start_host(WITH_SHIM);
    int listener = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_listen(&server, listener));
    expect_options(&server, listener, 1);
    EXPECT_VALUE(count_reports(&server.process, "swallowed"), 0);
}
