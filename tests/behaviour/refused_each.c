/*
 * A filter may refuse any one of the questions that the shim puts to the kernel. Whichever it is:
 * bind() fails with the kernel's error as without the shim, and it is told once, somewhere.
 */
#include "filter.h"
#include "host.h"
#include "namespace.h"
#include "receivers.h"
#include "reports.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All that have one number on every architecture's list; sendto(2) is how a host answers. */
static const struct {
    const char *name;
    long number;
} questions[] = {
    {"openat", SYS_openat},
    {"read", SYS_read},
    {"write", SYS_write},
#ifdef SYS_newfstatat
    {"fstat", SYS_fstat},
    {"newfstatat", SYS_newfstatat},
    {"lseek", SYS_lseek},
    {"ppoll", SYS_ppoll},
    {"getuid", SYS_getuid},
    {"geteuid", SYS_geteuid},
    {"fcntl", SYS_fcntl},
    {"fstatfs", SYS_fstatfs},
    {"clock_gettime", SYS_clock_gettime},
    {"rt_sigtimedwait", SYS_rt_sigtimedwait},
#endif
#ifdef SYS_getsockopt
    {"socket", SYS_socket},
    {"connect", SYS_connect},
    {"getsockname", SYS_getsockname},
    {"getsockopt", SYS_getsockopt},
    {"setsockopt", SYS_setsockopt},
    {"sendmsg", SYS_sendmsg},
    {"recvmsg", SYS_recvmsg},
#endif
    {"statx", SYS_statx},
    {"readlinkat", SYS_readlinkat},
    {"getdents64", SYS_getdents64},
    {"ioctl", SYS_ioctl},
    {"prctl", SYS_prctl},
    {"uname", SYS_uname},
    {"capget", SYS_capget},
    {"rt_sigpending", SYS_rt_sigpending},
    {"rt_sigprocmask", SYS_rt_sigprocmask},
};
enum { QUESTIONS = sizeof questions / sizeof questions[0] };

#define USED_PATH OWN_FOLDER "/socket"
#define LOG       OWN_FOLDER "/log"

static int system_log;
static struct host holder;

static void hold_addresses(void)
{
    enter_private_network();
    enter_private_files();
    system_log = receive_at(SYSTEM_LOG_PATH);
    holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    EXPECT_SUCCESS(host_bind(&holder, host_socket(&holder, AF_INET, SOCK_DGRAM, 0), "0.0.0.0:53"));
    EXPECT_SUCCESS(host_bind(&holder, host_socket(&holder, AF_UNIX, SOCK_STREAM, 0), USED_PATH));
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:7777");
}

TestSuite(refused_each, .init = hold_addresses);

/* How many reports of a failed bind() there are in the text. */
static unsigned reports_in(const char *text, const char *error)
{
    unsigned number = 0;
    for (; text != NULL && (text = strstr(text, ": bind-failed: ")) != NULL; text++) {
        const char *end = strchr(text, '\n');
        const char *named = strstr(text, error);
        number += named != NULL && (end == NULL || named < end);
    }
    return number;
}

static unsigned all_reports(const struct host *host, const char *error)
{
    struct datagram datagram;
    unsigned number = reports_in(errors_of(&host->process), error);
    number += reports_in(file_at(LOG), error);
    while (receive(system_log, &datagram)) {
        number += reports_in(datagram.bytes, error);
    }
    return number;
}

struct
try {
    int family;
    int type;
    const char *address;
    int error;
    const char *name; /* of the error, in a report */
};

static void check(const struct try *try, const char *setting, unsigned user)
{
    for (size_t i = 0; i < QUESTIONS; i++) {
        remove(LOG);
        struct host host = start_host_as(WITH_SHIM, (struct program){.settings = {setting}});
        if (user != 0) {
            host_become_user(&host, user);
        }
        const int fd = host_socket(&host, try->family, try->type, 0);
        const unsigned before = all_reports(&host, try->name);
        host_filter(&host, questions[i].number, FILTER_ANY, SECCOMP_RET_ERRNO | EPERM);
        const int error = host_bind(&host, fd, try->address);
        cr_assert_eq(error, try->error, "with %s() refused, bind() says \"%s\"", questions[i].name,
                     strerror(error));
        const unsigned reports = all_reports(&host, try->name) - before;
        cr_assert_eq(reports, 1, "with %s() refused, there are %u reports: %s", questions[i].name,
                     reports, errors_of(&host.process));
        end_by_signal(&host.process, SIGKILL);
        const int used[] = {host.channel, host.child_channel, host.process.output,
                            host.process.errors};
        for (size_t j = 0; j < sizeof used / sizeof used[0]; j++) {
            close(used[j]); /* a test has no more than 200 of them */
        }
    }
}

static void check_all(const char *setting)
{
    static const struct try tries[] = {
        {AF_INET, SOCK_STREAM, "0.0.0.0:9999", EADDRINUSE, "EADDRINUSE"},
        {AF_INET, SOCK_STREAM, "127.0.0.1:7777", EADDRINUSE, "EADDRINUSE"},
        {AF_INET, SOCK_DGRAM, "0.0.0.0:53", EADDRINUSE, "EADDRINUSE"},
        {AF_INET6, SOCK_STREAM, "[2001:db8::1]:9999", EADDRNOTAVAIL, "EADDRNOTAVAIL"},
        {AF_UNIX, SOCK_STREAM, USED_PATH, EADDRINUSE, "EADDRINUSE"},
    };
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        check(&tries[i], setting, 0);
    }
}

Test(refused_each, question_leaves_a_failed_bind_as_it_is_and_told)
{
    check_all("LIBREUSE_LOG=auto");
}

Test(refused_each, question_leaves_a_report_that_the_log_file_or_another_place_takes)
{
    check_all("LIBREUSE_LOG=" LOG);
}

Test(refused_each, question_of_an_ordinary_user_leaves_it_told_what_is_forbidden)
{
    static const struct try low_port = {AF_INET, SOCK_STREAM, "0.0.0.0:80", EACCES, "EACCES"};
    check(&low_port, "LIBREUSE_LOG=auto", 65534);
}
