#include "invoke.h"

#include "deadline.h"
#include "skip.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum { MOST_ARGUMENTS = sizeof((struct program *)NULL)->arguments / sizeof(char *) - 1 };

static void add_arguments(struct program *program, size_t first, const char *const arguments[])
{
    for (size_t i = 0; arguments[i] != NULL; i++) {
        cr_assert_lt(first + i, (size_t)MOST_ARGUMENTS, "too many arguments");
        program->arguments[first + i] = arguments[i];
    }
}

struct process invoke(int status, const char *const arguments[])
{
    struct program program = {.path = LIBREUSE_PATH};
    add_arguments(&program, 0, arguments);
    struct process process = start(program);
    expect_exit(&process, status);
    return process;
}

static struct process run_as_nobody(const char *const arguments[])
{
    struct program program = {.path = BUILD_FOLDER "/fixtures/as_nobody",
                              .arguments = {LIBREUSE_PATH}};
    add_arguments(&program, 1, arguments);
    struct process process = start(program);
    EVENTUALLY(has_ended(&process));
    return process;
}

/* There must be another user, who can come to the command: not in the root's own folder. */
static void need_nobody(void)
{
    unsigned long users = 0;
    FILE *map = fopen("/proc/self/uid_map", "re");
    if (map == NULL || fscanf(map, "%*u %*u %lu", &users) != 1 || users < 2) {
        skip_because("there is one user in this user namespace: nobody cannot be another one");
    }
    fclose(map);
    struct process process = run_as_nobody((const char *const[]){"--version", NULL});
    if (!WIFEXITED(process.status) || WEXITSTATUS(process.status) != 0) {
        skip_because("nobody cannot run %s: %s", LIBREUSE_PATH, errors_of(&process));
    }
}

struct process invoke_as_nobody(int status, const char *const arguments[])
{
    need_nobody();
    struct process process = run_as_nobody(arguments);
    expect_exit(&process, status);
    return process;
}

void expect_said(const struct process *process, const char *text)
{
    const char *output = output_of(process);
    cr_assert_not_null(strstr(output, text), "\"%s\" is missing in what was said:\n%s%s", text,
                       output, errors_of(process));
}

void expect_not_said(const struct process *process, const char *text)
{
    const char *output = output_of(process);
    cr_assert_null(strstr(output, text), "\"%s\" should not have been said:\n%s", text, output);
}

void expect_complaint(const struct process *process, const char *text)
{
    const char *errors = errors_of(process);
    cr_assert_not_null(strstr(errors, text), "\"%s\" is missing in the errors:\n%s%s", text, errors,
                       output_of(process));
}

static bool has_all(const char *line, const char *const words[])
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strstr(line, words[i]) == NULL) {
            return false;
        }
    }
    return true;
}

void expect_line(const struct process *process, const char *const words[])
{
    char *output = output_of(process);
    char *rest = output;
    for (char *line = strtok_r(output, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        if (has_all(line, words)) {
            return;
        }
    }
    cr_assert_fail("no line has \"%s\", \"%s\" ...:\n%s", words[0],
                   words[1] != NULL ? words[1] : "", output_of(process));
}

const char *text_of(long number)
{
    char *text = NULL;
    cr_assert_geq(asprintf(&text, "%ld", number), 0);
    return text;
}
