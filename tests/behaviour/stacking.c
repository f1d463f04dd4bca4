/*
 * Shims stack in any order: another library that interposes bind() and listen() gets every call,
 * whether it is named before libreuse in LD_PRELOAD or after it.
 */
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "skip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define OTHER_SHIM BUILD_FOLDER "/fixtures/lib/counting_shim.so"

/* The other shim sees what goes through it: after libreuse, the second tries of a rescue as well.
 */
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
    check((struct program){.preloaded_last = OTHER_SHIM}, "bind\nbind\nlisten\nlisten\n");
}

Test(stacking, works_below_another_shim)
{
    check((struct program){.preloaded_first = OTHER_SHIM}, "bind\nlisten\n");
}

/* A rescue, a failure with its look-up, and a swallowed bind: no question goes astray. */
static struct host check_all_works(struct program program)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:7777");
    struct host host = start_host_as(WITH_SHIM, program);
    int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 1);
    expect_report(&host.process, "rescued: 0.0.0.0:9999: ");
    fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:7777"), EADDRINUSE);
    expect_report(&host.process, "bind-failed: 0.0.0.0:7777: EADDRINUSE: held by obedient_host[");
    EXPECT_SUCCESS(host_listen(&host, fd));
    expect_report(&host.process, "swallowed: bind to 0.0.0.0:7777 had failed with EADDRINUSE; ");
    return host;
}

#define REPLACING_CALLS BUILD_FOLDER "/fixtures/lib/replacing_calls.so"
#define HOOKING_DLSYM   BUILD_FOLDER "/fixtures/lib/hooking_dlsym.so"

/* A program, or another preload, may have a function of its own with the name of one of libc's. */
static void check_calls_nobody(struct program program)
{
    struct host host = check_all_works(program);
    cr_assert_str_eq(output_of(&host.process), "");
}

Test(stacking, calls_no_function_that_another_has_put_in_the_place_of_libcs)
{
    check_calls_nobody((struct program){.preloaded_first = REPLACING_CALLS});
}

Test(stacking, calls_no_function_that_another_preload_behind_has_put_in_the_place_of_libcs)
{
    check_calls_nobody((struct program){.preloaded_last = REPLACING_CALLS});
}

/* Such a hook asks for what comes next to itself, and that is this library. */
Test(stacking, works_below_a_library_that_replaces_dlsym)
{
    check_all_works((struct program){.preloaded_first = HOOKING_DLSYM});
}

Test(stacking, works_on_top_of_a_library_that_replaces_dlsym)
{
    check_all_works((struct program){.preloaded_last = HOOKING_DLSYM});
}

static const char *need_torsocks(void)
{
    glob_t found;
    if (glob("/usr/lib/*/torsocks/libtorsocks.so", 0, NULL, &found) != 0) {
        skip_because("there is no libtorsocks.so (Debian: torsocks)");
    }
    return found.gl_pathv[0];
}

/* It replaces syscall(), getpeername() and others, and refuses to listen. */
static void check_with_torsocks(struct program program)
{
    enter_private_network();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:7777");
    struct host host = start_host_as(WITH_SHIM, program);
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "127.0.0.1:7777"), EADDRINUSE);
    expect_report(&host.process, "bind-failed: 127.0.0.1:7777: EADDRINUSE: held by obedient_host[");
}

Test(stacking, works_below_torsocks)
{
    check_with_torsocks((struct program){.preloaded_first = need_torsocks()});
}

Test(stacking, works_on_top_of_torsocks)
{
    check_with_torsocks((struct program){.preloaded_last = need_torsocks()});
}

/* Two copies of the library, by two paths: what one of them does is done once. */
static void check_two_copies(const char *copy)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:7777");
    struct host host = start_host_as(
        WITH_SHIM, (struct program){.preloaded_last = copy, .settings = {"LIBREUSE_LEVEL=info"}});

    int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 1);
    fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:7777"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(count_reports(&host.process, "loaded"), 1);
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
    EXPECT_VALUE(count_reports(&host.process, "swallowed"), 1);
    EXPECT_VALUE(count_reports(&host.process, "listening"), 2);
}

#define COPY PRIVATE_FOLDER "/libreuse.so"

Test(stacking, lets_the_first_of_two_copies_of_libreuse_do_the_work)
{
    enter_private_folder();
    cr_assert_eq(system("cp " SHIM_PATH " " COPY), 0);
    check_two_copies(COPY);
}

Test(stacking, works_where_libreuse_is_named_twice_by_two_names_of_one_file)
{
    enter_private_folder();
    cr_assert_eq(symlink(SHIM_PATH, COPY), 0);
    check_two_copies(COPY);
}
