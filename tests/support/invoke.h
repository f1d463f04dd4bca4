/*
 * Running the libreuse command, as root and as nobody, and looking at what it says. What goes wrong
 * here fails the running test, with everything that the command wrote.
 */
#ifndef LIBREUSE_TESTS_INVOKE_H
#define LIBREUSE_TESTS_INVOKE_H

#include "process.h"

#define LIBREUSE_PATH BUILD_FOLDER "/libreuse"

/* Runs libreuse with these arguments, and asserts that it ends with this status. */
#define LIBREUSE(status, ...) invoke(status, (const char *const[]){__VA_ARGS__, NULL})

/* The same as a user without any rights. The test ends as skipped where that cannot be. */
#define LIBREUSE_AS_NOBODY(status, ...)                                                            \
    invoke_as_nobody(status, (const char *const[]){__VA_ARGS__, NULL})

struct process invoke(int status, const char *const arguments[]);
struct process invoke_as_nobody(int status, const char *const arguments[]);

/* Asserts that the command wrote, or did not write, this text to its output. */
void expect_said(const struct process *process, const char *text);
void expect_not_said(const struct process *process, const char *text);

/* The same about its errors. */
void expect_complaint(const struct process *process, const char *text);

/* Asserts that one line of the output has all of these words. */
#define EXPECT_LINE(process, ...) expect_line(process, (const char *const[]){__VA_ARGS__, NULL})
void expect_line(const struct process *process, const char *const words[]);

/* A number as text, which lives until the test ends. */
const char *text_of(long number);

#endif
