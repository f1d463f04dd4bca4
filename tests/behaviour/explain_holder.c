/*
 * EADDRINUSE because of a socket that is open: each kind of holder is there for real, and the line
 * that the shim writes names it with its facts. What the line says besides is not looked at.
 */
#include "deadline.h"
#include "host.h"
#include "in_use.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

TestSuite(held_by, .init = enter_private_network);

Test(held_by, a_listener_with_its_program_process_address_and_descriptor)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_serve(&holder, "127.0.0.1:9999");
    EXPECT_VALUE(host_dup2(&holder, fd, 77), 77);
    host_close(&holder, fd);
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "listening on 127.0.0.1:9999");
    expect_descriptor(rest, 77);
}

/* Then /proc has no descriptors of the process, but of its other threads. */
Test(held_by, a_process_whose_first_thread_has_ended)
{
    struct host holder = start_host(WITHOUT_SHIM);
    const int fd = host_serve(&holder, "0.0.0.0:9999");
    host_leave_main(&holder);
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&holder));
    expect_descriptor(rest, fd);
}

/* Without a first thread the folder of the process is root's. */
Test(held_by, a_process_of_the_same_user_whose_first_thread_has_ended)
{
    struct host holder = start_host(WITHOUT_SHIM);
    struct host host = start_host(WITH_SHIM);
    host_become_user(&holder, HOSTS_USER);
    host_become_user(&host, HOSTS_USER);
    const int fd = host_serve(&holder, "0.0.0.0:9999");
    host_leave_main(&holder);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, who(&holder));
    expect_descriptor(rest, fd);
}

Test(held_by, a_listener_of_ipv6)
{
    need_protocol(AF_INET6, 0);
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_serve(&holder, "[::1]:9999");
    const char *rest = refused_to_a_host("[::]:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "listening on [::1]:9999");
    expect_descriptor(rest, fd);
    expect_no_words(rest, "IPV6_V6ONLY");
}

/* Both servers run under the shim: the listener is armed, and its connections are passed. */
Test(held_by, a_listener_and_not_its_connections)
{
    struct host holder = start_host(WITH_SHIM);
    int fd = host_serve(&holder, "0.0.0.0:9999");
    for (int i = 0; i < 5; i++) {
        connected_client("127.0.0.1:9999", 0);
        host_accept(&holder, fd);
    }
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "listening on 0.0.0.0:9999");
    expect_descriptor(rest, fd);
}

Test(held_by, a_listener_of_mptcp)
{
    need_protocol(AF_INET, MPTCP_PROTOCOL);
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_socket(&holder, AF_INET, SOCK_STREAM, MPTCP_PROTOCOL);
    EXPECT_SUCCESS(host_bind(&holder, fd, "0.0.0.0:9999"));
    EXPECT_SUCCESS(host_listen(&holder, fd));
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "listening on 0.0.0.0:9999");
    expect_descriptor(rest, fd);

    struct host host = start_host(WITH_SHIM);
    int mptcp = host_socket(&host, AF_INET, SOCK_STREAM, MPTCP_PROTOCOL);
    rest = refused(&host, mptcp, "127.0.0.1:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "listening on 0.0.0.0:9999");
}

Test(held_by, a_socket_that_is_bound_and_does_not_listen)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_tcp_socket(&holder);
    EXPECT_SUCCESS(host_bind(&holder, fd, "127.0.0.1:9999"));
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "bound to 127.0.0.1:9999");
    expect_words(rest, "not listening");
    expect_descriptor(rest, fd);
}

/* A client has got the port as its source port, which the kernel picks from the local range. */
Test(held_by, an_outgoing_connection_with_its_peer_and_the_setting_that_prevents_it)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "127.0.0.1:8888");
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_tcp_socket(&holder);
    EXPECT_SUCCESS(host_connect(&holder, fd, "127.0.0.1:8888"));
    char address[32];
    char reserved[64];
    snprintf(address, sizeof address, "0.0.0.0:%u", host_port(&holder, fd));
    snprintf(reserved, sizeof reserved, "ip_local_reserved_ports=%u", host_port(&holder, fd));
    const char *rest = refused_to_a_host(address);
    expect_words(rest, who(&holder));
    expect_words(rest, "127.0.0.1:8888");
    expect_words(rest, "ESTABLISHED");
    expect_words(rest, "outgoing");
    expect_words(rest, reserved);
    expect_descriptor(rest, fd);
}

/* Nobody answers, because the server's queue is full: such a connection can only be outgoing. */
Test(held_by, an_outgoing_connection_that_is_being_made)
{
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, listener, "127.0.0.1:8888"));
    EXPECT_SUCCESS(host_listen_with_queue(&server, listener, 0));
    connected_client("127.0.0.1:8888", 0);
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_socket(&holder, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    EXPECT_ERROR(host_connect(&holder, fd, "127.0.0.1:8888"), EINPROGRESS);
    uint16_t port = host_port(&holder, fd);
    EXPECT_VALUE(count_sockets(port, TCP_SYN_SENT), 1);
    char address[32];
    snprintf(address, sizeof address, "0.0.0.0:%u", port);
    const char *rest = refused_to_a_host(address);
    expect_words(rest, who(&holder));
    expect_words(rest, "an outgoing connection to 127.0.0.1:8888");
    expect_words(rest, "SYN_SENT");
    expect_words(rest, "ip_local_reserved_ports=");
    expect_descriptor(rest, fd);
}

Test(held_by, this_very_process)
{
    struct host host = start_host(WITH_SHIM);
    int listener = host_serve(&host, "0.0.0.0:9999");
    const char *rest = refused(&host, host_tcp_socket(&host), "127.0.0.1:9999");
    expect_words(rest, "this very process");
    expect_words(rest, "listening on 0.0.0.0:9999");
    expect_descriptor(rest, listener);
    expect_no_words(rest, "IPV6_V6ONLY");
}

Test(held_by, this_very_process_whose_ipv6_socket_takes_ipv4_too)
{
    need_protocol(AF_INET6, 0);
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_LEVEL=info"}});
    int listener = host_serve(&host, "[::]:9999");
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "this very process");
    expect_words(rest, "listening on [::]:9999");
    expect_words(rest, "IPV6_V6ONLY");
    expect_descriptor(rest, listener);
}

Test(held_by, another_process_whose_ipv6_socket_takes_ipv4_too)
{
    need_protocol(AF_INET6, 0);
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "[::]:9999");
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "IPV6_V6ONLY");
}

/* Two servers share the port, one for each protocol; either may have come first. */
Test(held_by, the_server_of_ipv4_and_not_that_of_ipv6_alone)
{
    need_protocol(AF_INET6, 0);
    for (int ipv6_first = 0; ipv6_first < 2; ipv6_first++) {
        enter_private_network();
        struct host ipv4 = start_host(WITHOUT_SHIM);
        struct host ipv6 = start_host(WITHOUT_SHIM);
        if (ipv6_first) {
            serve_ipv6_only(&ipv6, "[::]:9999");
        }
        host_serve(&ipv4, "0.0.0.0:9999");
        if (!ipv6_first) {
            serve_ipv6_only(&ipv6, "[::]:9999");
        }
        const char *rest = refused_to_a_host("0.0.0.0:9999");
        expect_words(rest, who(&ipv4));
        expect_no_words(rest, who(&ipv6));
        expect_no_words(rest, "IPV6_V6ONLY");

        struct host host = start_host(WITH_SHIM);
        int fd = host_socket(&host, AF_INET6, SOCK_STREAM, 0);
        host_set_option(&host, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        rest = refused(&host, fd, "[::]:9999");
        expect_words(rest, who(&ipv6));
        expect_no_words(rest, who(&ipv4));
    }
}

/* A server is what is looked for first, but this one is not in the way. */
Test(held_by, the_bound_socket_of_ipv4_and_not_the_server_of_ipv6_alone)
{
    need_protocol(AF_INET6, 0);
    struct host ipv6 = start_host(WITHOUT_SHIM);
    struct host ipv4 = start_host(WITHOUT_SHIM);
    serve_ipv6_only(&ipv6, "[::]:9999");
    EXPECT_SUCCESS(host_bind(&ipv4, host_tcp_socket(&ipv4), "0.0.0.0:9999"));
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&ipv4));
    expect_words(rest, "bound to 0.0.0.0:9999");
    expect_no_words(rest, who(&ipv6));
}

/* Two servers share the port, each on its own interface. */
Test(held_by, the_server_on_the_same_interface)
{
    unsigned ethernet = add_ethernet("lan0");
    const int devices[] = {1, (int)ethernet};
    struct host servers[] = {start_host(WITHOUT_SHIM), start_host(WITHOUT_SHIM)};
    for (int i = 0; i < 2; i++) {
        int fd = host_tcp_socket(&servers[i]);
        host_set_option(&servers[i], fd, SOL_SOCKET, SO_BINDTOIFINDEX, devices[i]);
        EXPECT_SUCCESS(host_bind(&servers[i], fd, "0.0.0.0:9999"));
        EXPECT_SUCCESS(host_listen(&servers[i], fd));
    }
    for (int i = 0; i < 2; i++) {
        struct host host = start_host(WITH_SHIM);
        int fd = host_tcp_socket(&host);
        host_set_option(&host, fd, SOL_SOCKET, SO_BINDTOIFINDEX, devices[i]);
        const char *rest = refused(&host, fd, "0.0.0.0:9999");
        expect_words(rest, who(&servers[i]));
        expect_words(rest, i == 0 ? "on 0.0.0.0%lo:9999" : "on 0.0.0.0%lan0:9999");
        expect_no_words(rest, who(&servers[1 - i]));
    }
}

/* SO_REUSEPORT on one side, and on both sides of two users. */
Test(held_by, a_server_that_does_not_share_the_port)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&host);
    host_set_option(&host, fd, SOL_SOCKET, SO_REUSEPORT, 1);
    expect_words(refused(&host, fd, "0.0.0.0:9999"),
                 "; SO_REUSEPORT is set on this socket, and must be on that one, too; stop");

    struct host other = start_host(WITHOUT_SHIM);
    host_become_user(&other, 33);
    fd = host_tcp_socket(&other);
    host_set_option(&other, fd, SOL_SOCKET, SO_REUSEPORT, 1);
    EXPECT_SUCCESS(host_bind(&other, fd, "0.0.0.0:9998"));
    EXPECT_SUCCESS(host_listen(&other, fd));
    fd = host_tcp_socket(&host);
    host_set_option(&host, fd, SOL_SOCKET, SO_REUSEPORT, 1);
    expect_words(
        refused(&host, fd, "0.0.0.0:9998"),
        "; SO_REUSEPORT is for sockets of one user: that one is uid 33's, this one uid 0's");
    fd = host_tcp_socket(&host);
    expect_no_words(refused(&host, fd, "0.0.0.0:9998"), "SO_REUSEPORT");
}

/* The scope of a link-local address is the device: it is written once. */
Test(held_by, the_server_of_a_link_local_address)
{
    need_protocol(AF_INET6, 0);
    unsigned ethernet = add_ethernet("lan0");
    set_interface("lan0", true);
    set_network("ipv6/conf/lan0/accept_dad", "0");
    add_ipv6_address("lan0", "fe80::1");
    char address[64];
    snprintf(address, sizeof address, "[fe80::1%%%u]:9999", ethernet);
    struct host server = start_host(WITHOUT_SHIM);
    int fd = host_socket(&server, AF_INET6, SOCK_STREAM, 0);
    EVENTUALLY(host_bind(&server, fd, address) == 0); /* the kernel takes its time */
    EXPECT_SUCCESS(host_listen(&server, fd));
    struct host host = start_host(WITH_SHIM);
    fd = host_socket(&host, AF_INET6, SOCK_STREAM, 0);
    expect_words(refused(&host, fd, address), "on [fe80::1]%lan0:9999");
}

Test(held_by, the_server_on_the_same_address)
{
    struct host servers[] = {start_host(WITHOUT_SHIM), start_host(WITHOUT_SHIM)};
    static const char *const addresses[] = {"127.0.0.1:9999", "127.0.0.2:9999"};
    for (int i = 0; i < 2; i++) {
        host_serve(&servers[i], addresses[i]);
    }
    for (int i = 0; i < 2; i++) {
        const char *rest = refused_to_a_host(addresses[i]);
        expect_words(rest, who(&servers[i]));
        expect_words(rest, addresses[i]);
        expect_no_words(rest, who(&servers[1 - i]));
    }
}

/* To stop the one that is named would not do. */
Test(held_by, several_servers_of_one_port)
{
    struct host servers[] = {start_host(WITHOUT_SHIM), start_host(WITHOUT_SHIM)};
    host_serve(&servers[0], "127.0.0.1:9999");
    host_serve(&servers[1], "127.0.0.2:9999");
    expect_words(refused_to_a_host("0.0.0.0:9999"),
                 ", and by 1 other socket on this port; stop all that have them (libreuse why "
                 "lists them), or move this one to another port");
    expect_words(refused_to_a_host("127.0.0.2:9999"), "; stop that one, or move one of the two");
}

Test(held_by, several_udp_sockets_of_one_port)
{
    struct host holder = start_host(WITHOUT_SHIM);
    static const char *const addresses[] = {"127.0.0.1:9999", "127.0.0.2:9999"};
    for (int i = 0; i < 2; i++) {
        const int fd = host_socket(&holder, AF_INET, SOCK_DGRAM, 0);
        EXPECT_SUCCESS(host_bind(&holder, fd, addresses[i]));
    }
    struct host host = start_host(WITH_SHIM);
    const int fd = host_socket(&host, AF_INET, SOCK_DGRAM, 0);
    expect_words(refused(&host, fd, "0.0.0.0:9999"),
                 ", and by 1 other socket on this port; stop all that have them");
}

Test(held_by, the_udp_socket_and_not_the_tcp_server_with_the_same_port)
{
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "0.0.0.0:9999");
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_socket(&holder, AF_INET, SOCK_DGRAM, 0);
    EXPECT_SUCCESS(host_bind(&holder, fd, "127.0.0.1:9999"));

    struct host host = start_host(WITH_SHIM);
    int wanted = host_socket(&host, AF_INET, SOCK_DGRAM, 0);
    const char *rest = refused(&host, wanted, "0.0.0.0:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "bound to 127.0.0.1:9999");
    expect_descriptor(rest, fd);
    expect_no_words(rest, "listening");
    expect_no_words(rest, "LIBREUSE_WAIT");
}

Test(held_by, a_udp_socket_that_is_connected)
{
    need_protocol(AF_INET6, 0);
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_socket(&holder, AF_INET6, SOCK_DGRAM, 0);
    EXPECT_SUCCESS(host_bind(&holder, fd, "[::1]:9999"));
    EXPECT_SUCCESS(host_connect(&holder, fd, "[::1]:53"));
    struct host host = start_host(WITH_SHIM);
    int wanted = host_socket(&host, AF_INET6, SOCK_DGRAM, 0);
    const char *rest = refused(&host, wanted, "[::]:9999");
    expect_words(rest, who(&holder));
    expect_descriptor(rest, fd);
}

/* Two programs that set SO_REUSEADDR themselves can both bind. Then one of them listens. */
static void check_second_listen(struct host *first, struct host *second, const char *expected)
{
    struct host *const hosts[] = {first, second};
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = host_tcp_socket(hosts[i]);
        host_set_option(hosts[i], fds[i], SOL_SOCKET, SO_REUSEADDR, 1);
        EXPECT_SUCCESS(host_bind(hosts[i], fds[i], "0.0.0.0:9999"));
    }
    EXPECT_SUCCESS(host_listen(first, fds[0]));
    const char *rest;
    unsigned tries = 0;
    do {
        EXPECT_ERROR(host_listen(second, fds[1]), EADDRINUSE);
        EXPECT_VALUE(count_reports(&second->process, "listen-failed"), ++tries);
        rest = last_report(&second->process, "listen-failed: 0.0.0.0:9999: EADDRINUSE: ");
    } while (is_not_found_in_time(rest, tries));
    expect_words(rest, expected);
    expect_words(rest, "listening on 0.0.0.0:9999");
    expect_descriptor(rest, fds[0]);
}

/* Another program's listener is what is in the way; its own other family it has to sort out itself.
 */
TestSuite(dual_stack, .init = enter_private_network);

Test(dual_stack, of_another_program_is_to_be_stopped_or_moved)
{
    need_protocol(AF_INET6, 0);
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "[::]:9999");
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest,
                 ", which takes IPv4, too, because IPV6_V6ONLY is not set on it; stop that one");
}

Test(dual_stack, of_the_wildcard_itself_takes_in_another_programs_ipv4)
{
    need_protocol(AF_INET6, 0);
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    struct host host = start_host(WITH_SHIM);
    const char *rest = refused(&host, host_socket(&host, AF_INET6, SOCK_STREAM, 0), "[::]:9999");
    expect_words(rest, "listening on 127.0.0.1:9999");
    expect_words(rest,
                 ", and [::] takes IPv4, too, unless IPV6_V6ONLY is set; stop that one, or move");
    expect_no_words(refused_to_a_host("0.0.0.0:9999"), "IPV6_V6ONLY");
}

Test(dual_stack, of_the_program_itself_wants_the_option)
{
    need_protocol(AF_INET6, 0);
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_LEVEL=info"}});
    host_serve(&host, "0.0.0.0:9999");
    const char *rest = refused(&host, host_socket(&host, AF_INET6, SOCK_STREAM, 0), "[::]:9999");
    expect_words(rest, "held by this very process listening on 0.0.0.0:9999");
    expect_words(rest, "; set IPV6_V6ONLY before [::] is bound, or bind only one of the two");
}

/* As stunnel4 and mini-httpd start: nothing is wrong. */
Test(dual_stack, of_a_healthy_start_is_not_worth_a_notice)
{
    need_protocol(AF_INET6, 0);
    struct host host = start_host(WITH_SHIM);
    host_serve(&host, "[::]:9999");
    const int second = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, second, "0.0.0.0:9999"), EADDRINUSE);
    expect_silence(&host.process);
    EXPECT_SUCCESS(host_listen(&host, second));
    EXPECT_VALUE(count_reports(&host.process, "swallowed"), 1);
}

/* The first process of a container, or of the host: never to be stopped. */
TestSuite(pid_1, .init = enter_private_network);

Test(pid_1, is_not_to_be_stopped)
{
    struct host parent = start_host(WITH_SHIM);
    host_unshare(&parent, CLONE_NEWPID | CLONE_NEWNS);
    struct host first = fork_host(&parent);
    host_mount(&first, "proc", "/proc", "");
    host_serve(&first, "0.0.0.0:9999");
    const char *rest = refused(&parent, host_tcp_socket(&parent), "0.0.0.0:9999");
    expect_words(rest, "[1] listening on 0.0.0.0:9999");
    expect_words(rest, "; it is pid 1: move one of the two to another port");
    expect_no_words(rest, "stop that one");
}

TestSuite(listen_failed, .init = enter_private_network);

Test(listen_failed, names_the_other_listener)
{
    struct host first = start_host(WITHOUT_SHIM);
    struct host second = start_host(WITH_SHIM);
    check_second_listen(&first, &second, who(&first));
}

Test(listen_failed, names_the_other_listener_of_the_same_process)
{
    struct host host = start_host(WITH_SHIM);
    check_second_listen(&host, &host, "this very process");
}
