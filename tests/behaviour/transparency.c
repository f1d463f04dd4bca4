/*
 * Transparency as a property: random sequences of socket calls, of one process or of two that take
 * turns, are run without and with the shim, and every result, every errno and the state of every
 * socket must be the same. The one difference that the shim is made for is allowed: a refusal
 * because of sockets that are armed and do not listen becomes a success, and sockets that listen,
 * or were accepted, carry SO_REUSEADDR.
 *
 * SEQUENCES=200000 runs more of them, SEED=7 others. What differs is shrunk and printed.
 */
#include "sequence_bench.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SEQUENCES 8000
#define DEFAULT_SEED      1

/* From so many on, a run must have met what it looks for. */
#define ENOUGH_SEQUENCES 1000

#define COUNT(array)     (sizeof(array) / sizeof((array)[0]))

/* ---- settings ---------------------------------------------------------------------------- */

/* Decimal, or hexadecimal after 0x; the whole text, and not 0 or less than 0. */
static bool parse_number(const char *text, uint64_t *number)
{
    const char *digits = text;
    const char *allowed = "0123456789";
    int base = 10;
    if (strncmp(text, "0x", 2) == 0) {
        digits = text + 2;
        allowed = "0123456789abcdefABCDEF";
        base = 16;
    }
    if (digits[0] == '\0' || digits[strspn(digits, allowed)] != '\0') {
        return false;
    }
    errno = 0;
    *number = strtoull(digits, NULL, base);
    return errno == 0 && *number > 0;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    uint64_t number = otherwise;
    cr_assert(text == NULL || parse_number(text, &number),
              "%s=%s: expected a number from 1 to %" PRIu64 ", like %s=%" PRIu64
              " or %s=0x2a; or leave %s out",
              name, text, UINT64_MAX, name, otherwise, name, name);
    return number;
}

Test(transparency, a_number_of_sequences_or_a_seed_is_understood_or_refused)
{
    static const char *const wrong[] = {"",
                                        "0",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1e3",
                                        "12x",
                                        "0x",
                                        "x",
                                        "0xg",
                                        "ten",
                                        "18446744073709551616"};
    uint64_t number = 0;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        cr_expect(!parse_number(wrong[i], &number), "\"%s\" was taken for a number", wrong[i]);
    }
    cr_expect(parse_number("20000", &number) && number == 20000);
    cr_expect(parse_number("0xFFFFFFFFFFFFFFFF", &number) && number == UINT64_MAX);
}

/* ---- many sequences ---------------------------------------------------------------------- */

enum { HIGHEST_ERRNO = 134 };

struct tally {
    uint64_t sequences;
    uint64_t operations;
    uint64_t armed;   /* sequences in which a socket was armed */
    uint64_t rescued; /* sequences that an allowed success has ended */
    uint64_t rescued_listens;
    uint64_t rescued_elsewhere;             /* in the other of the two processes */
    uint64_t repeated;                      /* because they were slow */
    uint64_t results[CALLS][HIGHEST_ERRNO]; /* 0: success */
};

static void count_results(struct tally *tally, const struct sequence *sequence,
                          const struct record *record)
{
    tally->sequences++;
    for (uint32_t i = 0; i < sequence->length; i++) {
        const struct outcome *outcome = &record->outcomes[i];
        const int error = outcome->result >= 0 ? 0 : outcome->error;
        if (error >= 0 && error < HIGHEST_ERRNO) {
            tally->results[sequence->operations[i].call][error]++;
        }
        tally->operations++;
    }
}

static void print_tally(const struct tally *tally, uint64_t seed)
{
    static const enum call calls[] = {CALL_BIND, CALL_LISTEN, CALL_CONNECT, CALL_ACCEPT};
    printf("transparency: SEED=%" PRIu64 ": %" PRIu64 " sequences, %" PRIu64
           " calls; allowed: %" PRIu64 " with armed sockets, %" PRIu64
           " with a refusal that became "
           "a success (%" PRIu64 " in listen(), %" PRIu64
           " in the second of two processes); %" PRIu64 " repeated for slowness\n",
           seed, tally->sequences, tally->operations, tally->armed, tally->rescued,
           tally->rescued_listens, tally->rescued_elsewhere, tally->repeated);
    for (size_t i = 0; i < COUNT(calls); i++) {
        printf("transparency:   %s:", sequence_call_name(calls[i]));
        for (int error = 0; error < HIGHEST_ERRNO; error++) {
            if (tally->results[calls[i]][error] > 0) {
                printf(" %s %" PRIu64, error == 0 ? "success" : sequence_error_name(error),
                       tally->results[calls[i]][error]);
            }
        }
        printf("\n");
    }
    fflush(stdout);
}

/* The sequences of one run that are not alike: to be judged, or different. */
struct suspects {
    uint32_t rescued_count;
    struct sequence rescued[MAX_SEQUENCES];
    uint32_t rescues[MAX_SEQUENCES]; /* the operation */
    uint32_t different_count;
    struct finding different[MAX_SEQUENCES];
};

/* A sequence that differed among others: alone it must differ again, or it was the slowness. */
static void look_closer(struct bench *bench, const struct finding *finding, struct tally *tally)
{
    enum { ATTEMPTS = 20 };
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        const struct difference difference = bench_examine(bench, &finding->sequence);
        if (bench_was_slow(bench, 0)) {
            continue;
        }
        if (difference.likeness == DIFFERENT) {
            bench_report(bench, &finding->sequence);
        }
        if (finding->slow) {
            tally->repeated++;
            tally->rescued += difference.likeness == RESCUED;
            return;
        }
        break;
    }
    printf("transparency: a sequence that differed among others does not differ alone%s:\n\n",
           finding->slow ? ", or the machine is too slow for it" : "");
    finding_print(finding);
    bench_print_reproduction(bench, bench->seed, bench->count);
    fflush(stdout);
    cr_assert_fail("not reproducible alone: %s", finding->difference.text);
}

static void compare_run(const struct bench *bench, struct suspects *suspects, struct tally *tally)
{
    const struct batch *left = bench->batches[LEFT];
    suspects->rescued_count = 0;
    suspects->different_count = 0;
    for (uint32_t i = 0; i < left->count; i++) {
        const struct difference difference = bench_difference(bench, i);
        count_results(tally, &left->sequences[i], &left->records[i]);
        tally->armed += difference.likeness == ARMED;
        if (difference.likeness == RESCUED) {
            suspects->rescued[suspects->rescued_count] = left->sequences[i];
            suspects->rescues[suspects->rescued_count++] = difference.operation;
        } else if (difference.likeness == DIFFERENT) {
            finding_keep(&suspects->different[suspects->different_count++], bench, i, &difference);
        }
    }
}

/* Runs the rescued ones again, to see past whom: adds those that are not justified. */
static void judge_rescued(struct bench *bench, struct suspects *suspects, struct tally *tally)
{
    bench_clear(bench);
    for (uint32_t i = 0; i < suspects->rescued_count; i++) {
        const uint32_t number = bench_add(bench, &suspects->rescued[i]);
        bench->batches[LEFT]->sequences[number].explained = (int32_t)suspects->rescues[i];
    }
    bench_run(bench);
    for (uint32_t i = 0; i < suspects->rescued_count; i++) {
        const uint32_t operation = suspects->rescues[i];
        struct difference difference = bench_difference(bench, i);
        if (difference.likeness == RESCUED && difference.operation == operation) {
            difference_judge(&difference, &bench->batches[RIGHT]->records[i],
                             bench->batches[LEFT]->remembers_binding);
        } else if (difference.likeness != DIFFERENT) {
            difference_set(&difference, operation, "the success did not come again");
        }
        if (difference.likeness == DIFFERENT) {
            finding_keep(&suspects->different[suspects->different_count++], bench, i, &difference);
            continue;
        }
        tally->rescued++;
        tally->rescued_listens += suspects->rescued[i].operations[operation].call == CALL_LISTEN;
        tally->rescued_elsewhere += suspects->rescued[i].operations[operation].process;
    }
}

/* Runs what has been added, and fails the test at the first difference that is not allowed. */
static void check_run(struct bench *bench, struct tally *tally)
{
    static struct suspects suspects;
    bench_run(bench);
    compare_run(bench, &suspects, tally);
    if (suspects.rescued_count > 0) {
        judge_rescued(bench, &suspects, tally);
    }
    for (uint32_t i = 0; i < suspects.different_count; i++) {
        look_closer(bench, &suspects.different[i], tally);
    }
}

static struct tally check_sequences(struct bench *bench, uint64_t count)
{
    struct tally tally = {.sequences = 0};
    /* Few sequences are run with every way of reporting: one of them may matter. */
    const size_t ways = count <= MAX_SEQUENCES ? BENCH_WAYS : 1;
    for (uint64_t done = 0; done < count;) {
        const uint64_t batch = done / MAX_SEQUENCES;
        const uint64_t wanted = count - done < MAX_SEQUENCES ? count - done : MAX_SEQUENCES;
        for (size_t way = 0; way < ways; way++) {
            bench->reporting = &bench_reporting[(batch + way) % BENCH_WAYS];
            bench_clear(bench);
            for (uint64_t i = 0; i < wanted; i++) {
                struct sequence sequence;
                sequence_generate(&sequence, sequence_seed(bench->seed, done + i));
                bench_add(bench, &sequence);
            }
            check_run(bench, &tally);
        }
        done += wanted;
    }
    return tally;
}

Test(transparency, nothing_shows_the_shim_but_a_port_that_armed_sockets_would_have_refused)
{
    struct bench bench = bench_create(WITH_SHIM, setting("SEED", DEFAULT_SEED),
                                      setting("SEQUENCES", DEFAULT_SEQUENCES));
    const struct tally tally = check_sequences(&bench, bench.count);
    print_tally(&tally, bench.seed);
    if (bench.count >= ENOUGH_SEQUENCES) {
        cr_assert_gt(tally.armed, 0, "no sequence has armed a socket: the shim was not at work");
        cr_assert_gt(tally.rescued, 0, "no sequence has met an armed socket that refuses a bind()");
        cr_assert_gt(tally.rescued_elsewhere, 0, "no second process has met one");
        cr_assert_gt(tally.results[CALL_BIND][EADDRINUSE], 0, "no sequence has met EADDRINUSE");
    }
}

Test(transparency, two_runs_without_the_shim_do_not_differ)
{
    enum { PART = 10 };
    struct bench bench = bench_create(WITHOUT_SHIM, setting("SEED", DEFAULT_SEED),
                                      setting("SEQUENCES", DEFAULT_SEQUENCES));
    const struct tally tally = check_sequences(&bench, bench.count / PART + 1);
    cr_assert_eq(tally.armed + tally.rescued, 0, "even an allowed difference needs the shim");
}
