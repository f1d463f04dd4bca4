/* cli/terminal/metrics.c: metrics in the text format of Prometheus. */
#include "terminal/metrics.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>

Test(metrics, are_escaped_and_there_once, .init = cr_redirect_stdout)
{
    const struct label hostile[] = {{"name", "a\"b\\c\nd\xff"}, {"other", ""}};
    const struct label plain = {"name", "plain"};
    struct metrics metrics = {0};
    metrics_family(&metrics, "first_family", "What it is.");
    metrics_sample(&metrics, hostile, 2, -1);
    metrics_sample(&metrics, &plain, 1, 2);
    metrics_sample(&metrics, hostile, 2, 3);
    metrics_family(&metrics, "second_family", "Another.");
    metrics_sample(&metrics, NULL, 0, INT64_MAX);
    metrics_sample(&metrics, NULL, 0, 4);
    metrics_end(&metrics);
    fflush(stdout);
    cr_assert_stdout_eq_str("# HELP first_family What it is.\n"
                            "# TYPE first_family gauge\n"
                            "first_family{name=\"a\\\"b\\\\c\\\\x0ad\\\\xff\",other=\"\"} -1\n"
                            "first_family{name=\"plain\"} 2\n"
                            "# HELP second_family Another.\n"
                            "# TYPE second_family gauge\n"
                            "second_family 9223372036854775807\n"
                            "# EOF\n");
}
