#include "metrics.h"

#include "output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void forget(struct metrics *metrics)
{
    for (size_t i = 0; i < metrics->count; i++) {
        free(metrics->series[i]);
    }
    free(metrics->series);
    *metrics = (struct metrics){0};
}

/* Printable text has no newline, so that a backslash and a quote are all that is to be escaped. */
static char *escape(const char *text)
{
    char *printable = output_printable(text);
    char *escaped = output_allocate(2 * strlen(printable) + 1, 1);
    char *to = escaped;
    for (const char *from = printable; *from != '\0'; from++) {
        if (*from == '\\' || *from == '"') {
            *to++ = '\\';
        }
        *to++ = *from;
    }
    free(printable);
    return escaped;
}

/* FAMILY{NAME="VALUE",...} */
static char *series_of(const char *family, const struct label *labels, size_t count)
{
    char *series = output_format("%s%s", family, count > 0 ? "{" : "");
    for (size_t i = 0; i < count; i++) {
        char *value = escape(labels[i].value);
        char *longer = output_format("%s%s=\"%s\"%s", series, labels[i].name, value,
                                     i + 1 < count ? "," : "}");
        free(value);
        free(series);
        series = longer;
    }
    return series;
}

void metrics_family(struct metrics *metrics, const char *name, const char *help)
{
    forget(metrics);
    metrics->family = name;
    output_text(TONE_PLAIN, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

void metrics_sample(struct metrics *metrics, const struct label *labels, size_t count,
                    int64_t value)
{
    char *series = series_of(metrics->family, labels, count);
    for (size_t i = 0; i < metrics->count; i++) {
        if (strcmp(metrics->series[i], series) == 0) {
            free(series);
            return;
        }
    }
    output_text(TONE_PLAIN, "%s %" PRId64 "\n", series, value);
    metrics->series =
        output_reallocate(metrics->series, metrics->count + 1, sizeof metrics->series[0]);
    metrics->series[metrics->count++] = series;
}

void metrics_end(struct metrics *metrics)
{
    forget(metrics);
    output_text(TONE_PLAIN, "# EOF\n");
}
