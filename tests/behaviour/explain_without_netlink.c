/*
 * EADDRINUSE where netlink is refused: /proc/net has most of the facts, and what it has not is not
 * denied.
 */
#include "deadline.h"
#include "filter.h"
#include "host.h"
#include "in_use.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

TestSuite(without_netlink, .init = enter_private_network);

Test(without_netlink, a_listener_is_named_with_all_its_facts)
{
    static const int errors[] = {EPERM, EAFNOSUPPORT, EACCES};
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_serve(&holder, "127.0.0.1:9999");
    for (int i = 0; i < 3; i++) {
        struct host host = start_host(WITH_SHIM);
        forbid_netlink(&host, errors[i]);
        const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
        expect_words(rest, who(&holder));
        expect_words(rest, "listening on 127.0.0.1:9999");
        expect_descriptor(rest, fd);
    }
}

Test(without_netlink, time_wait_sockets_are_counted_and_timed)
{
    leave_time_wait_of(three_clients, 3);
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EPERM);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "held by 3 TIME_WAIT sockets");
    expect_time_wait_seconds(rest, ", the last for ");
    expect_words(rest, "libreuse free 9999");
    /* A socket that is bound only is not in /proc, and could hold the port as well. */
    expect_words(rest, "bound");
}

Test(without_netlink, a_fin_wait2_socket_is_timed)
{
    set_network("ipv4/tcp_fin_timeout", "30");
    struct scene scene = serve_one_client("0.0.0.0:9999");
    leave_fin_wait2(&scene);
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EPERM);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "held by 1 FIN_WAIT2 socket");
    expect_seconds(rest, ", for ", 30);
    cr_assert_geq(number_after(rest, ", for "), 10, "%s", rest);
}

Test(without_netlink, a_child_that_serves_a_client_is_named)
{
    struct scene scene = serve_one_client("0.0.0.0:9999");
    struct host child = leave_to_child(&scene);
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EAFNOSUPPORT);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, who(&child));
    expect_words(rest, name_of_client(scene.client));
    expect_words(rest, "ESTABLISHED");
    expect_descriptor(rest, scene.connection);
}

Test(without_netlink, ipv6_is_known_too)
{
    need_protocol(AF_INET6, 0);
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_serve(&holder, "[::1]:9999");
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EPERM);
    int wanted = host_socket(&host, AF_INET6, SOCK_STREAM, 0);
    const char *rest = refused(&host, wanted, "[::]:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "listening on [::1]:9999");
    expect_descriptor(rest, fd);
}

Test(without_netlink, a_udp_socket_is_named)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_socket(&holder, AF_INET, SOCK_DGRAM, 0);
    EXPECT_SUCCESS(host_bind(&holder, fd, "127.0.0.1:9999"));
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EPERM);
    int wanted = host_socket(&host, AF_INET, SOCK_DGRAM, 0);
    const char *rest = refused(&host, wanted, "0.0.0.0:9999");
    expect_words(rest, who(&holder));
    expect_words(rest, "bound to 127.0.0.1:9999");
    expect_descriptor(rest, fd);
}

Test(without_netlink, a_bound_socket_cannot_be_seen_and_is_not_denied)
{
    struct host holder = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&holder, host_tcp_socket(&holder), "0.0.0.0:9999"));
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EPERM);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "no holder can be seen");
    expect_words(rest, "bound and does not listen");
}

/* Of an IPv6 socket it is not told whether it is for IPv6 alone: it is not blamed before others. */
Test(without_netlink, the_server_of_ipv4_is_blamed_before_that_of_ipv6)
{
    need_protocol(AF_INET6, 0);
    struct host ipv6 = start_host(WITHOUT_SHIM);
    struct host ipv4 = start_host(WITHOUT_SHIM);
    serve_ipv6_only(&ipv6, "[::]:9999");
    host_serve(&ipv4, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EPERM);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, who(&ipv4));
    expect_no_words(rest, who(&ipv6));
}

/* Here the one holder that can be seen is none, and the true one cannot be seen. */
Test(without_netlink, a_server_that_may_be_of_ipv6_alone_is_not_blamed_for_certain)
{
    need_protocol(AF_INET6, 0);
    struct host ipv6 = start_host(WITHOUT_SHIM);
    serve_ipv6_only(&ipv6, "[::]:9999");
    struct host holder = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&holder, host_tcp_socket(&holder), "0.0.0.0:9999"));
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EPERM);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_no_words(rest, "because IPV6_V6ONLY is not set");
    expect_words(rest, "bound and does not listen");
}

Test(without_netlink, and_without_proc_the_reasons_are_told)
{
    hold_port_as_another_user();
    enter_private_folder();
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EPERM);
    host_chroot(&host, PRIVATE_FOLDER);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "could not be looked up");
    expect_words(rest, "EPERM");
    expect_words(rest, "ENOENT");
}

Test(without_netlink, and_with_open_refused_the_reasons_are_told)
{
    hold_port_as_another_user();
    struct host host = start_host(WITH_SHIM);
    forbid_netlink(&host, EAFNOSUPPORT);
    host_filter(&host, SYS_openat, FILTER_ANY, SECCOMP_RET_ERRNO | EACCES);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "could not be looked up");
    expect_words(rest, "EAFNOSUPPORT");
    expect_words(rest, "EACCES");
}

/* A filter that kills: LIBREUSE_EXPLAIN=0 is for such hosts. */
Test(without_netlink, a_host_that_would_be_killed_for_it_lives_when_it_wants_no_explanation)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_EXPLAIN=0"}});
    host_filter(&host, SYS_socket, AF_NETLINK, SECCOMP_RET_KILL_PROCESS);
    int fd = host_tcp_socket(&host);
    const char *rest = refused(&host, fd, "0.0.0.0:9999");
    expect_words(rest, "ss -");
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(count_reports(&host.process, "swallowed"), 1);

    /* It is the filter that this test thinks it is. */
    struct host victim = start_host(WITH_SHIM);
    host_filter(&victim, SYS_socket, AF_NETLINK, SECCOMP_RET_KILL_PROCESS);
    fd = host_tcp_socket(&victim);
    host_begin_bind(&victim, fd, "0.0.0.0:9999");
    EVENTUALLY(has_ended(&victim.process));
    cr_assert(WIFSIGNALED(victim.process.status) && WTERMSIG(victim.process.status) == SIGSYS);
}
