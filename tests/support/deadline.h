/*
 * Waiting for something that another process or the kernel does: the condition is looked at every
 * millisecond, and the running test fails, naming the condition, when it does not come true.
 */
#ifndef LIBREUSE_TESTS_DEADLINE_H
#define LIBREUSE_TESTS_DEADLINE_H

#include <criterion/criterion.h>
#include <stdbool.h>
#include <time.h>

/* Far more than a loaded machine needs: a deadline ends a broken run, it does not measure. */
#define DEADLINE_SECONDS 10

static inline bool has_passed(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec - start->tv_sec > DEADLINE_SECONDS;
}

static inline void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        struct timespec start_;                                                                    \
        clock_gettime(CLOCK_MONOTONIC, &start_);                                                   \
        while (!(condition)) {                                                                     \
            cr_assert(!has_passed(&start_), "this did not come true in %d s: %s",                  \
                      DEADLINE_SECONDS, #condition);                                               \
            pause_briefly();                                                                       \
        }                                                                                          \
    } while (0)

#endif
