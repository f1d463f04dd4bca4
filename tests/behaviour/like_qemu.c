/*
 * Where getsockopt() tells less than the kernel does, as under qemu's user mode: the rule and the
 * reports hold all the same.
 */
#include "host.h"
#include "namespace.h"
#include "reports.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

TestSuite(like_qemu, .init = enter_private_network);

static struct host start_limited_host(void)
{
    return start_host_as(
        WITH_SHIM, (struct program){.preloaded_first = BUILD_FOLDER "/fixtures/lib/like_qemu.so"});
}

Test(like_qemu, a_server_is_rescued_and_armed)
{
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host host = start_limited_host();
    const int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    expect_report(&host.process, "rescued: 0.0.0.0:9999: ");
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 1);
}

Test(like_qemu, a_listen_that_fails_leaves_no_trace)
{
    struct host host = start_limited_host();
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    const int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_connect(&host, fd, "127.0.0.1:9999"));
    EXPECT_ERROR(host_listen(&host, fd), EINVAL);
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
}

Test(like_qemu, what_is_not_tcp_is_left_alone)
{
    struct host host = start_limited_host();
    const int first = host_socket(&host, AF_INET, SOCK_DGRAM, 0);
    const int second = host_socket(&host, AF_INET, SOCK_DGRAM, 0);
    EXPECT_SUCCESS(host_bind(&host, first, "0.0.0.0:9999"));
    host_set_option(&host, first, SOL_SOCKET, SO_REUSEADDR, 1);
    EXPECT_ERROR(host_bind(&host, second, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_ERROR(host_listen(&host, second), EOPNOTSUPP);
    EXPECT_VALUE(host_get_option(&host, second, SO_REUSEADDR), 0);

    const int local = host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
    EXPECT_SUCCESS(host_bind(&host, local, "@libreuse"));
    EXPECT_SUCCESS(host_listen(&host, local));
    EXPECT_VALUE(host_get_option(&host, local, SO_REUSEADDR), 0);
}

Test(like_qemu, a_failed_bind_is_remembered_until_it_is_swallowed)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_limited_host();
    const int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_report(&host.process, "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; ");
}
