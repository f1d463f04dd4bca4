/*
 * Metrics to standard output, in the text format of Prometheus that is OpenMetrics as well: for the
 * textfile collector of node_exporter. All of them are gauges. A text of somebody else is made
 * printable and escaped as the format asks, so that no name can break a line; and of samples with
 * the same labels, which the format forbids, the first counts.
 *
 *     struct metrics metrics = {0};
 *     metrics_family(&metrics, "libreuse_listeners", "Listening TCP sockets, by verdict.");
 *     metrics_sample(&metrics, labels, 1, 3);
 *     ...
 *     metrics_end(&metrics);
 */
#ifndef LIBREUSE_METRICS_H
#define LIBREUSE_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct label {
    const char *name;
    const char *value;
};

struct metrics {
    const char *family;
    char **series; /* of this family that are written */
    size_t count;
};

/* What the samples after it belong to: its lines HELP and TYPE. */
void metrics_family(struct metrics *metrics, const char *name, const char *help);

void metrics_sample(struct metrics *metrics, const struct label *labels, size_t count,
                    int64_t value);

/* The last line: a file without it is not whole. */
void metrics_end(struct metrics *metrics);

#endif
