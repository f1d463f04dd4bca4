/*
 * Runs sequences of socket calls twice, without and with the shim, and what differs alone again:
 * shrunk and printed. What goes wrong here fails the running test.
 */
#ifndef LIBREUSE_TESTS_SEQUENCE_BENCH_H
#define LIBREUSE_TESTS_SEQUENCE_BENCH_H

#include "process.h"
#include "sequence_compare.h"

/* How the shim is to report: whatever it does about that must not show either. */
struct reporting {
    const char *settings[3];
    bool errors_closed;
};

enum { BENCH_WAYS = 4 };
extern const struct reporting bench_reporting[BENCH_WAYS];

struct bench {
    uint64_t seed; /* of the whole test */
    uint64_t count;
    enum shim shim[SIDES];
    const char *group[SIDES]; /* the cgroup.procs of a control group; NULL: the test's own */
    const struct reporting *reporting;
    int files[SIDES];
    struct batch *batches[SIDES];
    int statuses[SIDES];
    char *reports; /* what the right one wrote, after a run of one sequence */
};

/* A sequence that differs, with what came of it. */
struct finding {
    struct difference difference;
    struct sequence sequence;
    struct record records[SIDES];
    bool slow;
};

struct bench bench_create(enum shim right, uint64_t seed, uint64_t count);

/* The next run has no sequences; adds one to it, and returns which one of it it is. */
void bench_clear(struct bench *bench);
uint32_t bench_add(struct bench *bench, const struct sequence *sequence);

/* Runs what has been added, on both sides. */
void bench_run(struct bench *bench);

/* The difference in the run that has been, not judged; whether the sequence was so slow that timers
 * of the kernel may have had a say. */
struct difference bench_difference(const struct bench *bench, uint32_t number);
bool bench_was_slow(const struct bench *bench, uint32_t number);

/* Runs the sequence alone, and once more where the holders of a port have to be known. */
struct difference bench_examine(struct bench *bench, const struct sequence *sequence);

void finding_keep(struct finding *finding, const struct bench *bench, uint32_t number,
                  const struct difference *difference);
void finding_print(const struct finding *finding);
void bench_print_reproduction(const struct bench *bench, uint64_t seed, uint64_t count);

/* Shrinks what differs, prints it, and fails the test. */
__attribute__((noreturn)) void bench_report(struct bench *bench, const struct sequence *found);

#endif
