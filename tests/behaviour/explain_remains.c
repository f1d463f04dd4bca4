/*
 * EADDRINUSE because of what is left of connections: their states, how long they last, and who
 * still serves one, in the line that the shim writes; and what a rescue has passed.
 */
#include "deadline.h"
#include "host.h"
#include "in_use.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(held_by_remains, .init = enter_private_network);

/* What TIME_WAIT leaves is in nobody's hands, and there are three ways out. */
Test(held_by_remains, one_time_wait_socket_for_less_than_a_minute)
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
Test(held_by_remains, time_wait_of_an_old_kernel_which_does_not_remove_it)
{
    leave_time_wait(WITHOUT_SHIM, "0.0.0.0:9999");
    cr_assert(personality(UNAME26) != -1); /* uname(2) says 2.6, and so it does in the host */
    const char *rest = refused_to_a_host("0.0.0.0:9999");
    expect_words(rest, "held by 1 TIME_WAIT socket");
    expect_words(rest, "LIBREUSE_WAIT=");
    cr_expect(strstr(rest, "libreuse free") == NULL, "%s", rest);
    expect_words(rest, "libreuse arm 9999");
}

#define PORT_IN_RANGE "127.0.0.1:42993"

/* A connection from a port of net.ipv4.ip_local_port_range. The test has both its ends. */
static int connection_from(const char *from, const char *to, int *accepted)
{
    const struct address server = address_from(to);
    const struct address client = address_from(from);
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (const struct sockaddr *)&server.storage, server.length), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&client.storage, client.length), 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&server.storage, server.length), 0);
    *accepted = accept(listener, NULL, NULL);
    cr_assert_geq(*accepted, 0);
    close(listener);
    return fd;
}

/* No server ever had that port: there is none to be armed. */
Test(held_by_remains, of_an_outgoing_connection_to_a_servers_port)
{
    int accepted;
    close(connection_from(PORT_IN_RANGE, "127.0.0.1:443", &accepted));
    expect_end_of_stream(accepted);
    close(accepted);
    const char *rest = refused_to_a_host(PORT_IN_RANGE);
    expect_words(rest, "held by 1 TIME_WAIT socket, most likely of an outgoing connection to "
                       "127.0.0.1:443, for ");
    expect_words(rest, "libreuse free 42993");
    expect_words(rest, "net.ipv4.ip_local_reserved_ports=42993");
    expect_no_words(rest, "libreuse arm");
    expect_no_words(rest, "of a run");
}

/* Both ports are in the range: it may be either. */
Test(held_by_remains, of_what_may_be_an_outgoing_connection)
{
    int accepted;
    close(connection_from(PORT_IN_RANGE, "127.0.0.1:50000", &accepted));
    expect_end_of_stream(accepted);
    close(accepted);
    const char *rest = refused_to_a_host(PORT_IN_RANGE);
    expect_words(rest, "of a run without SO_REUSEADDR, or of an outgoing connection (both ports "
                       "are of net.ipv4.ip_local_port_range), for ");
    expect_words(rest, "libreuse arm 42993; if it was an outgoing one, keep the port out of ");
}

Test(held_by_remains, of_an_outgoing_connection_that_is_open)
{
    int accepted;
    connection_from(PORT_IN_RANGE, "127.0.0.1:443", &accepted);
    const char *rest = refused_to_a_host(PORT_IN_RANGE);
    expect_words(rest, ", most likely an outgoing connection to 127.0.0.1:443 in ESTABLISHED (fd ");
    expect_words(rest, "; keep the port out of net.ipv4.ip_local_port_range");
    expect_no_words(rest, "libreuse arm");
}

/* A client that looks for its server on a port that the kernel gives out may meet itself. */
Test(held_by_remains, of_a_socket_that_is_connected_to_itself)
{
    const struct address address = address_from(PORT_IN_RANGE);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address.storage, address.length), 0);
    cr_assert_eq(connect(fd, (const struct sockaddr *)&address.storage, address.length), 0);
    const char *rest = refused_to_a_host(PORT_IN_RANGE);
    expect_words(rest, ", connected to itself, " PORT_IN_RANGE " in ESTABLISHED");
    expect_words(rest, "restart it");
    expect_words(rest, "net.ipv4.ip_local_reserved_ports=42993");
    expect_no_words(rest, "an earlier run");
}

Test(held_by_remains, three_time_wait_sockets_and_the_last_counts)
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

Test(held_by_remains, a_time_wait_socket_although_the_program_sets_reuseaddr)
{
    leave_time_wait(WITHOUT_SHIM, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&host);
    host_set_option(&host, fd, SOL_SOCKET, SO_REUSEADDR, 1);
    const char *rest = refused(&host, fd, "0.0.0.0:9999");
    expect_words(rest, "held by 1 TIME_WAIT socket of a run without SO_REUSEADDR");
}

/* The port of an armed server: it is not the fault of that run. */
Test(held_by_remains, a_time_wait_socket_that_is_not_to_be_passed)
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

Test(held_by_remains, a_time_wait_socket_of_ipv6)
{
    need_protocol(AF_INET6, 0);
    leave_time_wait(WITHOUT_SHIM, "[::1]:9999");
    const char *rest = refused_to_a_host("[::]:9999");
    expect_words(rest, "held by 1 TIME_WAIT socket of a run without SO_REUSEADDR");
    expect_time_wait_seconds(rest, ", for ");
}

/* A server of [::] has clients over IPv4: its remains hold the port of both. */
Test(held_by_remains, a_time_wait_socket_of_a_dual_stack_server)
{
    need_protocol(AF_INET6, 0);
    struct scene scene = serve_one_client("[::]:9999");
    end_by_signal(&scene.server.process, SIGKILL);
    close(scene.client);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == 1);
    expect_words(refused_to_a_host("0.0.0.0:9999"), "held by 1 TIME_WAIT socket ");
    expect_words(refused_to_a_host("[::]:9999"), "held by 1 TIME_WAIT socket ");
}

Test(held_by_remains, a_fin_wait2_socket_for_as_long_as_the_kernel_waits)
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
Test(held_by_remains, remains_in_several_states_and_the_last_counts)
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

Test(held_by_remains, a_child_that_serves_a_client_of_an_earlier_run)
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

Test(held_by_remains, a_child_that_has_not_noticed_that_its_client_is_gone)
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
    expect_words(rest, ": its peer has closed, and the program has not");
    expect_descriptor(rest, scene.connection);
}

/* It is no earlier run's. */
Test(held_by_remains, the_process_itself_that_has_not_closed_a_connection)
{
    struct host server = start_host(WITH_SHIM);
    const int listener = host_serve(&server, "0.0.0.0:9999");
    host_set_option(&server, listener, SOL_SOCKET, SO_REUSEADDR, 0);
    const int client = connected_client("127.0.0.1:9999", 0);
    const int connection = host_accept(&server, listener);
    host_close(&server, listener);
    close(client);
    EVENTUALLY(count_sockets(PORT, TCP_CLOSE_WAIT) == 1);
    const char *rest = refused(&server, host_tcp_socket(&server), "0.0.0.0:9999");
    expect_words(rest, "held by this very process, a connection with ");
    expect_words(rest, ": its peer has closed, and the program has not; it was accepted without "
                       "SO_REUSEADDR, or made from this port: the port is free when it is closed");
    expect_no_words(rest, "an earlier run");
    expect_descriptor(rest, connection);
}

Test(held_by_remains, a_child_and_remains_of_other_connections)
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
