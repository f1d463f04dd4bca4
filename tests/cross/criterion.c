/*
 * The runner behind tests/cross/criterion/criterion.h: runs every test and counts. The last line
 * has the form of Criterion's own, and the exit status is 1 where a test failed.
 */
#include "not_emulated.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* How a test's process ends. Anything else is a failure, too. */
enum { PASSED = 0, FAILED = 1, SKIPPED = 77 };

#define LONGEST_TEST_SECONDS 60

#define IS_BIG_ENDIAN        (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

static struct stand_in_test *all;
const struct stand_in_test *criterion_current_test;
static const struct stand_in_test *suite_of_running;
static int output = -1;

void stand_in_register(struct stand_in_test *test)
{
    test->next = all;
    all = test;
}

__attribute__((noreturn)) static void end_test(int status)
{
    if (criterion_current_test->fini != NULL) {
        criterion_current_test->fini();
    }
    if (suite_of_running->fini != NULL) {
        suite_of_running->fini();
    }
    exit(status);
}

void stand_in_fail(const char *file, int line, const char *expected, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (output == STDOUT_FILENO) {
        dup2(STDERR_FILENO, STDOUT_FILENO);
    }
    printf("%s:%d: not so: %s\nFAILED %s::%s: %s\n", file, line, expected,
           criterion_current_test->category, criterion_current_test->name, text);
    end_test(FAILED);
}

/* Who skips a test says why. */
void stand_in_skip(void)
{
    end_test(SKIPPED);
}

static void redirect(int fd)
{
    output = fd;
    const int file = memfd_create("output", MFD_CLOEXEC);
    if (file < 0 || dup2(file, fd) != fd) {
        cr_assert_fail("cannot redirect descriptor %d", fd);
    }
}

void cr_redirect_stdout(void)
{
    redirect(STDOUT_FILENO);
}

void cr_redirect_stderr(void)
{
    redirect(STDERR_FILENO);
}

const char *stand_in_output(void)
{
    static char text[65536];
    const ssize_t size = pread(output, text, sizeof text - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

/* A suite that is not declared has neither init nor fini. */
static const struct stand_in_test *find_suite(const char *name)
{
    static const struct stand_in_test none;
    for (const struct stand_in_test *suite = all; suite != NULL; suite = suite->next) {
        if (suite->function == NULL && strcmp(suite->category, name) == 0) {
            return suite;
        }
    }
    return &none;
}

__attribute__((noreturn)) static void run_in_child(const struct stand_in_test *test)
{
    alarm(LONGEST_TEST_SECONDS);
    criterion_current_test = test;
    suite_of_running = find_suite(test->category);
    if (suite_of_running->init != NULL) {
        suite_of_running->init();
    }
    if (test->init != NULL) {
        test->init();
    }
    test->function();
    end_test(PASSED);
}

static int run(const struct stand_in_test *test)
{
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        run_in_child(test);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror("cannot run a test");
        return FAILED;
    }
    if (WIFSIGNALED(status)) {
        printf("FAILED %s::%s: killed by signal %d\n", test->category, test->name,
               WTERMSIG(status));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}

int main(void)
{
    unsigned passed = 0;
    unsigned failed = 0;
    for (const struct stand_in_test *test = all; test != NULL; test = test->next) {
        if (test->function == NULL ||
            announce_not_emulated(test->category, test->name, IS_BIG_ENDIAN)) {
            continue;
        }
        const int status = run(test);
        passed += status == PASSED;
        failed += status != PASSED && status != SKIPPED;
    }
    printf("Synthesis: Tested: %u | Passing: %u | Failing: %u\n", passed + failed, passed, failed);
    return passed > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
