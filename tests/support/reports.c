#include "reports.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Counts the lines of the process that begin so; `last` is what follows in the last of them. */
static unsigned find_lines(const struct process *process, const char *beginning, char **last)
{
    char prefix[512];
    int length = snprintf(prefix, sizeof prefix, "libreuse: %s[%d]: %s", process->name,
                          (int)process->pid, beginning);
    cr_assert_lt((size_t)length, sizeof prefix, "too long: %s", beginning);

    unsigned found = 0;
    char *text = errors_of(process);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strncmp(line, prefix, (size_t)length) == 0) {
            found++;
            *last = line + length;
        }
    }
    return found;
}

unsigned count_reports(const struct process *process, const char *event)
{
    char beginning[64];
    char *last;
    snprintf(beginning, sizeof beginning, "%s: ", event);
    return find_lines(process, beginning, &last);
}

const char *expect_report(const struct process *process, const char *beginning)
{
    char *rest = NULL;
    unsigned found = find_lines(process, beginning, &rest);
    cr_assert_eq(found, 1, "%u reports of %s[%d] begin with \"%s\", not 1; it wrote:\n%s", found,
                 process->name, (int)process->pid, beginning, errors_of(process));
    return rest;
}

const char *last_report(const struct process *process, const char *beginning)
{
    char *rest = NULL;
    find_lines(process, beginning, &rest);
    cr_assert_not_null(rest, "no report of %s[%d] begins with \"%s\"; it wrote:\n%s", process->name,
                       (int)process->pid, beginning, errors_of(process));
    return rest;
}

bool is_not_found_in_time(const char *rest, unsigned tries)
{
    if (strstr(rest, "not found in time") == NULL || tries >= MOST_TRIES) {
        return false;
    }
    nanosleep(&(struct timespec){.tv_sec = tries / 10, .tv_nsec = 1000000L << (tries % 10)}, NULL);
    return true;
}

void expect_words(const char *rest, const char *words)
{
    cr_assert_not_null(strstr(rest, words), "\"%s\" is not in this report: %s", words, rest);
}

void expect_no_words(const char *rest, const char *words)
{
    cr_assert_null(strstr(rest, words), "\"%s\" is in this report: %s", words, rest);
}

unsigned long number_after(const char *rest, const char *words)
{
    expect_words(rest, words);
    const char *number = strstr(rest, words) + strlen(words);
    char *end;
    unsigned long value = strtoul(number, &end, 10);
    cr_assert(end != number, "no number follows \"%s\" in this report: %s", words, rest);
    return value;
}

void expect_silence(const struct process *process)
{
    char *text = errors_of(process);
    cr_assert_str_empty(text, "%s should have written nothing, but wrote:\n%s", process->name,
                        text);
}
