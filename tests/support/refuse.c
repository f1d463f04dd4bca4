#include "refuse.h"

#include "filter.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void refuse(int number, int64_t first_argument, int error)
{
    cr_assert_eq(
        filter_system_call(number, first_argument, SECCOMP_RET_ERRNO | (unsigned int)error), 0,
        "seccomp: %s", strerror(errno));
}

/* qemu's user mode has no filters for system calls, but also no netlink about sockets. */
static bool has_netlink(void)
{
    const int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    const bool refused = fd < 0 && errno == EPROTONOSUPPORT;
    close(fd);
    return !refused;
}

void refuse_netlink(int error)
{
    if (!has_netlink()) {
        return;
    }
    refuse(SYS_socket, AF_NETLINK, error);
#ifdef SYS_socketcall
    /* Whose socket it is, a filter cannot see there; recvmsg(2) is only for netlink. */
    refuse(SYS_socketcall, SYS_RECVMSG, error);
#endif
}

void refuse_clock(void)
{
    refuse(SYS_clock_gettime, FILTER_ANY, EPERM);
}

void hide_proc(void)
{
    char folder[] = "/tmp/libreuse.XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    const int outside = chdir(folder);
    cr_assert(outside == 0 && rmdir(folder) == 0);
    cr_assert_eq(chroot("."), 0, "chroot: %s", strerror(errno));
}
