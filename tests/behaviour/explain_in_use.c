/*
 * EADDRINUSE, explained: each kind of holder is there for real, and the line that the shim writes
 * names it with its facts. What the line says besides is not looked at.
 */
#include "deadline.h"
#include "filter.h"
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "skip.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 9999

/* How long the kernel keeps a TIME_WAIT socket, in seconds: TCP_TIMEWAIT_LEN. */
#define TIME_WAIT_SECONDS 60

/* Users that nobody is. */
#define HOLDERS_USER 65533
#define HOSTS_USER   65534

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A socket of the host cannot have this address: what the host is told. */
static const char *refused(struct host *host, int fd, const char *address)
{
    char beginning[192];
    snprintf(beginning, sizeof beginning, "bind-failed: %s: EADDRINUSE: ", address);
    const char *rest;
    const unsigned before = count_reports(&host->process, "bind-failed");
    unsigned tries = 0;
    do {
        EXPECT_ERROR(host_bind(host, fd, address), EADDRINUSE);
        EXPECT_VALUE(count_reports(&host->process, "bind-failed"), before + ++tries);
        rest = last_report(&host->process, beginning);
    } while (is_not_found_in_time(rest, tries));
    return rest;
}

/* The same of a new TCP socket in a new host. */
static const char *refused_to_a_host(const char *address)
{
    struct host host = start_host(WITH_SHIM);
    int family = address_from(address).storage.ss_family;
    return refused(&host, host_socket(&host, family, SOCK_STREAM, 0), address);
}

/* obedient_host[811]. The text is static. */
static const char *who(const struct host *host)
{
    static char text[64];
    snprintf(text, sizeof text, "%s[%d]", host->process.name, (int)host->process.pid);
    return text;
}

static void expect_descriptor(const char *rest, int fd)
{
    char text[32];
    snprintf(text, sizeof text, "(fd %d)", fd);
    expect_words(rest, text);
}

/* "127.0.0.1:40000", by which a socket of this test is known to its peer. The text is static. */
static const char *name_of_client(int client)
{
    static char text[64];
    struct sockaddr_in name;
    socklen_t size = sizeof name;
    cr_assert_eq(getsockname(client, (struct sockaddr *)&name, &size), 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(name.sin_port));
    return text;
}

static void expect_seconds(const char *rest, const char *words, unsigned long most)
{
    unsigned long seconds = number_after(rest, words);
    cr_assert(seconds > 0 && seconds <= most, "not within 1 to %lu seconds: %s", most, rest);
}

/* Not more has passed since the kernel began to count than a slow machine needs for a test. */
static void expect_time_wait_seconds(const char *rest, const char *words)
{
    expect_seconds(rest, words, TIME_WAIT_SECONDS);
    cr_assert_geq(number_after(rest, words), TIME_WAIT_SECONDS - 2 * DEADLINE_SECONDS, "%s", rest);
}

/* A server that has one client, and does not run under the shim. */
struct scene {
    struct host server;
    int listener;
    int connection; /* the server's */
    int client;     /* the test's */
};

static struct scene serve_one_client(const char *address)
{
    struct scene scene = {.server = start_host(WITHOUT_SHIM)};
    scene.listener = host_serve(&scene.server, address);
    scene.client = connected_client("127.0.0.1:9999", 0);
    scene.connection = host_accept(&scene.server, scene.listener);
    return scene;
}

/* The server is gone; a child that it had forked goes on to serve the client. */
static struct host leave_to_child(struct scene *scene)
{
    struct host child = fork_host(&scene->server);
    host_close(&child, scene->listener);
    end_by_signal(&scene->server.process, SIGKILL);
    EVENTUALLY(count_sockets(PORT, TCP_LISTEN) == 0);
    return child;
}

/* The server is gone, and its client keeps its side open: the kernel waits for the client. */
static void leave_fin_wait2(struct scene *scene)
{
    end_by_signal(&scene->server.process, SIGKILL);
    EVENTUALLY(count_sockets(PORT, TCP_FIN_WAIT2) == 1);
}

/* The remains of connections to a server that did not run under the shim: one to each address. */
static void leave_time_wait_of(const char *const *clients, unsigned count)
{
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "0.0.0.0:9999");
    for (unsigned i = 0; i < count; i++) {
        int client = connected_client(clients[i], 0);
        host_close(&server, host_accept(&server, listener));
        expect_end_of_stream(client);
        close(client);
    }
    end_by_signal(&server.process, SIGKILL);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == count && count_leftovers(PORT) == count);
}

static const char *const three_clients[] = {"127.0.0.1:9999", "127.0.0.2:9999", "127.0.0.2:9999"};

TestSuite(held_by, .init = enter_private_network);

/* What TIME_WAIT leaves is in nobody's hands, and there are three ways out. */
Test(held_by, one_time_wait_socket_for_less_than_a_minute)
{
    leave_time_wait(WITHOUT_SHIM, "0.0.0.0:9999");
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, "held by 1 TIME_WAIT socket of a run without SO_REUSEADDR");
    expect_time_wait_seconds(rest, ", for ");
    expect_words(rest, "LIBREUSE_WAIT=");
    expect_words(rest, "libreuse free 9999");
    expect_words(rest, "libreuse arm 9999");
}

/* Before Linux 6.0 "libreuse free" cannot do its work. */
Test(held_by, time_wait_of_an_old_kernel_which_does_not_remove_it)
{
    leave_time_wait(WITHOUT_SHIM, "0.0.0.0:9999");
    cr_assert(personality(UNAME26) != -1); /* uname(2) says 2.6, and so it does in the host */
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, "held by 1 TIME_WAIT socket");
    expect_words(rest, "LIBREUSE_WAIT=");
    cr_expect(strstr(rest, "libreuse free") == NULL, "%s", rest);
    expect_words(rest, "libreuse arm 9999");
}

Test(held_by, three_time_wait_sockets_and_the_last_counts)
{
    leave_time_wait_of(three_clients, 3);
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, "held by 3 TIME_WAIT sockets of a run without SO_REUSEADDR");
    expect_time_wait_seconds(rest, ", the last for ");

    rest = refused_to_a_host("127.0.0.1:9999");
    expect_words(rest, "held by 1 TIME_WAIT socket ");
    rest = refused_to_a_host("127.0.0.2:9999");
    expect_words(rest, "held by 2 TIME_WAIT sockets ");
}

Test(held_by, a_time_wait_socket_although_the_program_sets_reuseaddr)
{
    leave_time_wait(WITHOUT_SHIM, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&host);
    host_set_option(&host, fd, SOL_SOCKET, SO_REUSEADDR, 1);
    const char *rest = refused(&host, fd, "0.0.0.0:9999");
    expect_words(rest, "held by 1 TIME_WAIT socket of a run without SO_REUSEADDR");
}

/* The port of an armed server: it is not the fault of that run. */
Test(held_by, a_time_wait_socket_that_is_not_to_be_passed)
{
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    static const char *const settings[] = {"LIBREUSE_DRY_RUN=1", "LIBREUSE_PORTS=8888"};
    static const char *const words[] = {"LIBREUSE_DRY_RUN", "LIBREUSE_PORTS"};
    for (int i = 0; i < 2; i++) {
        struct host host = start_host_as(WITH_SHIM, (struct program){.settings = {settings[i]}});
        const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
        expect_words(rest, "held by 1 TIME_WAIT socket");
        expect_no_words(rest, "without SO_REUSEADDR");
        expect_words(rest, words[i]);
    }
}

Test(held_by, a_time_wait_socket_of_ipv6)
{
    need_protocol(AF_INET6, 0);
    leave_time_wait(WITHOUT_SHIM, "[::1]:9999");
    const char *rest = refused_to_a_host("[::]:9999");
    expect_words(rest, "held by 1 TIME_WAIT socket of a run without SO_REUSEADDR");
    expect_time_wait_seconds(rest, ", for ");
}

/* A server of [::] has clients over IPv4: its remains hold the port of both. */
Test(held_by, a_time_wait_socket_of_a_dual_stack_server)
{
    need_protocol(AF_INET6, 0);
    struct scene scene = serve_one_client("[::]:9999");
    end_by_signal(&scene.server.process, SIGKILL);
    close(scene.client);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == 1);
    expect_words(refused_to_a_host("0.0.0.0:9999"), "held by 1 TIME_WAIT socket ");
    expect_words(refused_to_a_host("[::]:9999"), "held by 1 TIME_WAIT socket ");
}

Test(held_by, a_fin_wait2_socket_for_as_long_as_the_kernel_waits)
{
    set_network("ipv4/tcp_fin_timeout", "30");
    struct scene scene = serve_one_client("0.0.0.0:9999");
    leave_fin_wait2(&scene);
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, "held by 1 FIN_WAIT2 socket of a run without SO_REUSEADDR");
    expect_seconds(rest, ", for ", 30);
    cr_assert_geq(number_after(rest, ", for "), 10, "%s", rest);
}

/* It is not until the last of them is gone that the port is free. */
Test(held_by, remains_in_several_states_and_the_last_counts)
{
    set_network("ipv4/tcp_fin_timeout", "20");
    struct scene scene = serve_one_client("0.0.0.0:9999");
    int client = connected_client("127.0.0.1:9999", 0);
    host_close(&scene.server, host_accept(&scene.server, scene.listener));
    expect_end_of_stream(client);
    close(client);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == 1);
    leave_fin_wait2(&scene);
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, "1 FIN_WAIT2");
    expect_words(rest, "1 TIME_WAIT");
    expect_time_wait_seconds(rest, "the last for ");
}

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

Test(held_by, a_child_that_serves_a_client_of_an_earlier_run)
{
    struct scene scene = serve_one_client("0.0.0.0:9999");
    struct host child = leave_to_child(&scene);
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&child));
    expect_words(rest, name_of_client(scene.client));
    expect_words(rest, "ESTABLISHED");
    expect_words(rest, "an earlier run accepted it without SO_REUSEADDR");
    expect_words(rest, "or a client"); /* for it looks the same */
    expect_descriptor(rest, scene.connection);
    expect_no_words(rest, "ip_local_reserved_ports");
}

Test(held_by, a_child_that_has_not_noticed_that_its_client_is_gone)
{
    struct scene scene = serve_one_client("0.0.0.0:9999");
    struct host child = leave_to_child(&scene);
    char peer[64];
    snprintf(peer, sizeof peer, "%s", name_of_client(scene.client));
    close(scene.client);
    EVENTUALLY(count_sockets(PORT, TCP_CLOSE_WAIT) == 1);
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&child));
    expect_words(rest, peer);
    expect_words(rest, "CLOSE_WAIT");
    expect_descriptor(rest, scene.connection);
}

Test(held_by, a_child_and_remains_of_other_connections)
{
    struct scene scene = serve_one_client("0.0.0.0:9999");
    for (int i = 0; i < 2; i++) {
        int client = connected_client("127.0.0.1:9999", 0);
        host_close(&scene.server, host_accept(&scene.server, scene.listener));
        expect_end_of_stream(client);
        close(client);
    }
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == 2);
    struct host child = leave_to_child(&scene);
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, who(&child));
    expect_words(rest, "1 ESTABLISHED and 2 TIME_WAIT sockets");
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
    struct host host = start_host(WITH_SHIM);
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

static int serve_ipv6_only(struct host *host, const char *address)
{
    int fd = host_socket(host, AF_INET6, SOCK_STREAM, 0);
    host_set_option(host, fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    EXPECT_SUCCESS(host_bind(host, fd, address));
    EXPECT_SUCCESS(host_listen(host, fd));
    return fd;
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
        expect_no_words(rest, who(&servers[1 - i]));
    }
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

/* What the caller may not see or do. */
TestSuite(unseen, .init = enter_private_network);

Test(unseen, is_another_users_process_and_its_user_is_named)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_become_user(&holder, HOLDERS_USER);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    host_become_user(&host, HOSTS_USER);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "may not be looked into");
    expect_words(rest, "(uid 65533)");
    expect_words(rest, "listening on 0.0.0.0:9999");
    expect_no_words(rest, "fd ");
}

/* A daemon that has dropped its rights may no longer read its own /proc/self/fd. */
Test(unseen, is_not_the_process_itself_after_it_has_dropped_its_rights)
{
    struct host host = start_host(WITH_SHIM);
    host_become_user(&host, HOSTS_USER);
    int listener = host_serve(&host, "0.0.0.0:9999");
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "this very process");
    expect_descriptor(rest, listener);
}

Test(unseen, is_a_process_of_another_pid_namespace)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_become_user(&holder, HOLDERS_USER);
    host_serve(&holder, "0.0.0.0:9999");
    struct host outer = start_host(WITH_SHIM);
    host_unshare(&outer, CLONE_NEWPID | CLONE_NEWNS);
    struct host host = fork_host(&outer);
    host_mount(&host, "proc", "/proc", "");
    host.process.pid = 1; /* by its own account */
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "cannot be seen from here");
    expect_words(rest, "(uid 65533)");
    expect_words(rest, "listening on 0.0.0.0:9999");
}

/* The numbers of processes in /proc and in the host's own namespace are not the same. */
Test(unseen, is_not_the_process_itself_with_the_proc_of_an_outer_pid_namespace)
{
    struct host outer = start_host(WITH_SHIM);
    host_unshare(&outer, CLONE_NEWPID);
    struct host host = fork_host(&outer);
    int outer_pid = host.process.pid;
    host.process.pid = 1; /* by its own account */
    int listener = host_serve(&host, "0.0.0.0:9999");
    const char *rest = refused(&host, host_tcp_socket(&host), "127.0.0.1:9999");
    expect_words(rest, "this very process");
    expect_descriptor(rest, listener);

    /* And another process is named as /proc numbers it. */
    struct host other = start_host(WITH_SHIM);
    host.process.pid = outer_pid;
    rest = refused(&other, host_tcp_socket(&other), "127.0.0.1:9999");
    expect_words(rest, who(&host));
}

Test(unseen, is_a_process_that_a_mount_option_hides)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_become_user(&holder, HOLDERS_USER);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    host_unshare(&host, CLONE_NEWNS);
    host_mount(&host, "proc", "/proc", "hidepid=2");
    host_become_user(&host, HOSTS_USER);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "cannot be seen from here");
    expect_words(rest, "(uid 65533)");
}

/* A listener's facts but its owner, of which only the user is known. */
static void expect_no_owner(const char *rest)
{
    expect_words(rest, "without /proc");
    expect_words(rest, "(uid 65533)");
    expect_words(rest, "listening on 0.0.0.0:9999");
}

static void hold_port_as_another_user(void)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_become_user(&holder, HOLDERS_USER);
    host_serve(&holder, "0.0.0.0:9999");
}

Test(unseen, is_the_owner_where_proc_is_empty)
{
    hold_port_as_another_user();
    struct host host = start_host(WITH_SHIM);
    host_unshare(&host, CLONE_NEWNS);
    host_mount(&host, "tmpfs", "/proc", "");
    expect_no_owner(refused(&host, host_tcp_socket(&host), "0.0.0.0:9999"));
}

Test(unseen, is_the_owner_where_there_is_no_proc)
{
    hold_port_as_another_user();
    enter_private_folder();
    struct host host = start_host(WITH_SHIM);
    host_chroot(&host, PRIVATE_FOLDER);
    expect_no_owner(refused(&host, host_tcp_socket(&host), "0.0.0.0:9999"));
}

Test(unseen, is_not_the_process_itself_where_there_is_no_proc)
{
    enter_private_folder();
    struct host host = start_host(WITH_SHIM);
    host_chroot(&host, PRIVATE_FOLDER);
    int listener = host_serve(&host, "0.0.0.0:9999");
    const char *rest = refused(&host, host_tcp_socket(&host), "127.0.0.1:9999");
    expect_words(rest, "this very process");
    expect_descriptor(rest, listener);
}

/* The remains of connections have no owner that could be looked up. */
Test(unseen, is_nothing_of_time_wait_sockets_where_there_is_no_proc)
{
    leave_time_wait(WITHOUT_SHIM, "0.0.0.0:9999");
    enter_private_folder();
    struct host host = start_host(WITH_SHIM);
    host_chroot(&host, PRIVATE_FOLDER);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "held by 1 TIME_WAIT socket of a run without SO_REUSEADDR");
    expect_time_wait_seconds(rest, ", for ");
    expect_no_words(rest, "/proc");
}

Test(unseen, is_a_socket_of_another_network)
{
    struct host host = start_host(WITH_SHIM);
    int listener = host_serve(&host, "0.0.0.0:9999");
    int fd = host_tcp_socket(&host);
    host_unshare(&host, CLONE_NEWNET);
    const char *rest = refused(&host, fd, "0.0.0.0:9999");
    expect_words(rest, "another network namespace");
    expect_no_words(rest, "no holder");
    host_close(&host, listener);
}

/* A tracer holds the host up, in the middle of its search, for longer than the search may take. */
Test(unseen, is_an_owner_that_cannot_be_found_in_time)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&host);
    begin_trace(host.process.pid);
    host_begin_bind(&host, fd, "0.0.0.0:9999");
    run_to_first_call(host.process.pid);
    uint64_t number = 0;
    while (number != SYS_getdents64) {
        cr_assert(run_to_next_call(host.process.pid, &number), "there was no search");
    }
    int64_t start = milliseconds();
    EVENTUALLY(milliseconds() > start + 50);
    let_go(host.process.pid);
    EXPECT_ERROR(host_end_bind(&host), EADDRINUSE);
    const char *rest = expect_report(&host.process, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
    expect_words(rest, "not found in time");
    expect_words(rest, "listening on 0.0.0.0:9999");
}

/* A host may not use netlink, as with RestrictAddressFamilies=: the kernel answers with `error`. */
static void refuse_netlink(struct host *host, int error)
{
    host_filter(host, SYS_socket, AF_NETLINK, SECCOMP_RET_ERRNO | (uint32_t)error);
}

TestSuite(without_netlink, .init = enter_private_network);

Test(without_netlink, a_listener_is_named_with_all_its_facts)
{
    static const int errors[] = {EPERM, EAFNOSUPPORT, EACCES};
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = host_serve(&holder, "127.0.0.1:9999");
    for (int i = 0; i < 3; i++) {
        struct host host = start_host(WITH_SHIM);
        refuse_netlink(&host, errors[i]);
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
    refuse_netlink(&host, EPERM);
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
    refuse_netlink(&host, EPERM);
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
    refuse_netlink(&host, EAFNOSUPPORT);
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
    refuse_netlink(&host, EPERM);
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
    refuse_netlink(&host, EPERM);
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
    refuse_netlink(&host, EPERM);
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
    refuse_netlink(&host, EPERM);
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
    refuse_netlink(&host, EPERM);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_no_words(rest, "because IPV6_V6ONLY is not set");
    expect_words(rest, "bound and does not listen");
}

Test(without_netlink, and_without_proc_the_reasons_are_told)
{
    hold_port_as_another_user();
    enter_private_folder();
    struct host host = start_host(WITH_SHIM);
    refuse_netlink(&host, EPERM);
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
    refuse_netlink(&host, EAFNOSUPPORT);
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

TestSuite(explanation, .init = enter_private_network);

Test(explanation, can_be_switched_off)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_EXPLAIN=0"}});
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_no_words(rest, who(&holder));
    expect_words(rest, "9999"); /* how to look it up by hand */
}

Test(explanation, leaves_the_host_as_it_was)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    leave_time_wait(WITHOUT_SHIM, "127.0.0.2:9999");
    struct host hosts[] = {start_host(WITH_SHIM), start_host(WITH_SHIM)};
    refuse_netlink(&hosts[1], EPERM);
    for (int i = 0; i < 2; i++) {
        struct host *host = &hosts[i];
        unsigned before = count_descriptors(host);
        int fd = host_tcp_socket(host);
        EXPECT_ERROR(host_bind(host, fd, "0.0.0.0:9999"), EADDRINUSE);
        EXPECT_ERROR(host_bind(host, fd, "127.0.0.1:9999"), EADDRINUSE);
        EXPECT_ERROR(host_bind(host, fd, "127.0.0.2:9999"), EADDRINUSE);
        EXPECT_VALUE(count_reports(&host->process, "bind-failed"), 3);
        EXPECT_VALUE(host_get_option(host, fd, SO_REUSEADDR), 0);
        EXPECT_VALUE(count_descriptors(host), before + 1);
        EXPECT_VALUE(host_tcp_socket(host), fd + 1);
    }
}

/* Whatever descriptors are left, the bind fails as it should and is told. */
Test(explanation, does_without_descriptors)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&host);
    host_use_up_descriptors(&host);
    const char *rest = refused(&host, fd, "0.0.0.0:9999");
    expect_words(rest, "could not be looked up");
    expect_words(rest, "EMFILE");
}

/*
 * A holder is killed just before the host's system call number `step` of those that look for it.
 * False where the host came to its end before. The holder is the only process that the host sees:
 * so it is soon found.
 */
static bool kill_holder_at(unsigned step, unsigned *named)
{
    struct host host = start_host(WITH_SHIM);
    host_unshare(&host, CLONE_NEWPID | CLONE_NEWNS);
    struct host holder = fork_host(&host);
    host_mount(&holder, "proc", "/proc", "");
    host_serve(&holder, "0.0.0.0:9999");
    int fd = host_tcp_socket(&host);
    begin_trace(host.process.pid);
    host_begin_bind(&host, fd, "0.0.0.0:9999");
    run_to_first_call(host.process.pid);
    bool runs = true;
    bool has_bound = false;
    for (unsigned seen = 0; runs && seen < step;) {
        uint64_t number;
        runs = run_to_next_call(host.process.pid, &number);
        seen += has_bound && number != SYS_getsockopt; /* there are a thousand of these */
        has_bound = has_bound || number == SYS_bind;
    }
    kill(holder.process.pid, SIGKILL);
    EVENTUALLY(count_sockets(PORT, TCP_LISTEN) == 0);
    let_go(host.process.pid);
    int error = host_end_bind(&host);
    if (error == 0) {
        EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
    } else {
        EXPECT_ERROR(error, EADDRINUSE);
        const char *rest = expect_report(&host.process, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
        *named += strstr(rest, "obedient_host[1]") != NULL;
    }
    end_host(&host);
    /* There are many rounds. */
    close(host.channel);
    close(holder.channel);
    close(host.process.output);
    close(host.process.errors);
    return runs;
}

Test(explanation, survives_a_holder_that_goes_at_any_moment_of_the_search)
{
    unsigned step = 1;
    unsigned named = 0;
    while (kill_holder_at(step, &named)) {
        step++;
    }
    cr_assert_gt(step, 20);
    cr_assert(named > 0 && named < step, "named %u times of %u", named, step);
}

/* Leaves so many TIME_WAIT sockets on the port, of a server that is gone. */
static void leave_many_time_wait(unsigned count)
{
    enum { FIRST_PORT = 10000, PORTS = 50000 };
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct address address = address_from("0.0.0.0:9999");
    cr_assert_eq(bind(listener, (struct sockaddr *)&address.storage, address.length), 0);
    cr_assert_eq(listen(listener, 16), 0);
    address = address_from("127.0.0.1:9999");
    for (unsigned i = 0; i < count; i++) {
        struct sockaddr_in source = {.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)(FIRST_PORT + i % PORTS)),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + i / PORTS)};
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        cr_assert_eq(bind(client, (struct sockaddr *)&source, sizeof source), 0, "bind: %s",
                     strerror(errno));
        cr_assert_eq(connect(client, (struct sockaddr *)&address.storage, address.length), 0,
                     "connect: %s", strerror(errno));
        close(accept(listener, NULL, NULL));
        close(client);
    }
    close(listener);
    EVENTUALLY(count_sockets(PORT, TCP_LISTEN) == 0);
}

/* All of them, or as many as could be listed in time, and then it says so. */
static void expect_many(const char *rest, unsigned count)
{
    bool is_all = strstr(rest, "at least ") == NULL;
    unsigned long found = number_after(rest, is_all ? "held by " : "held by at least ");
    expect_words(rest, " TIME_WAIT sockets");
    expect_time_wait_seconds(rest, ", the last for ");
    cr_assert(is_all ? found == count : found > 0 && found <= count, "there are %u: %s", count,
              rest);
}

Test(explanation, of_a_hundred_thousand_sockets_counts_them_and_takes_no_time)
{
    const unsigned count = 100000;
    set_network("ipv4/tcp_max_tw_buckets", "200000");
    leave_many_time_wait(count);
    struct host hosts[] = {start_host(WITH_SHIM), start_host(WITH_SHIM)};
    refuse_netlink(&hosts[1], EPERM);
    for (int i = 0; i < 2; i++) {
        int fd = host_tcp_socket(&hosts[i]);
        int64_t start = milliseconds();
        expect_many(refused(&hosts[i], fd, "0.0.0.0:9999"), count);
        cr_assert_leq(milliseconds() - start, 2000, "that is no bound in time");
    }
}

TestSuite(passed, .init = enter_private_network);

/* A server under the shim serves and is killed; another one starts. */
Test(passed, sockets_of_each_state_are_counted_by_a_rescue)
{
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    leave_time_wait(WITH_SHIM, "127.0.0.1:9999");
    struct host server = start_host(WITH_SHIM);
    int listener = host_serve(&server, "0.0.0.0:9999");
    const char *rest = expect_report(&server.process, "rescued: 0.0.0.0:9999: ");
    expect_words(rest, "past 2 TIME_WAIT sockets");

    int client = connected_client("127.0.0.1:9999", 0);
    host_accept(&server, listener);
    struct host child = fork_host(&server);
    host_close(&child, listener);
    end_by_signal(&server.process, SIGKILL);
    EVENTUALLY(count_sockets(PORT, TCP_LISTEN) == 0);
    struct host again = start_host(WITH_SHIM);
    host_serve(&again, "0.0.0.0:9999");
    rest = expect_report(&again.process, "rescued: 0.0.0.0:9999: ");
    expect_words(rest, "past 1 ESTABLISHED and 2 TIME_WAIT sockets");
    close(client);
}

Test(passed, one_socket_is_counted_by_a_rescue_of_ipv6)
{
    need_protocol(AF_INET6, 0);
    leave_time_wait(WITH_SHIM, "[::1]:9999");
    struct host again = start_host(WITH_SHIM);
    host_serve(&again, "[::]:9999");
    expect_words(expect_report(&again.process, "rescued: [::]:9999: "), "past 1 TIME_WAIT socket");
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

/*
 * AF_UNIX. The look-up of these sockets is not there yet, and these tests wait for it: they show
 * what is expected of it.
 */
static void enter_private_network_and_folder(void)
{
    enter_private_network();
    enter_private_folder();
}

TestSuite(socket_file, .init = enter_private_network_and_folder);

static int unix_socket(struct host *host, int type)
{
    return host_socket(host, AF_UNIX, type, 0);
}

static const char *refused_socket_file(const char *path)
{
    struct host host = start_host(WITH_SHIM);
    return refused(&host, unix_socket(&host, SOCK_STREAM), path);
}

Test(socket_file, of_a_server_names_its_program_and_descriptor)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = unix_socket(&holder, SOCK_STREAM);
    EXPECT_SUCCESS(host_bind(&holder, fd, "/mnt/socket"));
    EXPECT_SUCCESS(host_listen(&holder, fd));
    const char *rest = refused_socket_file("/mnt/socket");
    expect_words(rest, who(&holder));
    expect_descriptor(rest, fd);
    expect_no_words(rest, "leftover");
}

Test(socket_file, of_a_bound_datagram_socket_names_its_program)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = unix_socket(&holder, SOCK_DGRAM);
    EXPECT_SUCCESS(host_bind(&holder, fd, "/mnt/socket"));
    const char *rest = refused_socket_file("/mnt/socket");
    expect_words(rest, who(&holder));
    expect_descriptor(rest, fd);
}

Test(socket_file, of_this_very_process)
{
    struct host host = start_host(WITH_SHIM);
    EXPECT_SUCCESS(host_bind(&host, unix_socket(&host, SOCK_STREAM), "/mnt/socket"));
    const char *rest = refused(&host, unix_socket(&host, SOCK_STREAM), "/mnt/socket");
    expect_words(rest, "this very process");
}

Test(socket_file, in_the_abstract_space_names_its_program)
{
    struct host holder = start_host(WITHOUT_SHIM);
    int fd = unix_socket(&holder, SOCK_STREAM);
    EXPECT_SUCCESS(host_bind(&holder, fd, "@libreuse"));
    const char *rest = refused_socket_file("@libreuse");
    expect_words(rest, who(&holder));
    expect_descriptor(rest, fd);
}

Test(socket_file, that_nobody_is_bound_to_is_a_leftover_that_can_be_removed)
{
    struct host holder = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&holder, unix_socket(&holder, SOCK_STREAM), "/mnt/socket"));
    end_by_signal(&holder.process, SIGKILL);
    const char *rest = refused_socket_file("/mnt/socket");
    expect_words(rest, "leftover");
    expect_words(rest, "remove");
}

/* The name by which a socket was bound need not be that of its file any more. */
Test(socket_file, of_a_server_is_no_leftover_under_another_name)
{
    struct host holder = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&holder, unix_socket(&holder, SOCK_STREAM), "/mnt/first"));
    cr_assert_eq(rename("/mnt/first", "/mnt/second"), 0, "rename: %s", strerror(errno));
    const char *rest = refused_socket_file("/mnt/second");
    expect_words(rest, who(&holder));
    expect_no_words(rest, "leftover");

    /* And a file in the place of one that a server had removed is not the server's. */
    struct host other = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&other, unix_socket(&other, SOCK_STREAM), "/mnt/first"));
    end_by_signal(&other.process, SIGKILL);
    rest = refused_socket_file("/mnt/first");
    expect_no_words(rest, who(&holder));
    expect_words(rest, "leftover");
}

/* The file system is shared, the list of sockets is not. */
Test(socket_file, of_a_server_of_another_network_is_not_taken_for_a_leftover_for_certain)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_unshare(&holder, CLONE_NEWNET);
    int fd = unix_socket(&holder, SOCK_STREAM);
    EXPECT_SUCCESS(host_bind(&holder, fd, "/mnt/socket"));
    EXPECT_SUCCESS(host_listen(&holder, fd));
    expect_words(refused_socket_file("/mnt/socket"), "network namespace");
}

Test(socket_file, that_is_a_regular_file_is_none)
{
    int fd = open("/mnt/socket", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    cr_assert_geq(fd, 0, "/mnt/socket: %s", strerror(errno));
    close(fd);
    const char *rest = refused_socket_file("/mnt/socket");
    expect_words(rest, "not a socket");
    expect_no_words(rest, "leftover");
}

Test(socket_file, without_netlink_is_not_taken_for_a_leftover_for_certain)
{
    struct host holder = start_host(WITHOUT_SHIM);
    EXPECT_SUCCESS(host_bind(&holder, unix_socket(&holder, SOCK_STREAM), "/mnt/socket"));
    struct host host = start_host(WITH_SHIM);
    refuse_netlink(&host, EPERM);
    const char *rest = refused(&host, unix_socket(&host, SOCK_STREAM), "/mnt/socket");
    expect_no_words(rest, "can be removed");
}
