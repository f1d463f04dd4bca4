/*
 * libreuse free: TIME_WAIT goes, so that a server that sets nothing can start; all else stays.
 */
#include "deadline.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

TestSuite(command_free, .init = enter_private_network);

/* Whether a server that knows nothing of SO_REUSEADDR can bind: 0, or the errno. */
static int successor(const char *address)
{
    struct host server = start_host(WITHOUT_SHIM);
    int fd = host_socket(&server, address_from(address).storage.ss_family, SOCK_STREAM, 0);
    int error = host_bind(&server, fd, address);
    end_host(&server);
    return error;
}

Test(command_free, after_it_the_successor_binds_without_any_option)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    leave_time_wait(WITHOUT_SHIM, "127.0.0.2:9999");
    EXPECT_ERROR(successor("0.0.0.0:9999"), EADDRINUSE);
    struct process freed = LIBREUSE(0, "free", "--yes", "9999");
    expect_said(&freed, "port 9999: removed 2 TIME_WAIT sockets\n");
    cr_assert_eq(count_sockets(9999, TCP_TIME_WAIT), 0);
    EXPECT_SUCCESS(successor("0.0.0.0:9999"));
}

Test(command_free, after_it_the_successor_under_the_shim_binds)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct host refused = start_host(WITH_SHIM);
    EXPECT_ERROR(host_bind(&refused, host_tcp_socket(&refused), "0.0.0.0:9999"), EADDRINUSE);
    LIBREUSE(0, "free", "-y", "9999");
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "0.0.0.0:9999");
}

Test(command_free, ipv6_is_freed_too)
{
    need_protocol(AF_INET6, 0);
    leave_time_wait(WITHOUT_SHIM, "[::1]:9999");
    EXPECT_ERROR(successor("[::]:9999"), EADDRINUSE);
    LIBREUSE(0, "free", "-y", "9999");
    EXPECT_SUCCESS(successor("[::]:9999"));
}

Test(command_free, ipv4_clients_of_an_ipv6_server_are_freed_too)
{
    need_protocol(AF_INET6, 0);
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "[::]:9999");
    int client = connected_client("127.0.0.1:9999", 0);
    host_accept(&server, listener);
    end_by_signal(&server.process, SIGKILL);
    expect_end_of_stream(client);
    close(client);
    EVENTUALLY(count_sockets(9999, TCP_TIME_WAIT) == 1);
    EXPECT_ERROR(successor("[::]:9999"), EADDRINUSE);
    LIBREUSE(0, "free", "-y", "9999");
    EXPECT_SUCCESS(successor("[::]:9999"));
}

Test(command_free, what_a_client_that_does_not_close_leaves_behind_goes_too)
{
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "127.0.0.1:9999");
    int client = connected_client("127.0.0.1:9999", 0);
    host_accept(&server, listener);
    end_by_signal(&server.process, SIGKILL);
    expect_end_of_stream(client);
    EVENTUALLY(count_sockets(9999, TCP_FIN_WAIT2) == 1);
    EXPECT_ERROR(successor("127.0.0.1:9999"), EADDRINUSE);
    struct process freed = LIBREUSE(0, "free", "-y", "9999");
    expect_said(&freed, "removed 1 TIME_WAIT socket (1 listed as FIN_WAIT2)");
    EXPECT_SUCCESS(successor("127.0.0.1:9999"));
    close(client);
}

Test(command_free, listeners_and_connections_are_not_touched)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_tcp_socket(&server);
    LIBREUSE(0, "free", "-y", "9999");
    EXPECT_SUCCESS(host_bind(&server, listener, "127.0.0.1:9999"));
    EXPECT_SUCCESS(host_listen(&server, listener));
    int clients[2];
    int connections[2];
    for (int i = 0; i < 2; i++) {
        clients[i] = connected_client("127.0.0.1:9999", 0);
        connections[i] = host_accept(&server, listener);
    }
    host_close(&server, connections[0]);
    expect_end_of_stream(clients[0]);
    close(clients[0]);
    EVENTUALLY(count_sockets(9999, TCP_TIME_WAIT) == 1);

    struct process freed = LIBREUSE(0, "free", "-y", "9999");
    expect_said(&freed, "removed 1 TIME_WAIT socket\n");
    expect_said(&freed, "1 LISTEN and 1 ESTABLISHED sockets on it: not touched");
    expect_service(&server, connections[1], clients[1]);
    int another = connected_client("127.0.0.1:9999", 0);
    expect_service(&server, host_accept(&server, listener), another);
}

/* The test itself is the server here: it closes one direction and keeps the descriptor. */
Test(command_free, a_half_closed_connection_that_a_process_has_is_not_touched)
{
    struct address address = address_from("127.0.0.1:9999");
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address.storage, address.length), 0);
    cr_assert_eq(listen(listener, 1), 0);
    int client = connected_client("127.0.0.1:9999", 0);
    int connection = accept(listener, NULL, NULL);
    cr_assert_eq(shutdown(connection, SHUT_WR), 0);
    expect_end_of_stream(client);
    EVENTUALLY(count_sockets(9999, TCP_FIN_WAIT2) == 1);
    struct process freed = LIBREUSE(0, "free", "-y", "9999");
    expect_said(&freed, "no TIME_WAIT socket is on it");
    char byte = 'x';
    cr_assert_eq(send(client, &byte, 1, MSG_NOSIGNAL), 1);
    cr_assert_eq(recv(connection, &byte, 1, 0), 1, "the connection still works");
}

Test(command_free, other_ports_are_not_touched)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9998");
    LIBREUSE(0, "free", "-y", "9999");
    cr_assert_eq(count_sockets(9998, TCP_TIME_WAIT), 1);
}

Test(command_free, hundreds_are_removed)
{
    enum { MANY = 300 };
    struct host server = start_host(WITHOUT_SHIM);
    int listener = host_serve(&server, "127.0.0.1:9999");
    for (int i = 0; i < MANY; i++) {
        int client = connected_client("127.0.0.1:9999", 0);
        host_close(&server, host_accept(&server, listener));
        expect_end_of_stream(client);
        close(client);
    }
    EVENTUALLY(count_sockets(9999, TCP_TIME_WAIT) == MANY);
    struct process freed = LIBREUSE(0, "free", "-y", "9999");
    expect_said(&freed, "removed 300 TIME_WAIT sockets");
    cr_assert_eq(count_sockets(9999, TCP_TIME_WAIT), 0);
}

Test(command_free, a_dry_run_removes_nothing)
{
    enter_private_network();
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct process text = LIBREUSE(1, "free", "-n", "9999");
    expect_said(&text, "1 TIME_WAIT socket would be removed");
    struct process dry = LIBREUSE(1, "free", "--dry-run", "--json", "9999");
    expect_said(&dry, "\"time_wait\": 1");
    expect_said(&dry, "\"removed\": 0");
    struct process json = LIBREUSE(0, "free", "--json", "--yes", "9999");
    expect_said(&json, "\"time_wait\": 0");
    expect_said(&json, "\"removed\": 1");
    LIBREUSE(0, "free", "--json", "9999");
}

Test(command_free, a_port_without_time_wait_is_fine)
{
    struct process freed = LIBREUSE(0, "free", "9999");
    expect_said(&freed, "no TIME_WAIT socket is on it");
}

Test(command_free, without_a_terminal_it_needs_yes)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct process freed = LIBREUSE(2, "free", "9999");
    expect_complaint(&freed, "libreuse free --yes 9999");
    cr_assert_eq(count_sockets(9999, TCP_TIME_WAIT), 1);
}

/* Somebody at a terminal answers. */
static struct process answer(const char *line, int status)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    cr_assert_geq(slave, 0);
    struct process process = start((struct program){
        .path = LIBREUSE_PATH, .arguments = {"free", "9999"}, .input = slave, .errors = slave});
    char text[1024] = "";
    size_t length = 0;
    while (strstr(text, "[y/N] ") == NULL && length < sizeof text - 1) {
        ssize_t got = read(master, text + length, sizeof text - 1 - length);
        cr_assert_gt(got, 0);
        length += (size_t)got;
    }
    cr_assert_not_null(strstr(text, "RFC 1337"), "the risk is named: %s", text);
    cr_assert_eq(write(master, line, strlen(line)), (ssize_t)strlen(line));
    expect_exit(&process, status);
    return process;
}

Test(command_free, a_person_who_says_yes_is_obeyed)
{
    answer("y\n", 0);
    cr_assert_eq(count_sockets(9999, TCP_TIME_WAIT), 0);
}

Test(command_free, a_person_who_says_anything_else_is_obeyed)
{
    struct process process = answer("\n", 1);
    expect_said(&process, "nothing removed");
    cr_assert_eq(count_sockets(9999, TCP_TIME_WAIT), 1);
}

Test(command_free, nobody_is_told_which_privilege_is_missing)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct process freed = LIBREUSE_AS_NOBODY(3, "free", "--yes", "9999");
    expect_complaint(&freed, "CAP_NET_ADMIN");
    expect_complaint(&freed, "sudo libreuse free 9999");
    cr_assert_eq(count_sockets(9999, TCP_TIME_WAIT), 1);
}

/* As in a container: sudo would give it nothing. */
Test(command_free, root_without_the_privilege_is_not_sent_to_sudo)
{
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    cr_assert_eq(prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN), 0);
    struct process freed = LIBREUSE(3, "free", "--yes", "9999");
    expect_complaint(&freed, "needs CAP_NET_ADMIN");
    expect_complaint(&freed, "root has not got it here; in a container: --cap-add=NET_ADMIN");
    cr_assert_null(strstr(errors_of(&freed), "sudo"));
    cr_assert_eq(count_sockets(9999, TCP_TIME_WAIT), 1);
}
