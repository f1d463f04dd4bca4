#include "wait.h"

#include "failures.h"
#include "guest/config.h"
#include "guest/kernel.h"
#include "lookup/holders.h"
#include "next.h"
#include "report/report.h"

#include <errno.h>

/* How long to sleep between two tries: a listener may go at any time, and so may TIME_WAIT. */
enum { SHORTEST_MS = 10, USUAL_MS = 200, LONGEST_MS = 1000 };

bool wait_is_wanted(enum rescue rescue)
{
    return config_wait() > 0 && (rescue == RESCUE_NO_USE || rescue == RESCUE_PROGRAMS_OWN);
}

/* False where a signal handler has run meanwhile. */
static bool sleep_until(int64_t time, const struct kernel_signals *mask)
{
    for (int64_t now; (now = kernel_milliseconds()) < time && now != 0;) {
        if (!kernel_sleep(time - now, mask)) {
            return false;
        }
    }
    return true;
}

/* TIME_WAIT ends when the kernel says; all else is looked at again soon. */
static int64_t pause_for(const struct holders *holders)
{
    if (holders->total == 0 || holders->total != holders->count[STATE_TIME_WAIT]) {
        return USUAL_MS;
    }
    const int64_t until_free = (int64_t)holders->time_wait_ms + SHORTEST_MS;
    return until_free < LONGEST_MS ? until_free : LONGEST_MS;
}

__attribute__((noinline)) static int64_t next_pause(int fd, const struct address *asked)
{
    struct holders_question question;
    struct holders holders;
    if (!config_explain()) {
        return USUAL_MS;
    }
    holders_ask(&question, fd, asked);
    holders_find(&question, &holders);
    return pause_for(&holders);
}

/*
 * Says that bind() waits, and for how long until the next try. Negative where waiting is in vain: a
 * program that listens on [::] and then binds 0.0.0.0 has itself in the way, and would wait for
 * what it does only after bind() has returned.
 */
__attribute__((noinline)) static int64_t begin(int fd, const struct address *asked,
                                               enum rescue rescue)
{
    struct holders memory;
    const struct holders *holders = report_look_up(fd, asked, &memory);
    if (holders != NULL && holders->total > 0 && holders->named.state == STATE_LISTEN &&
        holders->named.owner.this_process) {
        return -1;
    }
    report_waiting(fd, asked, rescue, holders);
    return holders != NULL ? pause_for(holders) : USUAL_MS;
}

/* With signals held; `mask` is the one to sleep with. */
static bool wait_with_signals_held(int fd, const struct sockaddr *addr, socklen_t len,
                                   const struct address *asked, enum rescue *rescue, int *error,
                                   const struct kernel_signals *mask)
{
    const int64_t end = kernel_milliseconds() + (int64_t)config_wait() * 1000;
    int64_t pause = begin(fd, asked, *rescue);
    if (pause < 0) {
        return false;
    }
    for (int64_t now; (now = kernel_milliseconds()) < end && now != 0; pause = 0) {
        pause = pause != 0 ? pause : next_pause(fd, asked);
        if (!sleep_until(pause < end - now ? now + pause : end, mask)) {
            return false;
        }
        if (next_bind(fd, addr, len) == 0) {
            *rescue = RESCUE_FREE;
            return true;
        }
        if (errno != EADDRINUSE) {
            *error = errno;
            return false;
        }
        *rescue = reuse_rescue(fd, addr, len, address_port(asked));
        if (*rescue == RESCUE_WORKED) {
            return true;
        }
        failures_remember(fd, asked, EADDRINUSE);
    }
    return false;
}

bool wait_for_port(int fd, const struct sockaddr *addr, socklen_t len, const struct address *asked,
                   enum rescue *rescue, int *error)
{
    struct kernel_signals mask;
    const bool held = kernel_hold_signals(&mask);
    const bool bound =
        wait_with_signals_held(fd, addr, len, asked, rescue, error, held ? &mask : NULL);
    if (held) {
        kernel_release_signals(&mask);
    }
    return bound;
}
