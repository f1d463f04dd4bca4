/*
 * What guard cannot keep of the promise that nothing else changes, by the random sequences of
 * transparency.c, natively and under guard: SO_REUSEADDR is on from bind() on where the port was
 * that of an armed listener, and such a port is had past what is armed. Nothing else may differ.
 *
 * SEQUENCES=200000 runs more of them.
 */
#include "guards.h"
#include "sequence_bench.h"
#include "target.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

TestSuite(guard_differences, .init = enter_private_guards);

/* The option is off natively, and guard has switched it on. */
static unsigned int forgive_option(const struct outcome *native, struct outcome *guarded)
{
    const bool differs =
        native->state.reuse_address == 0 && guarded->state.reuse_address == 1 && native->is_open;
    guarded->state.reuse_address -= differs;
    return differs;
}

/* How often the option was on. */
static unsigned int forgive_options(const struct bench *bench, uint32_t number)
{
    const struct sequence *sequence = &bench->batches[LEFT]->sequences[number];
    const struct record *native = &bench->batches[LEFT]->records[number];
    struct record *guarded = &bench->batches[RIGHT]->records[number];
    unsigned int count = 0;
    for (uint32_t i = 0; i < sequence->length; i++) {
        const struct operation *operation = &sequence->operations[i];
        count += forgive_option(&native->outcomes[i], &guarded->outcomes[i]);
        if (operation->call == CALL_GETSOCKOPT && operation->numbers[0] == SOL_SOCKET &&
            operation->numbers[1] == SO_REUSEADDR && native->outcomes[i].value == 0) {
            guarded->outcomes[i].value = 0;
        }
    }
    for (size_t slot = 0; slot < SLOTS; slot++) {
        forgive_option(&native->last[slot], &guarded->last[slot]);
    }
    return count;
}

/* Of an MPTCP listener, the TCP socket below is armed, which does not show in its own option. */
static void see_armed_subflows(struct record *guarded)
{
    for (uint32_t i = 0; i < guarded->holder_count; i++) {
        struct holder *holder = &guarded->holders[i];
        if (holder->reuse_address == 0 && (holder->history & HISTORY_LISTENED) != 0) {
            holder->reuse_address = 1;
        }
    }
}

struct tally {
    unsigned int options; /* how often SO_REUSEADDR was on */
    unsigned int rescued;
    unsigned int judged;
    unsigned int shared; /* by a program that sets the option itself */
};

static void expect_allowed(const struct bench *bench, uint32_t number,
                           const struct difference *difference)
{
    struct finding finding;
    if (difference->likeness == DIFFERENT) {
        finding_keep(&finding, bench, number, difference);
        finding_print(&finding);
        cr_assert_fail("under guard: %s", difference->text);
    }
}

/* Runs what has been added; those that are rescued are left to be judged. */
static void compare(struct bench *bench, struct tally *tally)
{
    static struct sequence rescued[MAX_SEQUENCES];
    uint32_t rescues[MAX_SEQUENCES];
    uint32_t count = 0;
    bench_run(bench);
    for (uint32_t i = 0; i < bench->batches[LEFT]->count; i++) {
        tally->options += forgive_options(bench, i);
        const struct difference difference = bench_difference(bench, i);
        expect_allowed(bench, i, &difference);
        if (difference.likeness == RESCUED) {
            rescued[count] = bench->batches[LEFT]->sequences[i];
            rescues[count++] = difference.operation;
        }
    }
    tally->rescued += count;
    bench_clear(bench);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t number = bench_add(bench, &rescued[i]);
        bench->batches[LEFT]->sequences[number].explained = (int32_t)rescues[i];
    }
    bench_run(bench);
    for (uint32_t i = 0; i < count; i++) {
        forgive_options(bench, i);
        struct difference difference = bench_difference(bench, i);
        if (difference.likeness == RESCUED && difference.operation == rescues[i]) {
            see_armed_subflows(&bench->batches[RIGHT]->records[i]);
            difference_judge(&difference, &bench->batches[RIGHT]->records[i],
                             bench->batches[LEFT]->remembers_binding);
            tally->judged++;
        }
        /* Such a program may have the port of any that sets the option, before that listens. */
        const struct record *native = &bench->batches[LEFT]->records[i];
        if (difference.likeness == DIFFERENT && difference.operation == rescues[i] &&
            native->outcomes[rescues[i]].state.reuse_address == 1) {
            tally->shared++;
            continue;
        }
        expect_allowed(bench, i, &difference);
    }
}

Test(guard_differences, are_the_option_and_ports_that_armed_sockets_would_have_refused)
{
    enum { DEFAULT_SEQUENCES = 2048, SEED = 1 };
    const char *wanted = getenv("SEQUENCES");
    const uint64_t count = wanted != NULL ? strtoull(wanted, NULL, 10) : DEFAULT_SEQUENCES;
    struct bench bench = bench_create(WITHOUT_SHIM, SEED, count);
    struct tally tally = {0};
    guard_on();
    bench.group[RIGHT] = path_in(group_folder, "cgroup.procs");
    for (uint64_t done = 0; done < count; done += MAX_SEQUENCES) {
        bench_clear(&bench);
        for (uint64_t i = done; i < count && i < done + MAX_SEQUENCES; i++) {
            struct sequence sequence;
            sequence_generate(&sequence, sequence_seed(bench.seed, i));
            bench_add(&bench, &sequence);
        }
        compare(&bench, &tally);
    }
    printf("guard_differences: %" PRIu64 " sequences: SO_REUSEADDR was on %u times, a refusal "
           "became a success %u times, %u of them beside a socket that was about to listen, and "
           "nothing else differed\n",
           count, tally.options, tally.rescued, tally.shared);
    fflush(stdout);
    cr_assert_gt(tally.options, 0, "no socket was armed: guard was not at work");
    cr_assert_gt(tally.judged, 0, "no sequence has met an armed socket that refuses a bind()");
}
