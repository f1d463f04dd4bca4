/*
 * The part of Criterion's interface that tests/unit uses, for architectures whose programs run
 * under an emulator. There Criterion is to be had for some architectures only, and starts its tests
 * as programs of their own, which a kernel without the emulator's help cannot execute.
 *
 * Each test runs in a forked child. Natively the same tests run under the real Criterion.
 */
#ifndef LIBREUSE_TESTS_CROSS_CRITERION_H
#define LIBREUSE_TESTS_CROSS_CRITERION_H

/* As in Criterion's own header: the macros leave arguments out that pedants want. */
#pragma GCC system_header

#include <stddef.h>
#include <string.h>

/* A test, or a suite: that has no name and no function. */
struct stand_in_test {
    void (*init)(void);
    void (*fini)(void);
    const char *category; /* the suite */
    const char *name;
    void (*function)(void);
    struct stand_in_test *next;
};

extern const struct stand_in_test *criterion_current_test;

void stand_in_register(struct stand_in_test *test);
__attribute__((noreturn, format(printf, 4, 5))) void
stand_in_fail(const char *file, int line, const char *expected, const char *format, ...);
__attribute__((noreturn)) void stand_in_skip(void);

#define STAND_IN_REGISTERED(identifier, ...)                                                       \
    static struct stand_in_test stand_in_##identifier = {__VA_ARGS__};                             \
    __attribute__((constructor)) static void stand_in_register_##identifier(void)                  \
    {                                                                                              \
        stand_in_register(&stand_in_##identifier);                                                 \
    }

#define TestSuite(suite_, ...)                                                                     \
    STAND_IN_REGISTERED(suite_, .category = #suite_, __VA_ARGS__)                                  \
    struct stand_in_test /* takes the semicolon */

#define Test(suite_, name_, ...)                                                                   \
    static void stand_in_run_##suite_##_##name_(void);                                             \
    STAND_IN_REGISTERED(suite_##_##name_, .category = #suite_, .name = #name_,                     \
                        .function = stand_in_run_##suite_##_##name_, __VA_ARGS__)                  \
    static void stand_in_run_##suite_##_##name_(void)

#define STAND_IN_ASSERT(condition, text, ...)                                                      \
    ((condition) ? (void)0 : stand_in_fail(__FILE__, __LINE__, text, "" __VA_ARGS__))

#define cr_assert(condition, ...) STAND_IN_ASSERT((condition), #condition, __VA_ARGS__)
#define cr_assert_not(condition, ...)                                                              \
    STAND_IN_ASSERT(!(condition), "!(" #condition ")", __VA_ARGS__)
#define cr_assert_fail(...)           stand_in_fail(__FILE__, __LINE__, "this is not reached", "" __VA_ARGS__)
#define cr_assert_eq(a, b, ...)       STAND_IN_ASSERT((a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...)      STAND_IN_ASSERT((a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...)       STAND_IN_ASSERT((a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...)      STAND_IN_ASSERT((a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...)       STAND_IN_ASSERT((a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...)      STAND_IN_ASSERT((a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(a, ...)        STAND_IN_ASSERT((a) == NULL, #a " == NULL", __VA_ARGS__)
#define cr_assert_not_null(a, ...)    STAND_IN_ASSERT((a) != NULL, #a " != NULL", __VA_ARGS__)
#define cr_expect_eq(a, b, ...)       cr_assert_eq(a, b, __VA_ARGS__)
#define cr_expect_not(condition, ...) cr_assert_not(condition, __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...)                                                          \
    STAND_IN_ASSERT(memcmp(a, b, size) == 0, #a " has the bytes of " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) STAND_IN_SAME_TEXT(a, b, #a)
#define cr_assert_str_neq(a, b, ...)                                                               \
    STAND_IN_ASSERT(strcmp(a, b) != 0, #a " differs from " #b, __VA_ARGS__)
#define cr_assert_str_empty(a, ...) STAND_IN_SAME_TEXT(a, "", #a)
#define cr_skip_test(...)           stand_in_skip()

#define STAND_IN_SAME_TEXT(a, b, text)                                                             \
    do {                                                                                           \
        const char *stand_in_a = (a);                                                              \
        const char *stand_in_b = (b);                                                              \
        STAND_IN_ASSERT(strcmp(stand_in_a, stand_in_b) == 0, text, "\"%s\" instead of \"%s\"",     \
                        stand_in_a, stand_in_b);                                                   \
    } while (0)

#endif
