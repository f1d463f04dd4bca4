/*
 * Falsifies every system call that the library makes for itself, and compares what the program can
 * see with runs without the library. What may be seen is what the same program sees that is not
 * helped, or that does itself what the library does (docs/design.md, "The rule"), at each of its
 * steps one or the other.
 *
 * Usage: inject LIBRARY [EVERY [SCENARIO]]
 * Of the injections only every EVERY-th is made, of the scenarios only that of this number.
 */
#include "fault.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

enum { MOST_REFERENCES = 2 << MOST_STEPS, MOST_SHOWN = 400 };

struct work {
    const struct scenario *scenario;
    char references[MOST_REFERENCES][sizeof((struct record *)0)->text];
    int reference_count;
    struct outcome clean;
    struct fault fault; /* `which`, `index` and `kind` of those to come */
    int number;         /* of the next injection, made or not */
    int every;
    int made;
    int differences;
    int excused[EXCUSES];
};

static int steps_of(const struct scenario *scenario)
{
    int count = 0;
    while (count < MOST_STEPS && scenario->steps[count].call != NO_CALL) {
        count++;
    }
    return count;
}

static void add_reference(struct work *work, unsigned int help)
{
    static struct outcome outcome;
    trace_native(work->scenario, help, &outcome);
    if (outcome.ended != 0 || !outcome.record->is_complete) {
        fprintf(stderr, "inject: %s: the program ends with %d without the library\n",
                work->scenario->name, outcome.ended);
        exit(2);
    }
    memcpy(work->references[work->reference_count++], outcome.record->text,
           outcome.record->length + 1);
}

/* The last one is what is to be seen where nothing is falsified. */
static void find_references(struct work *work)
{
    const unsigned int all = work->scenario->unhelped ? 0 : (1U << steps_of(work->scenario)) - 1;
    for (unsigned int kept = 0; kept <= (work->scenario->is_kept ? 1 : 0); kept++) {
        for (unsigned int help = 0; help <= all; help++) {
            add_reference(work, help | kept << MOST_STEPS);
        }
    }
}

static size_t line_length(const char *text)
{
    return strcspn(text, "\n");
}

static const char *next_line(const char *line)
{
    line += line_length(line);
    return line + (*line == '\n');
}

/* How many lines differ from the reference; of these, the first and how many are not excused. */
struct comparison {
    int lines;
    int not_excused;
    enum excuse excuse; /* of the first that is */
    const char *expected;
    const char *seen;
};

static struct comparison compare(const struct scenario *scenario, const char *expected,
                                 const char *seen, const struct fault *fault)
{
    struct comparison comparison = {0};
    while (*expected != '\0' || *seen != '\0') {
        const size_t length = line_length(seen);
        if (length != line_length(expected) || memcmp(seen, expected, length) != 0) {
            comparison.lines++;
            const enum excuse excuse =
                fault != NULL ? fault_excuse(scenario, fault, expected) : EXCUSE_NONE;
            comparison.excuse = comparison.excuse == EXCUSE_NONE ? excuse : comparison.excuse;
            if (excuse == EXCUSE_NONE) {
                comparison.expected = comparison.not_excused == 0 ? expected : comparison.expected;
                comparison.seen = comparison.not_excused == 0 ? seen : comparison.seen;
                comparison.not_excused++;
            }
        }
        expected = next_line(expected);
        seen = next_line(seen);
    }
    return comparison;
}

static struct comparison compare_all(const struct work *work, const char *seen,
                                     const struct fault *fault)
{
    struct comparison best = compare(work->scenario, work->references[0], seen, fault);
    for (int i = 1; i < work->reference_count; i++) {
        const struct comparison other = compare(work->scenario, work->references[i], seen, fault);
        if (other.lines == 0 || (best.lines != 0 && other.not_excused < best.not_excused)) {
            best = other;
        }
    }
    return best;
}

static void show_difference(const struct work *work, const char *what,
                            const struct outcome *outcome, const struct comparison *comparison)
{
    static int shown;
    if (shown++ >= MOST_SHOWN) {
        return;
    }
    fprintf(stderr, "%s: %s:\n", work->scenario->name, what);
    if (outcome->ended != 0 || !outcome->record->is_complete) {
        fprintf(stderr, "    the program ended with %d\n", outcome->ended);
    } else {
        fprintf(stderr, "    expected: %.*s\n    seen:     %.*s\n",
                (int)line_length(comparison->expected), comparison->expected,
                (int)line_length(comparison->seen), comparison->seen);
    }
}

static void judge(struct work *work, const struct fault *fault, const struct outcome *outcome)
{
    const bool has_ended = outcome->ended == 0 && outcome->record->is_complete;
    const struct comparison comparison = compare_all(work, outcome->record->text, fault);
    if (!has_ended || comparison.not_excused > 0) {
        work->differences++;
        show_difference(work, fault_describe(fault), outcome, &comparison);
    } else if (comparison.lines > 0) {
        work->excused[comparison.excuse]++;
    }
}

static void try(struct fault fault, void *context)
{
    static struct outcome outcome;
    struct work *work = context;
    fault.which = work->fault.which;
    fault.index = work->fault.index;
    fault.kind = work->fault.kind;
    if (work->number++ % work->every != 0) {
        return;
    }
    trace_library(work->scenario, &fault, &outcome);
    work->made += outcome.injected > 0;
    judge(work, &fault, &outcome);
}

static void try_kind(struct work *work, long number, long option)
{
    work->fault = (struct fault){.which = ALL, .kind = {.number = number, .option = option}};
    fault_each(number, try, work);
    work->fault.which = ALL_BUT_FIRST;
    fault_each(number, try, work);
}

static bool is_first_of_kind(const struct outcome *clean, int index, bool with_option)
{
    for (int i = 0; i < index; i++) {
        if (clean->calls[i].number == clean->calls[index].number &&
            (!with_option || clean->calls[i].option == clean->calls[index].option)) {
            return false;
        }
    }
    return true;
}

/* A search asks the same of each of 1,024 descriptors: the first and the last ones will do. */
static bool is_amid_alike(const struct outcome *clean, int index)
{
    enum { NEAR = 4 };
    for (int i = index - NEAR; i <= index + NEAR; i++) {
        if (i < 0 || i >= clean->count || clean->calls[i].number != clean->calls[index].number ||
            clean->calls[i].option != clean->calls[index].option) {
            return false;
        }
    }
    return true;
}

static int place_among_alike(const struct outcome *clean, int index)
{
    int place = 0;
    for (int i = 0; i < index; i++) {
        place += clean->calls[i].number == clean->calls[index].number;
    }
    return place;
}

static void work_on(struct work *work)
{
    find_references(work);
    trace_library(work->scenario, NULL, &work->clean);
    const char *expected = work->references[work->reference_count - 1];
    const struct comparison comparison =
        compare(work->scenario, expected, work->clean.record->text, NULL);
    if (work->clean.ended != 0 || work->clean.count > MOST_CALLS || comparison.lines > 0) {
        work->differences++;
        show_difference(work, "without an injection", &work->clean, &comparison);
        return;
    }
    for (int i = 0; i < work->clean.count; i++) {
        if (is_amid_alike(&work->clean, i)) {
            continue;
        }
        work->fault = (struct fault){.which = THIS_ONE,
                                     .index = place_among_alike(&work->clean, i),
                                     .kind = work->clean.calls[i]};
        fault_each(work->clean.calls[i].number, try, work);
    }
    for (int i = 0; i < work->clean.count; i++) {
        const struct kind *call = &work->clean.calls[i];
        if (is_first_of_kind(&work->clean, i, false)) {
            try_kind(work, call->number, ANY);
        }
        if (call->option != ANY && is_first_of_kind(&work->clean, i, true)) {
            try_kind(work, call->number, call->option);
        }
    }
    try_kind(work, ANY, ANY);
}

static void add_excuses(int sums[EXCUSES], const struct work *work)
{
    for (int i = 0; i < EXCUSES; i++) {
        sums[i] += work->excused[i];
    }
}

static int sum_of(const int numbers[EXCUSES])
{
    int sum = 0;
    for (int i = 0; i < EXCUSES; i++) {
        sum += numbers[i];
    }
    return sum;
}

static int measure(int every, int only)
{
    static struct work work;
    int made = 0;
    int differences = 0;
    int excused[EXCUSES] = {0};
    printf("| scenario | system calls of its own | injections | differences | excused |\n");
    printf("|---|---|---|---|---|\n");
    for (size_t i = 0; i < scenario_count; i++) {
        if (only >= 0 && only != (int)i) {
            continue;
        }
        work = (struct work){.scenario = &scenarios[i], .every = every, .number = made};
        work_on(&work);
        printf("| %s | %d | %d | %d | %d |\n", work.scenario->name, work.clean.count, work.made,
               work.differences, sum_of(work.excused));
        fflush(stdout);
        made += work.made;
        differences += work.differences;
        add_excuses(excused, &work);
    }
    printf("| all | | %d | %d | %d |\n", made, differences, sum_of(excused));
    printf("\n| excused | |\n|---|---|\n");
    for (int i = EXCUSE_NONE + 1; i < EXCUSES; i++) {
        printf("| %s | %d |\n", fault_excuses[i], excused[i]);
    }
    return differences == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    enum { RECORD_FD = 9 };
    if (argc == 3 && strcmp(argv[0], "host") == 0) {
        return host_main(&scenarios[atoi(argv[1])], (unsigned int)atoi(argv[2]), RECORD_FD);
    }
    const int every = argc > 2 ? atoi(argv[2]) : 1;
    if (argc < 2 || argc > 4 || every <= 0) {
        fprintf(stderr, "usage: inject LIBRARY [EVERY [SCENARIO]]\n");
        return 2;
    }
    stage_enter();
    stage_prepare();
    trace_prepare(argv[1]);
    return measure(every, argc > 3 ? atoi(argv[3]) : -1);
}
