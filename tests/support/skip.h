/*
 * Ending a test that this machine cannot run. The reason is printed, whatever the test runner's
 * options are: a test that was not run must not look like one that passed.
 */
#ifndef LIBREUSE_TESTS_SKIP_H
#define LIBREUSE_TESTS_SKIP_H

#include <criterion/criterion.h>
#include <stdio.h>

#define skip_because(...)                                                                          \
    do {                                                                                           \
        fprintf(stderr, "SKIPPED: %s::%s: ", criterion_current_test->category,                     \
                criterion_current_test->name);                                                     \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputs("\n", stderr);                                                                       \
        cr_skip_test(__VA_ARGS__);                                                                 \
    } while (0)

#endif
