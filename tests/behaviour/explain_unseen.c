/*
 * EADDRINUSE where not everything may be seen: other users, namespaces and networks, no /proc, no
 * time. The line says what is known, and what is not.
 */
#include "deadline.h"
#include "host.h"
#include "in_use.h"
#include "namespace.h"
#include "reports.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* What the caller may not see or do. */
TestSuite(unseen, .init = enter_private_network);

/* Users that nobody else has while other tests run. */
enum { LONE_USER = 65521, CROWDS_USER = 65522 };

Test(unseen, is_another_users_process_and_its_user_is_named)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_become_user(&holder, LONE_USER);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    host_become_user(&host, HOSTS_USER);
    const char *rest = refused(&host, host_tcp_socket(&host), "0.0.0.0:9999");
    expect_words(rest, "may not be looked into");
    char who[64];
    snprintf(who, sizeof who, "(uid 65521, perhaps obedient_host[%d]) listening on 0.0.0.0:9999",
             (int)holder.process.pid);
    expect_words(rest, who);
    expect_no_words(rest, "fd ");
}

/* Two of the user's are named, of more the number is said. */
Test(unseen, are_as_many_processes_as_may_be_the_holder)
{
    struct host others[2] = {start_host(WITHOUT_SHIM), start_host(WITHOUT_SHIM)};
    struct host holder = start_host(WITHOUT_SHIM);
    host_become_user(&holder, CROWDS_USER);
    host_serve(&holder, "0.0.0.0:9999");
    struct host host = start_host(WITH_SHIM);
    host_become_user(&host, HOSTS_USER);
    host_become_user(&others[0], CROWDS_USER);
    expect_words(refused(&host, host_tcp_socket(&host), "0.0.0.0:9999"), "] or obedient_host[");
    host_become_user(&others[1], CROWDS_USER);
    expect_words(refused(&host, host_tcp_socket(&host), "0.0.0.0:9999"), "(uid 65522, one of 3)");
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
    expect_words(rest, "no process that can be seen from here");
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
    expect_words(rest, "a process that may not be looked into (uid 65533)");
    expect_words(rest, "; as root, libreuse why names it");
}

/* A listener's facts but its owner, of which only the user is known. */
static void expect_no_owner(const char *rest)
{
    expect_words(rest, "without /proc");
    expect_words(rest, "(uid 65533)");
    expect_words(rest, "listening on 0.0.0.0:9999");
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
    EVENTUALLY(milliseconds() > start + 250);
    let_go(host.process.pid);
    EXPECT_ERROR(host_end_bind(&host), EADDRINUSE);
    const char *rest = expect_report(&host.process, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
    expect_words(rest, "not found in time");
    expect_words(rest, "listening on 0.0.0.0:9999");
}
