/*
 * bind() and listen(): the only two functions that the shim exports, and the whole rule.
 *
 * A call that succeeds keeps the errno that it found, one that fails has the kernel's. The rare
 * paths stand in functions of their own, so that a call in which nothing failed needs little stack.
 */
#include "config.h"
#include "failures.h"
#include "next.h"
#include "report.h"
#include "reuse.h"
#include "sink.h"

#include <errno.h>
#include <sys/socket.h>

#define EXPORTED __attribute__((visibility("default")))
#define RARE     __attribute__((noinline, cold))

RARE static void recovered(int fd)
{
    struct failure failure;
    if (failures_take(fd, &failure)) {
        report_recovered(fd, &failure);
    }
}

RARE static void swallowed(int fd)
{
    struct failure failure;
    if (failures_take(fd, &failure)) {
        report_swallowed(fd, &failure);
    }
}

/* The kernel has refused, with `error`: the answer is that, unless SO_REUSEADDR helps. */
RARE static bool rescued(int fd, const struct sockaddr *addr, socklen_t len, int error)
{
    struct address asked;
    address_copy(&asked, addr, len);
    enum rescue rescue = RESCUE_NO_USE;
    if (error == EADDRINUSE) {
        address_complete(&asked);
        rescue = reuse_rescue(fd, addr, len, address_port(&asked));
    }
    if (rescue == RESCUE_WORKED) {
        report_rescued(&asked);
        return true;
    }
    failures_remember(fd, &asked, error);
    report_bind_failed(&asked, error, rescue);
    return false;
}

/* With _GNU_SOURCE, glibc declares the address as a transparent union of all address types. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
EXPORTED int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    const int errno_before = errno;
    report_first_call();
    if (next_bind(fd, addr, len) != 0) {
        const int error = errno;
        if (!rescued(fd, addr, len, error)) {
            errno = error;
            return -1;
        }
    }
    if (failures_any()) {
        recovered(fd);
    }
    errno = errno_before;
    return 0;
}
#pragma GCC diagnostic pop

EXPORTED int listen(int fd, int backlog)
{
    const int errno_before = errno;
    report_first_call();
    const enum arming arming = reuse_arm(fd);
    if (next_listen(fd, backlog) != 0) {
        const int error = errno;
        if (arming == ARMING_UNSURE) {
            reuse_disarm(fd);
        }
        report_listen_failed(fd, error);
        errno = error;
        return -1;
    }
    if (failures_any()) {
        swallowed(fd);
    }
    if (arming != ARMING_NONE) {
        report_listening(fd);
    }
    errno = errno_before;
    return 0;
}

/* Functions that are called even earlier do for themselves what is missing. */
__attribute__((constructor)) static void load(void)
{
    const int errno_before = errno;
    next_resolve();
    config_load();
    sink_prepare();
    report_prepare();
    errno = errno_before;
}
