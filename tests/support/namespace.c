#include "namespace.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

/* Runs before the test runner has started a thread. A failure shows in enter_private_network(). */
__attribute__((constructor)) static void become_root_of_a_user_namespace(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (uid == 0 || unshare(CLONE_NEWUSER) != 0) {
        return;
    }
    char map[64];
    snprintf(map, sizeof map, "0 %u 1", uid);
    write_file("/proc/self/uid_map", map);
    write_file("/proc/self/setgroups", "deny");
    snprintf(map, sizeof map, "0 %u 1", gid);
    write_file("/proc/self/gid_map", map);
}

void enter_private_network(void)
{
    cr_assert_eq(unshare(CLONE_NEWNET), 0,
                 "this test needs a network namespace of its own and unshare(CLONE_NEWNET) failed: "
                 "%s; run the tests as root, or allow user namespaces "
                 "(kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)",
                 strerror(errno));
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &loopback), 0, "cannot bring loopback up: %s",
                 strerror(errno));
    close(fd);

    /*
     * A TIME_WAIT socket ends early when a reset reaches it (RFC 1337), and on a busy machine one
     * does: a segment that was sent twice is answered by a peer that is gone already. Where this
     * cannot be set the tests still run.
     */
    write_file("/proc/sys/net/ipv4/tcp_rfc1337", "1");
}
