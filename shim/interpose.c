/*
 * bind() and listen(): the only two functions that the shim exports, and the whole rule. Where the
 * library is loaded twice, the first copy does it.
 *
 * A call that succeeds keeps the errno that it found, one that fails has the kernel's. The rare
 * paths stand in functions of their own, so that a call in which nothing failed needs little stack.
 */
#include "guest/config.h"
#include "guest/kernel.h"
#include "report/format.h"
#include "report/ledger.h"
#include "report/report.h"
#include "report/sink.h"
#include "rule/failures.h"
#include "rule/next.h"
#include "rule/reuse.h"
#include "rule/wait.h"

#include <errno.h>
#include <sys/socket.h>
#include <sysexits.h>

#define EXPORTED __attribute__((visibility("default")))
#define RARE     __attribute__((noinline, cold))

/* For next.c: a name of this copy's function that nobody else can take. */
#define OTHER_NAME_OF(name) __attribute__((alias(name), visibility("hidden"), nothrow, leaf))

RARE static void bound_after_failure(int fd)
{
    struct failure failure;
    if (failures_take(fd, &failure)) {
        report_recovered_or_moved(fd, &failure);
    }
}

/* The kernel has refused, with `error`. True where the socket is bound all the same. */
RARE static bool rescued(int fd, const struct sockaddr *addr, socklen_t len, int *error)
{
    struct address asked;
    address_copy(&asked, addr, len);
    enum rescue rescue = RESCUE_NO_USE;
    if (*error == EADDRINUSE) {
        address_complete(&asked);
        rescue = reuse_rescue(fd, addr, len, address_port(&asked));
        if (wait_is_wanted(rescue)) {
            failures_remember(fd, &asked, *error);
            if (wait_for_port(fd, addr, len, &asked, &rescue, error) && rescue == RESCUE_FREE) {
                return true;
            }
        }
    }
    if (rescue == RESCUE_WORKED) {
        report_rescued(fd, &asked);
        return true;
    }
    failures_remember(fd, &asked, *error);
    report_bind_failed(fd, &asked, *error, rescue);
    return false;
}

/* Before listen(): whether a failed bind() is all that this socket has had. */
RARE static bool is_swallowing(int fd)
{
    struct failure failure;
    struct address now;
    address_of_socket(&now, fd);
    return address_is_any_port(&now) && failures_recall(fd, &failure);
}

/* LIBREUSE_SWALLOWED: whether the program is kept from listening. */
RARE static bool kept_from_listening(int fd)
{
    struct failure failure;
    if (config_swallowed() == SWALLOWED_LOG || config_dry_run() || !failures_recall(fd, &failure)) {
        return false;
    }
    report_kept_from_listening(fd, &failure);
    if (config_swallowed() == SWALLOWED_EXIT) {
        kernel_exit(EX_TEMPFAIL);
    }
    errno = failure.error;
    return true;
}

/* After listen(): what had failed on this socket is told if it mattered, and forgotten. */
RARE static void listens_after_failure(int fd, bool swallows)
{
    struct failure failure;
    struct address now;
    if (failures_take(fd, &failure) && swallows) {
        address_of_socket(&now, fd);
        report_swallowed(fd, &failure, &now);
    }
}

/* With _GNU_SOURCE, glibc declares the address as a transparent union of all address types. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
EXPORTED int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    if (!next_is_first_copy()) {
        return next_bind(fd, addr, len);
    }
    const int errno_before = errno;
    report_first_call();
    if (next_bind(fd, addr, len) != 0) {
        int error = errno;
        if (!rescued(fd, addr, len, &error)) {
            errno = error;
            return -1;
        }
    }
    if (failures_any()) {
        bound_after_failure(fd);
    }
    errno = errno_before;
    return 0;
}
extern __typeof__(bind) own_bind OTHER_NAME_OF("bind");
#pragma GCC diagnostic pop

EXPORTED int listen(int fd, int backlog)
{
    if (!next_is_first_copy()) {
        return next_listen(fd, backlog);
    }
    const int errno_before = errno;
    report_first_call();
    const bool swallows = failures_any() && is_swallowing(fd);
    if (swallows && kept_from_listening(fd)) {
        return -1;
    }
    bool armed = false;
    if (next_listen(fd, backlog) == 0) {
        armed = reuse_arm(fd);
    } else {
        const int error = errno;
        const enum rescue rescue = error == EADDRINUSE ? reuse_listen(fd, backlog) : RESCUE_NOT_TCP;
        armed = rescue == RESCUE_WORKED;
        if (!armed) {
            report_listen_failed(fd, error, rescue);
            errno = error;
            return -1;
        }
    }
    if (failures_any()) {
        listens_after_failure(fd, swallows);
    }
    if (armed) {
        report_listening(fd);
    }
    errno = errno_before;
    return 0;
}

extern __typeof__(listen) own_listen OTHER_NAME_OF("listen");

/* Functions that are called even earlier do for themselves what is missing. */
__attribute__((constructor)) static void load(void)
{
    const int errno_before = errno;
    next_resolve();
    config_load();
    sink_prepare();
    format_prepare();
    ledger_prepare();
    errno = errno_before;
}
