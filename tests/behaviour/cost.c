/*
 * What the shim costs where there is nothing to do: the system calls of bind() and listen(), as a
 * tracer counts them.
 */
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>

static void expect_calls(const struct system_calls *calls, size_t expected, const char *what)
{
    cr_assert_eq(calls->count, expected, "%s made %zu system calls instead of %zu:%s", what,
                 calls->count, expected, describe_calls(calls));
}

/* The calls of the first server of a process, and of its second. */
static void check_costs(enum shim shim, int family, int protocol, const char *const addresses[2],
                        size_t calls_of_listen)
{
    enter_private_network();
    need_protocol(family, protocol);
    struct host host = start_host(shim);
    for (int i = 0; i < 2; i++) {
        struct system_calls calls;
        int fd = host_socket(&host, family, SOCK_STREAM, protocol);
        host.trace = &calls;
        EXPECT_SUCCESS(host_bind(&host, fd, addresses[i]));
        expect_calls(&calls, 1, "bind()");
        host.trace = &calls;
        EXPECT_SUCCESS(host_listen(&host, fd));
        expect_calls(&calls, calls_of_listen, "listen()");
    }
    expect_silence(&host.process);
}

static const char *const ipv4[] = {"0.0.0.0:9999", "127.0.0.1:8888"};
static const char *const ipv6[] = {"[::]:9999", "[::1]:8888"};

Test(cost, is_one_system_call_each_without_the_shim)
{
    check_costs(WITHOUT_SHIM, AF_INET, 0, ipv4, 1);
}

Test(cost, is_nothing_for_bind_and_two_system_calls_for_listen)
{
    check_costs(WITH_SHIM, AF_INET, 0, ipv4, 3);
}

Test(cost, is_the_same_for_ipv6)
{
    check_costs(WITH_SHIM, AF_INET6, 0, ipv6, 3);
}

/* Clients, datagrams, port 0 and AF_UNIX pay nothing for bind(). */
Test(cost, is_nothing_for_a_bind_of_any_kind_that_succeeds)
{
    static const struct {
        int family;
        int type;
        const char *address;
    } binds[] = {
        {AF_INET, SOCK_STREAM, "127.0.0.1:0"},
        {AF_INET, SOCK_DGRAM, "127.0.0.1:9999"},
        {AF_UNIX, SOCK_STREAM, "@libreuse"},
        {AF_UNIX, SOCK_DGRAM, "@libreuse, datagrams"},
    };
    enter_private_network();
    struct host host = start_host(WITH_SHIM);
    for (size_t i = 0; i < sizeof binds / sizeof binds[0]; i++) {
        struct system_calls calls;
        int fd = host_socket(&host, binds[i].family, binds[i].type, 0);
        host.trace = &calls;
        EXPECT_SUCCESS(host_bind(&host, fd, binds[i].address));
        expect_calls(&calls, 1, binds[i].address);
    }
}

/* What has failed before costs a few questions more, and then nothing: its socket is closed. */
Test(cost, is_the_same_again_after_a_bind_that_failed)
{
    enum { QUESTIONS = 9 };
    enter_private_network();
    struct host host = start_host(WITH_SHIM);
    host_serve(&host, "0.0.0.0:9999");
    const int failed = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, failed, "0.0.0.0:9999"), EADDRINUSE);
    host_close(&host, failed);
    for (int i = 0; i <= QUESTIONS; i++) {
        struct system_calls calls[2];
        const int fd = host_tcp_socket(&host);
        host.trace = &calls[0];
        EXPECT_SUCCESS(host_bind(&host, fd, "127.0.0.1:8888"));
        host.trace = &calls[1];
        EXPECT_SUCCESS(host_listen(&host, fd));
        host_close(&host, fd);
        if (i == QUESTIONS) {
            expect_calls(&calls[0], 1, "bind()");
            expect_calls(&calls[1], 3, "listen()");
        }
    }
}

Test(cost, is_nothing_for_the_path_of_connections_and_data)
{
    enter_private_network();
    struct host hosts[] = {start_host(WITHOUT_SHIM), start_host(WITH_SHIM)};
    static const char *const addresses[] = {"127.0.0.1:7777", "127.0.0.1:9999"};
    for (int i = 0; i < 2; i++) {
        struct host *host = &hosts[i];
        struct system_calls calls;
        int listener = host_serve(host, addresses[i]);
        int client = host_tcp_socket(host);
        host->trace = &calls;
        EXPECT_SUCCESS(host_connect(host, client, addresses[i]));
        expect_calls(&calls, 1, "connect()");
        host->trace = &calls;
        int connection = host_accept(host, listener);
        expect_calls(&calls, 1, "accept()");
        host->trace = &calls;
        host_close(host, connection);
        expect_calls(&calls, 1, "close()");
    }
}
