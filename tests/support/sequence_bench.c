#include "sequence_bench.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST         BUILD_FOLDER "/fixtures/sequence_host"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const struct reporting bench_reporting[BENCH_WAYS] = {
    {{"LIBREUSE_LOG=none"}, false},
    {{"LIBREUSE_LOG=stderr", "LIBREUSE_LEVEL=info"}, false},
    {{"LIBREUSE_LOG=stderr", "LIBREUSE_FORMAT=json"}, false},
    /* The first socket gets descriptor 2. */
    {{"LIBREUSE_LOG=stderr"}, true},
};

/* ---- running ----------------------------------------------------------------------------- */

struct bench bench_create(enum shim right, uint64_t seed, uint64_t count)
{
    struct bench bench = {.seed = seed,
                          .count = count,
                          .shim = {WITHOUT_SHIM, right},
                          .reporting = &bench_reporting[0]};
    for (size_t side = 0; side < SIDES; side++) {
        bench.files[side] = memfd_create("sequences", MFD_CLOEXEC);
        cr_assert_geq(bench.files[side], 0, "memfd_create: %s", strerror(errno));
        cr_assert_eq(ftruncate(bench.files[side], sizeof(struct batch)), 0, "ftruncate: %s",
                     strerror(errno));
        bench.batches[side] = mmap(NULL, sizeof(struct batch), PROT_READ | PROT_WRITE, MAP_SHARED,
                                   bench.files[side], 0);
        cr_assert_neq(bench.batches[side], MAP_FAILED, "mmap: %s", strerror(errno));
    }
    return bench;
}

void bench_clear(struct bench *bench)
{
    bench->batches[LEFT]->count = 0;
}

/* Adds the sequence to the next run, and returns which one of it it is. */
uint32_t bench_add(struct bench *bench, const struct sequence *sequence)
{
    struct batch *batch = bench->batches[LEFT];
    const uint32_t number = batch->count++;
    batch->sequences[number] = *sequence;
    batch->sequences[number].number = number;
    return number;
}

static void make_folder(char *path, size_t size)
{
    snprintf(path, size, "/tmp/libreuse-transparency-XXXXXX");
    cr_assert_neq(mkdtemp(path), NULL, "mkdtemp %s: %s", path, strerror(errno));
}

/* The host removes its files unless it crashes. */
static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (folder != NULL) {
        for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
            unlinkat(dirfd(folder), entry->d_name, 0);
        }
        closedir(folder);
    }
    rmdir(path);
}

static void end_run(struct bench *bench, size_t side, struct process *process)
{
    while (waitpid(process->pid, &process->status, 0) < 0) {
        cr_assert_eq(errno, EINTR, "waitpid: %s", strerror(errno));
    }
    process->ended = true;
    bench->statuses[side] = process->status;
    cr_assert(!WIFEXITED(process->status) || WEXITSTATUS(process->status) == 0,
              "the run %s the shim ended with status %d: %s",
              bench->shim[side] == WITH_SHIM ? "with" : "without", WEXITSTATUS(process->status),
              output_of(process));
    if (side == RIGHT && bench->batches[side]->count == 1) {
        free(bench->reports);
        bench->reports = errors_of(process);
    }
    close(process->output);
    close(process->errors);
}

void bench_run(struct bench *bench)
{
    char folders[SIDES][64];
    struct process processes[SIDES];
    const uint32_t count = bench->batches[LEFT]->count;
    memcpy(bench->batches[RIGHT]->sequences, bench->batches[LEFT]->sequences,
           count * sizeof(struct sequence));
    for (size_t side = 0; side < SIDES; side++) {
        struct batch *batch = bench->batches[side];
        batch->count = count;
        batch->done = 0;
        memset(batch->records, 0, count * sizeof batch->records[0]);
        make_folder(folders[side], sizeof folders[side]);
        processes[side] = start((struct program){
            .path = HOST,
            .shim = bench->shim[side],
            .arguments = {folders[side]},
            .settings = {bench->reporting->settings[0], bench->reporting->settings[1]},
            .input = bench->files[side],
            .group = bench->group[side],
            .errors_closed = bench->reporting->errors_closed});
    }
    for (size_t side = 0; side < SIDES; side++) {
        end_run(bench, side, &processes[side]);
        remove_folder(folders[side]);
    }
    cr_assert(!WIFSIGNALED(bench->statuses[LEFT]),
              "the run without the shim was killed by signal %d (%s) in sequence SEED=0x%" PRIx64,
              WTERMSIG(bench->statuses[LEFT]), strsignal(WTERMSIG(bench->statuses[LEFT])),
              bench->batches[LEFT]->sequences[bench->batches[LEFT]->done].seed);
}

/* ---- one sequence alone ------------------------------------------------------------------ */

/* So long that timers of the kernel may have had a say: retransmission is the first, after 1 s. */
#define SLOW_NANOSECONDS 400000000

bool bench_was_slow(const struct bench *bench, uint32_t number)
{
    return bench->batches[LEFT]->records[number].nanoseconds > SLOW_NANOSECONDS ||
           bench->batches[RIGHT]->records[number].nanoseconds > SLOW_NANOSECONDS;
}

/* The difference in the run that has been, not judged. */
struct difference bench_difference(const struct bench *bench, uint32_t number)
{
    const struct batch *left = bench->batches[LEFT];
    const struct batch *right = bench->batches[RIGHT];
    struct difference difference = difference_between(
        &left->sequences[number], &left->records[number], &right->records[number]);
    if (WIFSIGNALED(bench->statuses[RIGHT]) && number == right->done &&
        (difference.likeness == DIFFERENT || difference.likeness == SAME)) {
        difference_set(&difference, difference.operation,
                       "the program was killed by signal %d (%s)", WTERMSIG(bench->statuses[RIGHT]),
                       strsignal(WTERMSIG(bench->statuses[RIGHT])));
    }
    return difference;
}

void finding_keep(struct finding *finding, const struct bench *bench, uint32_t number,
                  const struct difference *difference)
{
    finding->difference = *difference;
    finding->sequence = bench->batches[LEFT]->sequences[number];
    finding->records[LEFT] = bench->batches[LEFT]->records[number];
    finding->records[RIGHT] = bench->batches[RIGHT]->records[number];
    finding->slow = bench_was_slow(bench, number);
}

/* Runs the sequence alone, and once more where the holders of a port have to be known. */
struct difference bench_examine(struct bench *bench, const struct sequence *sequence)
{
    struct sequence alone = *sequence;
    alone.explained = EXPLAIN_NOTHING;
    bench_clear(bench);
    bench_add(bench, &alone);
    bench_run(bench);
    struct difference difference = bench_difference(bench, 0);
    if (difference.likeness == RESCUED) {
        const uint32_t operation = difference.operation;
        bench->batches[LEFT]->sequences[0].explained = (int32_t)operation;
        bench_run(bench);
        difference = bench_difference(bench, 0);
        if (difference.likeness == RESCUED && difference.operation == operation) {
            difference_judge(&difference, &bench->batches[RIGHT]->records[0],
                             bench->batches[LEFT]->remembers_binding);
        }
    }
    return difference;
}

/* ---- shrinking --------------------------------------------------------------------------- */

static struct sequence without_operation(const struct sequence *sequence, uint32_t left_out)
{
    struct sequence shorter = *sequence;
    shorter.length--;
    memmove(&shorter.operations[left_out], &shorter.operations[left_out + 1],
            (shorter.length - left_out) * sizeof shorter.operations[0]);
    return shorter;
}

/* Takes the candidate if it differs too. */
static bool shrink_to(struct bench *bench, struct sequence *sequence,
                      const struct sequence *candidate)
{
    if (bench_examine(bench, candidate).likeness != DIFFERENT) {
        return false;
    }
    *sequence = *candidate;
    return true;
}

static bool leave_out_operations(struct bench *bench, struct sequence *sequence)
{
    bool shrunk = false;
    for (uint32_t i = sequence->length; i-- > 0;) {
        struct sequence candidate = without_operation(sequence, i);
        shrunk = shrink_to(bench, sequence, &candidate) || shrunk;
    }
    return shrunk;
}

static void make_arguments_plain(struct bench *bench, struct sequence *sequence)
{
    static const size_t parts[] = {
        offsetof(struct operation, pointer), offsetof(struct operation, length),
        offsetof(struct operation, address), offsetof(struct operation, port)};
    for (uint32_t i = 0; i < sequence->length; i++) {
        for (size_t part = 0; part < COUNT(parts); part++) {
            struct sequence candidate = *sequence;
            uint8_t *value = (uint8_t *)&candidate.operations[i] + parts[part];
            if (*value != 0) {
                *value = 0;
                shrink_to(bench, sequence, &candidate);
            }
        }
    }
}

static void shrink(struct bench *bench, struct sequence *sequence)
{
    while (leave_out_operations(bench, sequence)) {
    }
    make_arguments_plain(bench, sequence);
    while (leave_out_operations(bench, sequence)) {
    }
}

/* ---- printing ---------------------------------------------------------------------------- */

static void print_holders(const struct record *record)
{
    for (uint32_t i = 0; i < record->holder_count; i++) {
        const struct holder *holder = &record->holders[i];
        char name[16] = "no descriptor";
        if (holder->slot >= 0) {
            snprintf(name, sizeof name, "s%" PRId32, holder->slot);
        }
        printf("        on this port before: %s, TCP state %" PRId32 "%s, SO_REUSEADDR %s%s%s%s\n",
               name, holder->tcp_state, holder->listening ? ", listening" : "",
               holder->reuse_address < 0 ? "unknown" : (holder->reuse_address ? "on" : "off"),
               holder->history & HISTORY_LISTENED ? ", has listened" : "",
               holder->history & HISTORY_ACCEPTED ? ", accepted" : "",
               holder->history & HISTORY_PROGRAM ? ", set by the program" : "");
    }
}

void finding_print(const struct finding *finding)
{
    const struct difference *difference = &finding->difference;
    const uint32_t length = finding->sequence.length;
    for (uint32_t i = 0; i < length; i++) {
        char text[256];
        char results[SIDES][48];
        for (size_t side = 0; side < SIDES; side++) {
            outcome_text(&finding->records[side].outcomes[i], results[side], sizeof results[side]);
        }
        sequence_describe(&finding->sequence.operations[i], text, sizeof text);
        if (i == difference->operation) {
            printf("    %-72s without: %s; with: %s\n", text, results[LEFT], results[RIGHT]);
            printf("        ^ %s\n", difference->text);
            print_holders(&finding->records[RIGHT]);
        } else {
            printf("    %-72s %s\n", text, results[LEFT]);
        }
    }
    if (difference->operation >= length) {
        printf("    at the end: %s\n", difference->text);
    }
    printf("\n");
}

void bench_print_reproduction(const struct bench *bench, uint64_t seed, uint64_t count)
{
    printf("  run it again: SEED=0x%" PRIx64 " SEQUENCES=%" PRIu64 "; the shim had", seed, count);
    for (size_t i = 0; bench->reporting->settings[i] != NULL; i++) {
        printf(" %s", bench->reporting->settings[i]);
    }
    printf("%s\n", bench->reporting->errors_closed ? " and no descriptor 2" : "");
}

__attribute__((noreturn)) void bench_report(struct bench *bench, const struct sequence *found)
{
    static struct finding finding;
    struct sequence shrunk = *found;
    shrink(bench, &shrunk);
    const struct difference difference = bench_examine(bench, &shrunk);
    finding_keep(&finding, bench, 0, &difference);
    printf("transparency: a sequence of %" PRIu32 " calls, shrunk to %" PRIu32
           ", shows the shim:\n\n",
           found->length, shrunk.length);
    finding_print(&finding);
    bench_print_reproduction(bench, found->seed, 1);
    if (bench->reports != NULL && bench->reports[0] != '\0') {
        printf("  the shim reported:\n%s", bench->reports);
    }
    fflush(stdout);
    cr_assert_fail("the shim shows: %s", difference.text);
    abort();
}
