/* System calls by the machine's own instruction: the calling convention of each architecture. */
#include "guest/system_call.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ERRNO_BEFORE = 4321 };

Test(system_call, answers_without_an_argument)
{
    cr_assert_eq(system_call(SYS_getppid, 0, 0, 0, 0, 0, 0), getppid());
}

Test(system_call, tells_an_error_and_leaves_errno_alone)
{
    errno = ERRNO_BEFORE;
    cr_assert_eq(system_call(SYS_close, -1, 0, 0, 0, 0, 0), -EBADF);
    cr_assert_eq(errno, ERRNO_BEFORE);
}

Test(system_call, like_syscall_puts_an_error_into_errno_and_nothing_else)
{
    errno = ERRNO_BEFORE;
    cr_assert_eq(SYSTEM_CALL(SYS_getppid), getppid());
    cr_assert_eq(errno, ERRNO_BEFORE);
    cr_assert_eq(SYSTEM_CALL(SYS_close, -1), -1);
    cr_assert_eq(errno, EBADF);
}

Test(system_call, passes_a_negative_answer_that_is_no_error)
{
    errno = ERRNO_BEFORE;
    cr_assert_eq(system_call_result(-4096), -4096);
    cr_assert_eq(errno, ERRNO_BEFORE);
    cr_assert_eq(system_call_result(-4095), -1);
    cr_assert_eq(errno, 4095);
}

Test(system_call, passes_four_arguments)
{
    char target[64] = "";
    cr_assert_eq(symlink("where it points to", "libreuse-link"), 0, "symlink: %s", strerror(errno));
    const long length = SYSTEM_CALL(SYS_readlinkat, AT_FDCWD, "libreuse-link", target, 5);
    unlink("libreuse-link");
    cr_assert_eq(length, 5);
    cr_assert_str_eq(target, "where");
}

/* A datagram that goes to the name given, with the flags given, has had all six right. */
Test(system_call, passes_six_arguments)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0libreuse/six arguments"};
    const socklen_t length = sizeof name;
    const int from = socket(AF_UNIX, SOCK_DGRAM, 0);
    const int to = socket(AF_UNIX, SOCK_DGRAM, 0);
    cr_assert_eq(bind(to, (struct sockaddr *)&name, length), 0, "bind: %s", strerror(errno));
    char text[] = "six arguments";
    cr_assert_eq(SYSTEM_CALL(SYS_sendto, from, text, 3, MSG_DONTWAIT, &name, length), 3);
    char received[sizeof text] = "";
    cr_assert_eq(recv(to, received, sizeof received, MSG_DONTWAIT), 3);
    cr_assert_str_eq(received, "six");

    cr_assert_eq(system_call(SYS_sendto, from, (long)text, 3, MSG_OOB, (long)&name, (long)length),
                 -EOPNOTSUPP, "the fourth is wrong");
    cr_assert_eq(system_call(SYS_sendto, from, (long)text, 3, 0, 0, (long)length), -ENOTCONN,
                 "the fifth is wrong");
    cr_assert_eq(system_call(SYS_sendto, from, (long)text, 3, 0, (long)&name, 1), -EINVAL,
                 "the sixth is wrong");
    close(from);
    close(to);
}
