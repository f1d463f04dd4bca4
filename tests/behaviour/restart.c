/*
 * A listener that runs under the shim can be stopped, killed or crashed and started again at once,
 * whatever it left behind. Each test first shows that the same restart fails without the shim.
 */
#include "deadline.h"
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <unistd.h>

#define PORT 9999

/* A kind of server: what it binds, and how a client comes to it. */
struct kind {
    const char *address;
    const char *way;
    int family;
    int protocol;
};

static const struct kind ipv4 = {"0.0.0.0:9999", "127.0.0.1:9999", AF_INET, 0};
static const struct kind specific_ipv4 = {"127.0.0.2:9999", "127.0.0.2:9999", AF_INET, 0};
static const struct kind ipv6 = {"[::]:9999", "[::1]:9999", AF_INET6, 0};
static const struct kind specific_ipv6 = {"[::1]:9999", "[::1]:9999", AF_INET6, 0};
static const struct kind dual_stack = {"[::]:9999", "127.0.0.1:9999", AF_INET6, 0};
static const struct kind mptcp = {"0.0.0.0:9999", "127.0.0.1:9999", AF_INET, MPTCP_PROTOCOL};

/* A server with one client. */
struct scene {
    const struct kind *kind;
    struct host server;
    int listener;   /* of the server */
    int connection; /* of the server, to the client */
    int client;     /* of this test */
    struct host child;
};

static int tcp_socket(struct host *host, const struct kind *kind)
{
    return host_socket(host, kind->family, SOCK_STREAM, kind->protocol);
}

static void start_first_server(struct scene *scene, enum shim shim)
{
    struct host *server = &scene->server;
    *server = start_host(shim);
    scene->listener = tcp_socket(server, scene->kind);
    EXPECT_SUCCESS(host_bind(server, scene->listener, scene->kind->address));
    EXPECT_SUCCESS(host_listen(server, scene->listener));
    scene->client = connected_client(scene->kind->way, scene->kind->protocol);
    scene->connection = host_accept(server, scene->listener);
    expect_service(server, scene->connection, scene->client);
}

/* The server starts again: what its bind() gives. With success it serves a client. */
static int start_again(const struct scene *scene, enum shim shim)
{
    struct host server = start_host(shim);
    int listener = tcp_socket(&server, scene->kind);
    int error = host_bind(&server, listener, scene->kind->address);
    EXPECT_VALUE(host_get_option(&server, listener, SO_REUSEADDR), 0);
    if (error != 0) {
        return error;
    }
    EXPECT_SUCCESS(host_listen(&server, listener));
    EXPECT_VALUE(host_get_option(&server, listener, SO_REUSEADDR), 1);
    EXPECT_VALUE(host_port(&server, listener), PORT);
    int client = connected_client(scene->kind->way, scene->kind->protocol);
    int connection = host_accept(&server, listener);
    expect_service(&server, connection, client);
    EXPECT_VALUE(count_reports(&server.process, "rescued"), 1);
    EXPECT_VALUE(count_reports(&server.process, "bind-failed"), 0);
    EXPECT_VALUE(count_reports(&server.process, "swallowed"), 0);
    return 0;
}

/* One side of an MPTCP connection closes above its TCP connection, which stays as it is. */
static int state_after_half_close(const struct scene *scene, int state)
{
    return scene->kind->protocol == MPTCP_PROTOCOL ? TCP_ESTABLISHED : state;
}

/* The server ends first and the client after it. */
static void end_with_time_wait(struct scene *scene, int signal_number)
{
    end_by_signal(&scene->server.process, signal_number);
    expect_end_of_stream(scene->client);
    close(scene->client);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == 1);
    EXPECT_VALUE(count_leftovers(PORT), 1);
}

/* The server ends and the client does not notice. */
static void leave_fin_wait2(struct scene *scene)
{
    end_by_signal(&scene->server.process, SIGTERM);
    expect_end_of_stream(scene->client);
    const int state = state_after_half_close(scene, TCP_FIN_WAIT2);
    EVENTUALLY(count_sockets(PORT, state) == 1);
    EXPECT_VALUE(count_leftovers(PORT), 1);
}

/* The server ends, and the child that it forked for its client goes on. */
static void leave_established(struct scene *scene)
{
    scene->child = fork_host(&scene->server);
    host_close(&scene->child, scene->listener);
    end_by_signal(&scene->server.process, SIGTERM);
    EXPECT_VALUE(count_sockets(PORT, TCP_LISTEN), 0);
    EXPECT_VALUE(count_sockets(PORT, TCP_ESTABLISHED), 1);
}

/* The same, and the client has closed its side but the child has not. */
static void leave_close_wait(struct scene *scene)
{
    leave_established(scene);
    close(scene->client);
    expect_host_end_of_stream(&scene->child, scene->connection);
    EXPECT_VALUE(count_sockets(PORT, state_after_half_close(scene, TCP_CLOSE_WAIT)), 1);
    EXPECT_VALUE(count_leftovers(PORT), 1);
}

/* Both runs of the server without the shim, then both with it. */
static void check_restart(const struct kind *kind, void (*leave)(struct scene *))
{
    enter_private_network();
    need_protocol(kind->family, kind->protocol);
    for (enum shim shim = WITHOUT_SHIM; shim <= WITH_SHIM; shim++) {
        enter_private_network();
        struct scene scene = {.kind = kind};
        start_first_server(&scene, shim);
        leave(&scene);
        EXPECT_ERROR(start_again(&scene, shim), shim == WITH_SHIM ? 0 : EADDRINUSE);
    }
}

static void end_by_sigint(struct scene *scene)
{
    end_with_time_wait(scene, SIGINT);
}

static void end_by_sigterm(struct scene *scene)
{
    end_with_time_wait(scene, SIGTERM);
}

static void end_by_sigkill(struct scene *scene)
{
    end_with_time_wait(scene, SIGKILL);
}

static void end_by_sigsegv(struct scene *scene)
{
    end_with_time_wait(scene, SIGSEGV);
}

#define RESTARTS_OF(kind)                                                                          \
    Test(restart, works_past_a_time_wait_socket_of_##kind)                                         \
    {                                                                                              \
        check_restart(&kind, end_by_sigterm);                                                      \
    }                                                                                              \
    Test(restart, works_past_a_fin_wait2_socket_of_##kind)                                         \
    {                                                                                              \
        check_restart(&kind, leave_fin_wait2);                                                     \
    }                                                                                              \
    Test(restart, works_past_a_close_wait_socket_of_##kind)                                        \
    {                                                                                              \
        check_restart(&kind, leave_close_wait);                                                    \
    }                                                                                              \
    Test(restart, works_past_an_established_connection_of_##kind)                                  \
    {                                                                                              \
        check_restart(&kind, leave_established);                                                   \
    }

RESTARTS_OF(ipv4)
RESTARTS_OF(specific_ipv4)
RESTARTS_OF(ipv6)
RESTARTS_OF(specific_ipv6)
RESTARTS_OF(dual_stack)
RESTARTS_OF(mptcp)

Test(restart, works_after_an_end_by_sigint)
{
    check_restart(&ipv4, end_by_sigint);
}

Test(restart, works_after_an_end_by_sigkill)
{
    check_restart(&ipv4, end_by_sigkill);
}

Test(restart, works_after_a_crash)
{
    check_restart(&ipv4, end_by_sigsegv);
}

/* UNIX Network Programming, volume 1, section 7.5, "SO_REUSEADDR", the first of its four uses. */
Test(restart, works_while_a_child_serves_its_client_and_both_connections_live)
{
    enter_private_network();
    struct scene scene = {.kind = &ipv4};
    start_first_server(&scene, WITH_SHIM);
    leave_established(&scene);

    struct host again = start_host(WITH_SHIM);
    int listener = host_serve(&again, ipv4.address);
    int client = connected_client(ipv4.way, 0);
    int connection = host_accept(&again, listener);

    expect_service(&again, connection, client);
    expect_service(&scene.child, scene.connection, scene.client);
    expect_service(&again, connection, client);
}

Test(restart, works_ten_times_in_a_row)
{
    enter_private_network();
    for (unsigned run = 0; run < 10; run++) {
        struct host server = start_host(WITH_SHIM);
        int listener = host_serve(&server, ipv4.address);
        EXPECT_VALUE(count_reports(&server.process, "rescued"), run == 0 ? 0 : 1);
        int client = connected_client(ipv4.way, 0);
        expect_service(&server, host_accept(&server, listener), client);
        end_by_signal(&server.process, SIGKILL);
        expect_end_of_stream(client);
        close(client);
        EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == run + 1);
    }
}

/* A socket that fails and tries again, as many servers do, is rescued on any try. */
Test(restart, works_on_a_later_try_of_the_same_socket)
{
    enter_private_network();
    struct scene scene = {.kind = &ipv4};
    start_first_server(&scene, WITH_SHIM);
    struct host again = start_host(WITH_SHIM);
    int listener = host_tcp_socket(&again);
    EXPECT_ERROR(host_bind(&again, listener, ipv4.address), EADDRINUSE);
    end_with_time_wait(&scene, SIGTERM);

    EXPECT_SUCCESS(host_bind(&again, listener, ipv4.address));
    EXPECT_SUCCESS(host_listen(&again, listener));
    EXPECT_SUCCESS(connect_error(ipv4.way));
    EXPECT_VALUE(count_reports(&again.process, "swallowed"), 0);
}

Test(restart, works_within_one_process)
{
    enter_private_network();
    struct scene scene = {.kind = &ipv4};
    start_first_server(&scene, WITH_SHIM);
    host_close(&scene.server, scene.listener);
    host_close(&scene.server, scene.connection);
    expect_end_of_stream(scene.client);
    close(scene.client);
    EVENTUALLY(count_sockets(PORT, TCP_TIME_WAIT) == 1);

    host_serve(&scene.server, ipv4.address);
    EXPECT_SUCCESS(connect_error(ipv4.way));
    EXPECT_VALUE(count_reports(&scene.server.process, "rescued"), 1);
}

/* Nothing that the new process sets can pass the remains of a run without the shim. */
Test(restart, fails_loudly_after_a_run_without_the_shim)
{
    enter_private_network();
    struct scene scene = {.kind = &ipv4};
    start_first_server(&scene, WITHOUT_SHIM);
    end_with_time_wait(&scene, SIGTERM);

    struct host again = start_host(WITH_SHIM);
    int listener = host_tcp_socket(&again);
    EXPECT_ERROR(host_bind(&again, listener, ipv4.address), EADDRINUSE);
    EXPECT_VALUE(host_get_option(&again, listener, SO_REUSEADDR), 0);
    expect_report(&again.process, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
    EXPECT_VALUE(count_reports(&again.process, "rescued"), 0);
}
