#include "reports.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void expect_silence(const struct process *process)
{
    char *text = errors_of(process);
    cr_assert_str_empty(text, "%s should have written nothing, but wrote:\n%s", process->name,
                        text);
}
