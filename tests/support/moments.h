/*
 * Times as reports write them, compared with the clock of the test. All of them are UTC.
 */
#ifndef LIBREUSE_TESTS_MOMENTS_H
#define LIBREUSE_TESTS_MOMENTS_H

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Milliseconds since 1970. */
static inline int64_t moment_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Asserts that the text begins with a moment between `since` and now, as RFC 3339 writes it:
 * 2026-11-23T01:20:50.123Z. Returns what follows.
 */
static inline const char *expect_moment(const char *text, int64_t since)
{
    struct tm date = {.tm_isdst = 0};
    int millisecond = -1;
    int length = 0;
    int read =
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &date.tm_year, &date.tm_mon, &date.tm_mday,
               &date.tm_hour, &date.tm_min, &date.tm_sec, &millisecond, &length);
    cr_assert(read == 7 && length == (int)strlen("2026-11-23T01:20:50.123Z"), "no time: %s", text);
    date.tm_year -= 1900;
    date.tm_mon -= 1;
    int64_t moment = (int64_t)timegm(&date) * 1000 + millisecond;
    cr_assert(moment >= since && moment <= moment_now(), "not a moment of this test: %s", text);
    return text + length;
}

/* The same in the form of RFC 3164, which has no year and whole seconds: Nov 23 01:20:50 */
static inline const char *expect_syslog_moment(const char *text, int64_t since)
{
    const size_t length = strlen("Nov 23 01:20:50");
    const time_t last = (time_t)(moment_now() / 1000);
    for (time_t second = (time_t)(since / 1000); second <= last; second++) {
        char expected[32];
        struct tm utc;
        gmtime_r(&second, &utc);
        strftime(expected, sizeof expected, "%b %e %H:%M:%S", &utc);
        if (strncmp(text, expected, length) == 0) {
            return text + length;
        }
    }
    cr_assert_fail("not a moment of this test: %s", text);
    return NULL;
}

#endif
