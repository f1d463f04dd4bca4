/*
 * A filter may refuse the questions that the shim puts to the kernel. A refusal is not an answer:
 * what is said then is true, and what can be done without the answer is done.
 */
#include "filter.h"
#include "host.h"
#include "json.h"
#include "namespace.h"
#include "receivers.h"
#include "reports.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>

static struct host holder;

static void hold_port(void)
{
    enter_private_network();
    holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
}

TestSuite(refused_questions, .init = hold_port);

static void refuse(struct host *host, long system_call, int error)
{
    host_filter(host, system_call, FILTER_ANY, SECCOMP_RET_ERRNO | (uint32_t)error);
}

static const char *failed_bind(struct host *host)
{
    const int fd = host_tcp_socket(host);
    EXPECT_ERROR(host_bind(host, fd, "0.0.0.0:9999"), EADDRINUSE);
    return last_report(&host->process, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
}

#ifdef SYS_getsockopt
/* vsftpd's sandbox: it listens for each data connection, behind a filter that kills. */
Test(refused_questions, that_kill_are_not_put_for_a_port_that_is_left_out)
{
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_PORTS=8888"}});
    const int control = host_serve(&host, "0.0.0.0:8888");
    EXPECT_VALUE(host_get_option(&host, control, SO_REUSEADDR), 1);
    host_filter(&host, SYS_getsockopt, FILTER_ANY, SECCOMP_RET_KILL_PROCESS);
    host_filter(&host, SYS_setsockopt, FILTER_ANY, SECCOMP_RET_KILL_PROCESS);
    host_serve(&host, "0.0.0.0:7777");
}

/* The kernel looks at the port again in listen(), and the option may not be set for it any more. */
Test(refused_questions, to_set_the_option_are_said_to_keep_a_rescued_socket_from_listening)
{
    leave_time_wait(WITH_SHIM, "127.0.0.1:7777");
    struct host host = start_host(WITH_SHIM);
    const int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, "127.0.0.1:7777"));
    refuse(&host, SYS_setsockopt, EPERM);
    EXPECT_ERROR(host_listen(&host, fd), EADDRINUSE);
    expect_words(
        last_report(&host.process, "listen-failed: 127.0.0.1:7777: EADDRINUSE: "),
        "not tried with SO_REUSEADDR, because a filter refuses setsockopt(2) or getsockopt(2)");
}

Test(refused_questions, about_the_protocol_are_said_to_be_refused)
{
    struct host host = start_host(WITH_SHIM);
    refuse(&host, SYS_getsockopt, EPERM);
    const char *rest = failed_bind(&host);
    expect_words(rest, "getsockopt(2) of the socket's protocol says EPERM");
    expect_no_words(rest, "only TCP");
}

Test(refused_questions, are_told_to_machines_with_their_error)
{
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_FORMAT=json"}});
    refuse(&host, SYS_getsockopt, EPERM);
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "0.0.0.0:9999"), EADDRINUSE);
    cr_assert_str_eq(json_member(errors_of(&host.process), "errno"), "EADDRINUSE");
    const char *error = json_member(errors_of(&host.process), "look_up_errno");
    cr_assert_not_null(error, "%s", errors_of(&host.process));
    cr_assert_str_eq(error, "EPERM");
}

Test(refused_questions, about_a_socket_do_not_keep_a_swallowed_bind_secret)
{
    struct host host = start_host(WITH_SHIM);
    refuse(&host, SYS_getsockopt, EPERM);
    host_lose_port(&host, "0.0.0.0:9999");
    expect_report(&host.process, "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; ");
}

Test(refused_questions, about_a_socket_do_not_keep_a_swallowed_bind_from_failing_in_listen)
{
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_SWALLOWED=fail"}});
    refuse(&host, SYS_getsockopt, EPERM);
    const int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_ERROR(host_listen(&host, fd), EADDRINUSE);
}

/* As a filter may; and qemu's user mode does, which containers of a foreign architecture run on. */
Test(refused_questions, about_the_cookie_of_a_socket_leave_it_known_by_its_inode)
{
    enum { OPTION = 2 };
    struct host host = start_host(WITH_SHIM);
    host_filter_argument(&host, SYS_getsockopt, OPTION, SO_COOKIE, SECCOMP_RET_ERRNO | EINVAL);
    const int swallowing = host_tcp_socket(&host);
    const int recovering = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, swallowing, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_ERROR(host_bind(&host, recovering, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(&host, swallowing));
    expect_report(&host.process, "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; ");
    end_host(&holder);
    EXPECT_SUCCESS(host_bind(&host, recovering, "0.0.0.0:9999"));
    expect_report(&host.process, "recovered: 0.0.0.0:9999: ");
}
#endif

static void check_netlink_that_answers(int error)
{
    struct host host = start_host(WITH_SHIM);
    refuse(&host, SYS_recvmsg, error);
    const char *rest = failed_bind(&host);
    expect_words(rest, "held by obedient_host[");
    expect_words(rest, " listening on 0.0.0.0:9999");
}

Test(refused_questions, over_netlink_are_put_to_proc)
{
    check_netlink_that_answers(EPERM);
    check_netlink_that_answers(ENOBUFS);
    check_netlink_that_answers(ENOMEM);
    check_netlink_that_answers(EAGAIN);
}

/* Where /proc is refused, it is not missing; where the clock is, there was time enough. */
static void check_owner_that_is_refused(long system_call, int error, const char *words)
{
    struct host host = start_host(WITH_SHIM);
    refuse(&host, system_call, error);
    expect_words(failed_bind(&host), words);
    end_host(&host);
}

Test(refused_questions, about_the_owner_are_said_to_be_refused)
{
    check_owner_that_is_refused(SYS_openat, EMFILE,
                                "held by a process that cannot be looked up here (uid 0, EMFILE)");
    check_owner_that_is_refused(SYS_openat, EPERM,
                                "held by a process that may not be looked into (uid 0");
    check_owner_that_is_refused(SYS_getdents64, ENOSYS,
                                "held by a process that cannot be looked up here (uid 0, ENOSYS)");
    check_owner_that_is_refused(SYS_readlinkat, ENOSYS,
                                "held by a process that cannot be looked up here (uid 0, ENOSYS)");
}

Test(refused_questions, for_the_time_are_said_to_keep_the_owner_from_being_found)
{
    check_owner_that_is_refused(SYS_clock_gettime, EINVAL,
                                "held by a process that cannot be looked up here (uid 0, EINVAL)");
}

Test(refused_questions, for_the_name_of_the_owner_leave_its_number)
{
    struct host host = start_host(WITH_SHIM);
    char who[64];
    snprintf(who, sizeof who, "held by process [%d] listening on ", (int)holder.process.pid);
    refuse(&host, SYS_read, EPERM);
    expect_words(failed_bind(&host), who);
}

/* What another preload, or the vDSO, makes of the clock does not count: the shim asks the kernel.
 */
Test(refused_questions, for_the_time_do_not_silence_the_process)
{
    enum { TRIES = 25 };
    struct host host = start_host(WITH_SHIM);
    refuse(&host, SYS_clock_gettime, EPERM);
    for (int i = 0; i < TRIES; i++) {
        failed_bind(&host);
    }
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), TRIES);
}

Test(refused_questions, for_the_time_from_the_beginning_give_no_duration)
{
    struct host host = start_host(WITH_SHIM);
    const int fd = host_tcp_socket(&host);
    refuse(&host, SYS_clock_gettime, EPERM);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    end_host(&holder);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    cr_assert_str_eq(expect_report(&host.process, "recovered: 0.0.0.0:9999: bind succeeded after 1 "
                                                  "failed try"),
                     "");
}

Test(refused_questions, for_the_time_give_no_false_duration)
{
    struct host host = start_host(WITH_SHIM);
    const int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    refuse(&host, SYS_clock_gettime, EPERM);
    end_host(&holder);
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:9999"));
    cr_assert_str_eq(expect_report(&host.process, "recovered: 0.0.0.0:9999: bind succeeded after 1 "
                                                  "failed try"),
                     "");
}

Test(refused_questions, by_connect_do_not_tell_that_a_leftover_file_is_in_use)
{
    enter_private_folder();
    const char *path = PRIVATE_FOLDER "/socket";
    struct host host = start_host(WITH_SHIM);
    int fd = host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
    EXPECT_SUCCESS(host_bind(&host, fd, path));
    host_close(&host, fd);
    refuse(&host, SYS_connect, EPERM);
    fd = host_socket(&host, AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(&host, fd, path), EADDRINUSE);
    expect_words(errors_of(&host.process), "may not be found out from here");
    expect_no_words(errors_of(&host.process), "another network namespace");
}

/* As a filter may answer for calls that it only pretends to let pass. */
Test(refused_questions, that_are_answered_with_0_do_not_close_the_descriptor_0_of_the_program)
{
    struct host host = start_host(WITH_SHIM);
    const int fd = host_tcp_socket(&host);
    const unsigned before = count_descriptors(&host);
    refuse(&host, SYS_openat, 0);
#ifdef SYS_socket
    refuse(&host, SYS_socket, 0);
#endif
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_VALUE(count_descriptors(&host), before);
}

#ifdef SYS_close_range
Test(refused_questions, leave_no_descriptor_where_close_is_refused)
{
    struct host host = start_host(WITH_SHIM);
    const int fd = host_tcp_socket(&host);
    const unsigned before = count_descriptors(&host);
    refuse(&host, SYS_close, EPERM);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:9999"), EADDRINUSE);
    EXPECT_VALUE(count_descriptors(&host), before);
}
#endif

#ifdef SYS_rt_sigprocmask
/*
 * Then the address cannot be read without the risk of touching memory that is not there, nor can a
 * signal be held back that a write to a file may raise.
 */
Test(refused_questions, about_the_memory_of_an_address_lead_to_no_false_cause)
{
    enter_private_files();
    const int system_log = receive_at(SYSTEM_LOG_PATH);
    struct host host = start_host(WITH_SHIM);
    host_become_user(&host, 65534);
    refuse(&host, SYS_rt_sigprocmask, EPERM);
    const int fd = host_tcp_socket(&host);
    EXPECT_ERROR(host_bind(&host, fd, "0.0.0.0:80"), EACCES);
    struct datagram datagram;
    cr_assert(receive(system_log, &datagram), "nothing came");
    expect_words(datagram.bytes, "EACCES: permission denied; the address could not be read");
}

/* An answer that the kernel would give for a good address is not taken for one. */
Test(refused_questions, about_the_memory_of_an_address_do_not_make_a_wild_pointer_a_good_one)
{
    struct host host = start_host(WITH_SHIM);
    refuse(&host, SYS_rt_sigprocmask, EINVAL);
    EXPECT_ERROR(host_bind_at(&host, -1, 0x1000, 16), EBADF);
}

Test(refused_questions, to_hold_signals_back_are_said_to_keep_reports_from_a_log_file)
{
    enter_private_files();
    const int system_log = receive_at(SYSTEM_LOG_PATH);
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_LOG=" OWN_FOLDER "/log"}});
    refuse(&host, SYS_rt_sigprocmask, EPERM);
    EXPECT_ERROR(host_listen(&host, 150), EBADF);
    struct datagram datagram;
    cr_assert(receive(system_log, &datagram), "nothing came");
    expect_words(datagram.bytes,
                 "log-failed: " OWN_FOLDER "/log: a filter refuses to hold back the "
                 "signals that a write may raise; ");
}
#endif
