/*
 * The part of Criterion's redirections that tests/unit uses: see criterion.h beside this.
 */
#ifndef LIBREUSE_TESTS_CROSS_REDIRECT_H
#define LIBREUSE_TESTS_CROSS_REDIRECT_H

#include <criterion/criterion.h>

/* What is written to this descriptor from now on is kept; and what that was until now. */
void cr_redirect_stdout(void);
void cr_redirect_stderr(void);
const char *stand_in_output(void);

#define cr_assert_stdout_eq_str(text) STAND_IN_SAME_TEXT(stand_in_output(), text, "stdout")
#define cr_assert_stderr_eq_str(text) STAND_IN_SAME_TEXT(stand_in_output(), text, "stderr")

#endif
