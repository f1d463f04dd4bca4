#include "namespace.h"

#include "port.h"
#include "stage.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int bring_up_loopback(void)
{
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error = ioctl(fd, SIOCSIFFLAGS, &loopback) == 0 ? 0 : errno;

    close(fd);
    return error;
}

/*
 * The viewer becomes root of the user namespace, so that the programs that the demo starts may do
 * there what the demo may: "libreuse free". Where the map cannot be written, they may not.
 */
static void become_root(uid_t viewer)
{
    char map[sizeof("0 4294967295 1")];
    int length = snprintf(map, sizeof(map), "0 %u 1", viewer);
    int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && write(fd, map, (size_t)length) != length)
        warn("cannot become root of the namespace");
    close(fd);
}

static int try_to_enter(void)
{
    uid_t viewer = geteuid();

    if (unshare(CLONE_NEWNET) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
            return errno;
        become_root(viewer);
    }
    return bring_up_loopback();
}

/* Tried in a child first, because there is no way back out of a namespace that is of no use. */
static int enter_namespace(void)
{
    int status = 0;
    pid_t child = fork();

    if (child == 0)
        _exit(try_to_enter());
    if (child < 0 || waitpid(child, &status, 0) != child)
        return errno;
    if (!WIFEXITED(status))
        return EPERM; /* it was killed for what it tried */
    return WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : try_to_enter();
}

static void check_that_port_is_free(unsigned port)
{
    int error = bind_error(port);

    if (error == 0)
        return;
    warnx("port %u is not free: %s", port, strerror(error));
    errx(EXIT_FAILURE, "end what has it (ss -tanp shows that), or wait, or run the demo where it "
                       "can have a network namespace");
}

void find_a_place(bool want_namespace)
{
    int error = want_namespace ? enter_namespace() : 0;

    if (want_namespace && error == 0) {
        printf("It runs in a network namespace of its own and touches no port of this machine.\n");
        return;
    }
    if (want_namespace)
        printf("It cannot have a network namespace of its own: %s.\n",
               error == ENOSPC ? "a limit in /proc/sys/user is reached" : strerror(error));
    printf("It uses ports %d and %d of this machine's own loopback.\n", SERVER1_PORT, SERVER2_PORT);
    check_that_port_is_free(SERVER1_PORT);
    check_that_port_is_free(SERVER2_PORT);
}
