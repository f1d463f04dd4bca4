/*
 * Shims stack in any order: another library that interposes bind() and listen() gets every call,
 * whether it is named before libreuse in LD_PRELOAD or after it.
 */
#include "host.h"
#include "namespace.h"
#include "reports.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>

#define OTHER_SHIM BUILD_FOLDER "/fixtures/lib/counting_shim.so"

/* The other shim sees what goes through it: after libreuse, the second try of a rescue as well. */
static void check(struct program program, const char *calls_of_a_rescue)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:7777");
    struct host host = start_host_as(WITH_SHIM, program);

    int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 1);
    expect_report(&host.process, "rescued: 0.0.0.0:9999: ");
    cr_assert_str_eq(output_of(&host.process), calls_of_a_rescue);

    fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:7777"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_report(&host.process, "swallowed: bind to 0.0.0.0:7777 had failed with EADDRINUSE; ");
}

Test(stacking, works_on_top_of_another_shim)
{
    check((struct program){.preloaded_last = OTHER_SHIM}, "bind\nbind\nlisten\n");
}

Test(stacking, works_below_another_shim)
{
    check((struct program){.preloaded_first = OTHER_SHIM}, "bind\nlisten\n");
}
