/*
 * A guest in somebody else's process: bind() and listen() work at unusual times and places, and
 * leave nothing behind that the host could notice.
 */
#include "deadline.h"
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIXTURE(name) BUILD_FOLDER "/fixtures/" name
#define PORT          9999

static struct program program_with_shim(const char *path)
{
    return (struct program){.path = path, .shim = WITH_SHIM};
}

/* What each start of a small server meets, and what comes of it with the shim. */
struct situation {
    void (*prepare)(void);
    const char *result; /* as tests/support/attempt.h prints it */
    const char *event;  /* the report that is expected once; NULL: no report at all */
};

static void prepare_nothing(void)
{
}

static void prepare_leftover(void)
{
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
}

static void prepare_holder(void)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
}

static const struct situation succeeding = {prepare_nothing, "bind ok, off; listen ok, on\n", NULL};
static const struct situation rescued = {prepare_leftover, "bind ok, off; listen ok, on\n",
                                         "rescued"};
static const struct situation swallowed = {prepare_holder, "bind EADDRINUSE, off; listen ok, on\n",
                                           "swallowed"};

static void check_attempt(struct program program, const struct situation *situation)
{
    enter_private_network();
    situation->prepare();
    struct process process = run(program);
    cr_assert_str_eq(output_of(&process), situation->result);
    if (situation->event == NULL) {
        expect_silence(&process);
    } else {
        EXPECT_VALUE(count_reports(&process, situation->event), 1);
    }
}

/* The second line is that of main(), where nothing stands in the way. */
static struct process run_preinit(void (*prepare)(void), const char *expected)
{
    enter_private_network();
    prepare();
    struct program program = program_with_shim(FIXTURE("preinit_bind"));
    program.settings[0] = "LIBREUSE_LEVEL=info";
    struct process process = run(program);
    cr_assert_str_eq(output_of(&process), expected);
    /* Settings are in force at the latest in main(). */
    expect_report(&process, "listening: 0.0.0.0:7777: ");
    return process;
}

Test(guest, serves_a_program_that_binds_before_all_constructors)
{
    run_preinit(prepare_nothing, "bind ok, off; listen ok, on\nbind ok, off; listen ok, on\n");
}

Test(guest, rescues_a_program_that_binds_before_all_constructors)
{
    struct process process =
        run_preinit(prepare_leftover, "bind ok, off; listen ok, on\nbind ok, off; listen ok, on\n");
    expect_report(&process, "rescued: 0.0.0.0:9999: ");
}

Test(guest, warns_a_program_that_binds_before_all_constructors)
{
    struct process process = run_preinit(
        prepare_holder, "bind EADDRINUSE, off; listen ok, on\nbind ok, off; listen ok, on\n");
    expect_report(&process, "bind-failed: 0.0.0.0:9999: ");
    expect_report(&process, "swallowed: bind to 0.0.0.0:9999 ");
}

Test(guest, tells_a_program_that_binds_before_all_constructors_of_its_settings)
{
    enter_private_network();
    struct program program = program_with_shim(FIXTURE("preinit_bind"));
    program.settings[0] = "LIBREUSE_LEVEL=loud";
    struct process process = run(program);
    EXPECT_VALUE(count_reports(&process, "config"), 1);
}

/* In one of the two orders the other library's constructor runs first. */
static void check_constructor(const struct situation *situation)
{
    struct program first = program_with_shim(FIXTURE("obedient_host"));
    first.preloaded_first = FIXTURE("lib/constructor_bind.so");
    check_attempt(first, situation);

    struct program last = program_with_shim(FIXTURE("obedient_host"));
    last.preloaded_last = FIXTURE("lib/constructor_bind.so");
    check_attempt(last, situation);
}

Test(guest, serves_a_library_that_binds_in_its_constructor)
{
    check_constructor(&succeeding);
}

Test(guest, rescues_a_library_that_binds_in_its_constructor)
{
    check_constructor(&rescued);
}

Test(guest, warns_a_library_that_binds_in_its_constructor)
{
    check_constructor(&swallowed);
}

static struct program small_stack(void)
{
    return program_with_shim(FIXTURE("small_stack"));
}

Test(guest, serves_a_thread_with_the_smallest_stack)
{
    check_attempt(small_stack(), &succeeding);
}

Test(guest, rescues_a_thread_with_the_smallest_stack)
{
    check_attempt(small_stack(), &rescued);
}

Test(guest, warns_a_thread_with_the_smallest_stack)
{
    check_attempt(small_stack(), &swallowed);
}

Test(guest, tells_everything_on_a_thread_with_the_smallest_stack)
{
    enter_private_network();
    prepare_holder();
    struct program program = small_stack();
    program.settings[0] = "LIBREUSE_LEVEL=info";
    program.settings[1] = "LIBREUSE_DRY_RUN=unclear";
    struct process process = run(program);
    cr_assert_str_eq(output_of(&process), swallowed.result);
    EXPECT_VALUE(count_reports(&process, "loaded"), 1);
    EXPECT_VALUE(count_reports(&process, "config"), 1);
    EXPECT_VALUE(count_reports(&process, "bind-failed"), 1);
    EXPECT_VALUE(count_reports(&process, "swallowed"), 1);
    EXPECT_VALUE(count_reports(&process, "listening"), 1);
}

/* The number that stands after this name at the beginning of a line. */
static long measured(const char *output, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = output; line != NULL && *line != '\0';) {
        if (strncmp(line, name, length) == 0 && line[length] == ' ') {
            return strtol(line + length, NULL, 10);
        }
        line = strchr(line, '\n');
        line = line != NULL ? line + 1 : NULL;
    }
    cr_assert_fail("%s is not in the output:\n%s", name, output);
    return 0;
}

/* Bytes of stack that a call may use beyond the same call without the shim. */
#define STACK_WHERE_NOTHING_FAILED   1024
#define STACK_WHERE_SOMETHING_FAILED 8192

static void check_stack(const char *first_setting, const char *second_setting)
{
    static const struct {
        const char *call;
        long limit;
    } limits[] = {
        {"bind-succeeding", STACK_WHERE_NOTHING_FAILED},
        {"listen-succeeding", STACK_WHERE_NOTHING_FAILED},
        {"bind-rescued", STACK_WHERE_SOMETHING_FAILED},
        {"listen-rescued", STACK_WHERE_NOTHING_FAILED},
        {"bind-failing", STACK_WHERE_SOMETHING_FAILED},
        {"listen-swallowed", STACK_WHERE_SOMETHING_FAILED},
        {"bind-moved", STACK_WHERE_SOMETHING_FAILED},
        {"bind-refused", STACK_WHERE_SOMETHING_FAILED},
        {"listen-failing", STACK_WHERE_SOMETHING_FAILED},
        {"bind-held-by-another", STACK_WHERE_SOMETHING_FAILED},
        {"bind-blocked", STACK_WHERE_SOMETHING_FAILED},
        {"bind-foreign", STACK_WHERE_SOMETHING_FAILED},
        {"bind-foreign-ipv6", STACK_WHERE_SOMETHING_FAILED},
        {"listen-in-use", STACK_WHERE_SOMETHING_FAILED},
        {"bind-held-by-another-without-netlink", STACK_WHERE_SOMETHING_FAILED},
        {"bind-blocked-without-netlink", STACK_WHERE_SOMETHING_FAILED},
    };
    enter_private_network();
    struct process without = run((struct program){.path = FIXTURE("stack_depth")});
    enter_private_network();
    struct program program = program_with_shim(FIXTURE("stack_depth"));
    program.settings[0] = first_setting;
    program.settings[1] = second_setting;
    struct process with = run(program);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        long plain = measured(output_of(&without), limits[i].call);
        long shimmed = measured(output_of(&with), limits[i].call);
        cr_assert_gt(plain, 0, "%s was not measured", limits[i].call);
        cr_expect_lt(shimmed - plain, limits[i].limit,
                     "%s: %ld bytes of stack beyond the plain %ld", limits[i].call, shimmed - plain,
                     plain);
    }
    /* What was measured is what it is called. */
    EXPECT_VALUE(count_reports(&with, "rescued"), 1);
    EXPECT_VALUE(count_reports(&with, "swallowed"), 1);
    EXPECT_VALUE(count_reports(&with, "moved"), 1);
    EXPECT_VALUE(count_reports(&with, "bind-failed: 127.0.0.1:6666"), 2);
    EXPECT_VALUE(count_reports(&with, "bind-failed: 127.0.0.1:5555"), 2);
}

Test(guest, uses_little_stack)
{
    check_stack(NULL, NULL);
}

Test(guest, uses_little_stack_while_it_waits)
{
    check_stack("LIBREUSE_WAIT=1", NULL);
}

Test(guest, has_no_new_cancellation_point)
{
    enter_private_network();
    struct program program = program_with_shim(FIXTURE("pending_cancel"));
    program.settings[0] = "LIBREUSE_LEVEL=info";
    struct process process = run(program);
    cr_assert_str_eq(output_of(&process),
                     "reached 6: Address already in use ok ok ok ok ok; cancelled\n");
    EXPECT_VALUE(count_reports(&process, "bind-failed"), 1);
    EXPECT_VALUE(count_reports(&process, "swallowed"), 1);
    EXPECT_VALUE(count_reports(&process, "rescued"), 1);
}

Test(guest, allocates_no_memory)
{
    enter_private_network();
    struct program program = program_with_shim(FIXTURE("count_allocations"));
    program.settings[0] = "LIBREUSE_LEVEL=info";
    program.settings[1] = "LIBREUSE_PORTS=1-65535";
    program.settings[2] = "LIBREUSE_DRY_RUN=unclear";
    struct process process = run(program);
    cr_assert_str_eq(output_of(&process), "0 calls, 2 calls of strdup() and free()\n");
    EXPECT_VALUE(count_reports(&process, "config"), 1);
    EXPECT_VALUE(count_reports(&process, "rescued"), 2);
    EXPECT_VALUE(count_reports(&process, "swallowed"), 2);
    EXPECT_VALUE(count_reports(&process, "moved"), 2);
}

Test(guest, serves_sixteen_threads_at_once_and_confuses_none)
{
    enter_private_network();
    struct process process = run(program_with_shim(FIXTURE("thread_storm")));
    cr_assert_str_eq(output_of(&process), "0 wrong of 4800\n");
    EXPECT_VALUE(count_reports(&process, "swallowed"), 4800);
}

Test(guest, serves_a_signal_handler_that_interrupts_it)
{
    enter_private_network();
    struct process process = run(program_with_shim(FIXTURE("signal_storm")));
    unsigned total;
    char expected[64];
    cr_assert_eq(sscanf(output_of(&process), "%*d wrong, %u", &total), 1);
    snprintf(expected, sizeof expected, "0 wrong, %u swallowed\n", total);
    cr_assert_str_eq(output_of(&process), expected);
    EXPECT_VALUE(count_reports(&process, "swallowed"), total);
}

Test(guest, leaves_nothing_behind_where_a_handler_jumps_away)
{
    enter_private_network();
    struct program program = program_with_shim(FIXTURE("jump_storm"));
    program.settings[0] = "LIBREUSE_LOG=/dev/null"; /* opened for each report */
    struct process process = run(program);
    int descriptors;
    cr_assert_eq(sscanf(output_of(&process), "%d descriptors", &descriptors), 1);
    EXPECT_VALUE(descriptors, 0);
    cr_assert_null(strstr(output_of(&process), "blocked"));
}

Test(guest, leaves_no_descriptor_open)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:7777");
    struct host host = start_host_as(
        WITH_SHIM, (struct program){.settings = {"LIBREUSE_LEVEL=info", "LIBREUSE_PORTS=-"}});
    struct host bare = start_host(WITHOUT_SHIM);
    unsigned at_start = count_descriptors(&host);
    EXPECT_VALUE(count_descriptors(&bare), at_start);

    int rescued_socket = host_serve(&host, "0.0.0.0:9999");
    int swallowed_socket = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, swallowed_socket, "0.0.0.0:7777"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, swallowed_socket));
    EXPECT_ERROR(host_bind(&host, -1, "0.0.0.0:7777"), EBADF);
    EXPECT_ERROR(host_listen(&host, -1), EBADF);
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
    EXPECT_VALUE(count_reports(&host.process, "swallowed"), 1);

    EXPECT_VALUE(count_descriptors(&host), at_start + 2);
    /* The lowest free number is what it would be without the shim. */
    EXPECT_VALUE(host_tcp_socket(&host), swallowed_socket + 1);
    EXPECT_VALUE(swallowed_socket, rescued_socket + 1);
}

Test(guest, works_and_reports_when_all_descriptors_are_used_up)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:7777");
    struct host host = start_host(WITH_SHIM);
    int first = host_tcp_socket(&host);
    int second = host_tcp_socket(&host);
    host_use_up_descriptors(&host);

    EXPECT_SUCCESS(host_bind(&host, first, "0.0.0.0:9999"));
    EXPECT_SUCCESS(host_listen(&host, first));
    EXPECT_SUCCESS(connect_error("127.0.0.1:9999"));
    EXPECT_ERROR(host_bind(&host, second, "0.0.0.0:7777"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, second));
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
    EXPECT_VALUE(count_reports(&host.process, "swallowed"), 1);
}

Test(guest, reports_from_a_forked_child_under_the_childs_number)
{
    enter_private_network();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    int before = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, before, "0.0.0.0:9999"), EADDRINUSE);
    struct host child = fork_host(&host);
    int after = host_tcp_socket(&child);
    EXPECT_ERROR(host_bind(&child, after, "127.0.0.1:9999"), EADDRINUSE);
    expect_report(&child.process, "bind-failed: 127.0.0.1:9999: EADDRINUSE: ");
    EXPECT_VALUE(count_reports(&child.process, "bind-failed"), 1);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
}

Test(guest, rescues_a_forked_child)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    struct host child = fork_host(&host);
    host_serve(&child, "0.0.0.0:9999");
    EXPECT_VALUE(count_reports(&child.process, "rescued"), 1);
    EXPECT_SUCCESS(connect_error("127.0.0.1:9999"));
}

Test(guest, rescues_a_child_that_shares_the_memory_and_leaves_the_parent_whole)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind_in_vfork(&host, fd, "0.0.0.0:9999"));
    EXPECT_VALUE(host_get_option(&host, fd, SO_REUSEADDR), 0);
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_SUCCESS(connect_error("127.0.0.1:9999"));
    EXPECT_VALUE(count_reports(&host.process, "swallowed"), 0);
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 1);
}

/* Every address that a program could get wrong, on every kind of descriptor. */
static void collect_errors(enum shim shim, int *errors, size_t *count)
{
    static const uintptr_t pointers[] = {
        0, 1, 7, 8, 0x1000, UINTPTR_MAX, UINTPTR_MAX - 7, UINTPTR_MAX - 100, UINTPTR_MAX / 2};
    static const uint32_t lengths[] = {
        0, 1, 2, 15, 16, 28, 110, 128, 129, 4096, INT_MAX, (uint32_t)INT_MIN, UINT32_MAX};
    enter_private_network();
    struct host host = start_host(shim);
    int bound = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, bound, "0.0.0.0:8888"));
    int fds[] = {host_tcp_socket(&host),
                 bound,
                 host_socket(&host, AF_INET, SOCK_DGRAM, 0),
                 host_socket(&host, AF_UNIX, SOCK_STREAM, 0),
                 1,
                 -1};
    *count = 0;
    for (size_t f = 0; f < sizeof fds / sizeof fds[0]; f++) {
        for (size_t p = 0; p < sizeof pointers / sizeof pointers[0]; p++) {
            for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
                errors[(*count)++] = host_bind_at(&host, fds[f], pointers[p], lengths[l]);
            }
        }
    }
    end_host(&host);
}

Test(guest, survives_every_address_that_the_kernel_refuses_and_gives_its_errno)
{
    static int without[6 * 9 * 13];
    static int with[6 * 9 * 13];
    size_t count;
    collect_errors(WITHOUT_SHIM, without, &count);
    cr_assert_eq(count, sizeof without / sizeof without[0]);
    collect_errors(WITH_SHIM, with, &count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(with[i], without[i], "call %zu: \"%s\" instead of \"%s\"", i,
                     strerror(with[i]), strerror(without[i]));
    }
    EXPECT_ERROR(with[0], EINVAL); /* a null address of no length, on a TCP socket */
    EXPECT_ERROR(with[4], EFAULT); /* a null address of 16 bytes */
}

/* The kernel reads no more than the length says, and neither does the shim. */
Test(guest, reads_no_byte_beyond_the_address)
{
    enter_private_network();
    leave_time_wait(WITH_SHIM, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind_at_edge(&host, fd, "0.0.0.0:9999"));
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);

    int other = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind_at_edge(&host, other, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_ERROR(host_bind_at_edge(&host, other, "192.0.2.1:9999"), EADDRNOTAVAIL);
    EXPECT_ERROR(host_bind_at_edge(&host, other, "@a name in the abstract space"), EAFNOSUPPORT);
    int local = host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
    int same = host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
    EXPECT_SUCCESS(host_bind_at_edge(&host, local, "@x"));
    EXPECT_ERROR(host_bind_at_edge(&host, same, "@x"), EADDRINUSE);
    expect_report(&host.process, "bind-failed: @x: EADDRINUSE: ");
}
