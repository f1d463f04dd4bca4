#include "sockets/remote.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(remote);

static uint64_t inode_of(int fd)
{
    struct stat file;
    cr_assert_eq(fstat(fd, &file), 0);
    return file.st_ino;
}

Test(remote, gives_a_copy_of_the_socket_itself)
{
    struct remote remote = REMOTE_NONE;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const int copy = remote_socket(&remote, getpid(), fd, inode_of(fd));
    cr_assert_geq(copy, 0, "%s", strerror(errno));
    cr_assert_neq(copy, fd);
    cr_assert_eq(inode_of(copy), inode_of(fd));
    remote_close(&remote);
    remote_close(&remote);
}

Test(remote, does_not_take_another_socket_that_has_the_number_by_now)
{
    struct remote remote = REMOTE_NONE;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const uint64_t inode = inode_of(fd);
    close(fd);
    cr_assert_eq(socket(AF_INET, SOCK_STREAM, 0), fd, "the number should be used again");
    const int next = dup(fd);
    close(next);
    cr_assert_eq(remote_socket(&remote, getpid(), fd, inode), -1);
    cr_assert_eq(errno, EBADF);
    remote_close(&remote);
    cr_assert_eq(dup(fd), next, "nothing stays open");
}

Test(remote, says_that_a_process_is_gone)
{
    struct remote remote = REMOTE_NONE;
    const int larger_than_any = 1 << 30;
    cr_assert_eq(remote_socket(&remote, larger_than_any, 0, 1), -1);
    const int error = errno;
    char *why = remote_explain(larger_than_any, error);
    cr_assert_eq(error, ESRCH);
    cr_assert_str_eq(why, "it is gone by now: run this again");
    free(why);
    remote_close(&remote);
}
