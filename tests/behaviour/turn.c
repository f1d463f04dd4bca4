/*
 * The port's turn: whoever switches SO_REUSEADDR on for a moment has an abstract name meanwhile.
 * What happens when many start at once, race.c and "make race" try.
 */
#include "host.h"
#include "namespace.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define NAME    "libreuse/9999"
#define ADDRESS "0.0.0.0:9999"

TestSuite(turn, .init = enter_private_network);

/* The name of port 9999's turn, for a socket of this process; -1 where somebody has it. */
static int take_name(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path + 1, NAME, sizeof NAME - 1);
    const socklen_t length = offsetof(struct sockaddr_un, sun_path) + sizeof NAME;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    if (bind(fd, (struct sockaddr *)&name, length) == 0) {
        return fd;
    }
    close(fd);
    return -1;
}

static unsigned count_calls(const struct system_calls *calls, uint64_t number)
{
    unsigned count = 0;
    for (size_t i = 0; i < calls->count && i < SYSTEM_CALLS_SHOWN; i++) {
        count += calls->numbers[i] == number;
    }
    return count;
}

#ifdef SYS_bind
Test(turn, is_had_for_a_rescue)
{
    leave_time_wait(WITH_SHIM, ADDRESS);
    struct host host = start_host(WITH_SHIM);
    struct system_calls calls;
    const int fd = host_tcp_socket(&host);
    host.trace = &calls;
    EXPECT_SUCCESS(host_bind(&host, fd, ADDRESS));
    /* As asked; the name; once more. */
    cr_assert_eq(count_calls(&calls, SYS_bind), 3, "not three bind() calls:%s",
                 describe_calls(&calls));
    host.trace = &calls;
    EXPECT_SUCCESS(host_listen(&host, fd));
    cr_assert_eq(count_calls(&calls, SYS_bind), 1, "listen() has no turn:%s",
                 describe_calls(&calls));
}
#endif

Test(turn, is_given_back_at_once)
{
    leave_time_wait(WITH_SHIM, ADDRESS);
    struct host host = start_host(WITH_SHIM);
    const unsigned descriptors = count_descriptors(&host);
    const int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, ADDRESS));
    cr_assert_eq(count_descriptors(&host), descriptors + 1);
    cr_assert_geq(take_name(), 0, "somebody has the name");
}

/* It costs others a moment, and nothing else. */
Test(turn, may_be_squatted)
{
    leave_time_wait(WITH_SHIM, ADDRESS);
    cr_assert_geq(take_name(), 0);
    struct host host = start_host(WITH_SHIM);
    const int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, ADDRESS));
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(host_port(&host, fd), 9999);
    EXPECT_VALUE(count_reports(&host.process, "rescued"), 1);
}

/* A process that is stopped while it has the turn: nobody waits for it. */
Test(turn, is_not_waited_for_where_its_holder_is_stopped)
{
    leave_time_wait(WITH_SHIM, ADDRESS);
    const pid_t stopped = fork();
    if (stopped == 0) {
        if (take_name() >= 0) {
            raise(SIGSTOP);
        }
        _exit(1);
    }
    int status;
    cr_assert_eq(waitpid(stopped, &status, WUNTRACED), stopped);
    cr_assert(WIFSTOPPED(status));
    struct host host = start_host(WITH_SHIM);
    const int fd = host_tcp_socket(&host);
    EXPECT_SUCCESS(host_bind(&host, fd, ADDRESS));
    EXPECT_SUCCESS(host_listen(&host, fd));
    EXPECT_VALUE(host_port(&host, fd), 9999);
    kill(stopped, SIGKILL);
    waitpid(stopped, &status, 0);
}

/* Nor is one port's turn another's. */
Test(turn, is_of_one_port)
{
    leave_time_wait(WITH_SHIM, "0.0.0.0:8888");
    cr_assert_geq(take_name(), 0);
    struct host host = start_host(WITH_SHIM);
    struct system_calls calls;
    const int fd = host_tcp_socket(&host);
    host.trace = &calls;
    EXPECT_SUCCESS(host_bind(&host, fd, "0.0.0.0:8888"));
    cr_assert_eq(count_calls(&calls, SYS_ppoll), 1, "it waits for another port's turn:%s",
                 describe_calls(&calls));
}
