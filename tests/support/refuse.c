#include "refuse.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void install(struct sock_filter *filter, size_t size)
{
    const struct sock_fprog program = {(unsigned short)(size / sizeof *filter), filter};
    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0, "seccomp: %s",
                 strerror(errno));
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
    const unsigned int lower_half = __BYTE_ORDER == __BIG_ENDIAN ? sizeof(uint32_t) : 0;
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + lower_half),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_NETLINK, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned int)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    install(filter, sizeof filter);
}

void refuse_clock(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    install(filter, sizeof filter);
}

void hide_proc(void)
{
    char folder[] = "/tmp/libreuse.XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    const int outside = chdir(folder);
    cr_assert(outside == 0 && rmdir(folder) == 0);
    cr_assert_eq(chroot("."), 0, "chroot: %s", strerror(errno));
}
