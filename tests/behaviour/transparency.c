/*
 * Transparency as a property: random sequences of socket calls are run without and with the shim,
 * and every result, every errno and the state of every socket must be the same. The one difference
 * that the shim is made for is allowed: a refusal because of sockets that are armed and do not
 * listen becomes a success, and sockets that listen, or were accepted, carry SO_REUSEADDR.
 *
 * SEQUENCES=200000 runs more of them, SEED=7 others. What differs is shrunk and printed.
 */
#include "process.h"
#include "sequence.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST              BUILD_FOLDER "/fixtures/sequence_host"

#define DEFAULT_SEQUENCES 20000
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

/* ---- running ----------------------------------------------------------------------------- */

/* How the shim is to report: whatever it does about that must not show either. */
struct reporting {
    const char *settings[3];
    bool errors_closed;
};

static const struct reporting ways_of_reporting[] = {
    {{"LIBREUSE_LOG=none"}, false},
    {{"LIBREUSE_LOG=stderr", "LIBREUSE_LEVEL=debug"}, false},
    {{"LIBREUSE_LOG=stderr", "LIBREUSE_FORMAT=json"}, false},
    /* The first socket gets descriptor 2. */
    {{"LIBREUSE_LOG=stderr"}, true},
};

/* The two runs that are compared. */
enum { LEFT, RIGHT, SIDES };

struct bench {
    uint64_t seed; /* of the whole test */
    uint64_t count;
    enum shim shim[SIDES];
    const struct reporting *reporting;
    int files[SIDES];
    struct batch *batches[SIDES];
    int statuses[SIDES];
    char *reports; /* what the right one wrote, after a run of one sequence */
};

static struct bench new_bench(enum shim right)
{
    struct bench bench = {.seed = setting("SEED", DEFAULT_SEED),
                          .count = setting("SEQUENCES", DEFAULT_SEQUENCES),
                          .shim = {WITHOUT_SHIM, right},
                          .reporting = &ways_of_reporting[0]};
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

static void clear(struct bench *bench)
{
    bench->batches[LEFT]->count = 0;
}

/* Adds the sequence to the next run, and returns which one of it it is. */
static uint32_t add(struct bench *bench, const struct sequence *sequence)
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

static void run_both(struct bench *bench)
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

/* ---- comparing --------------------------------------------------------------------------- */

enum likeness {
    SAME,
    ARMED,   /* the same, but for SO_REUSEADDR on sockets that listen or were accepted */
    RESCUED, /* EADDRINUSE on the left, success on the right: allowed if the holders allow it */
    DIFFERENT
};

struct difference {
    enum likeness likeness;
    uint32_t operation; /* the length of the sequence: after the last one */
    char text[256];     /* of RESCUED and DIFFERENT */
};

__attribute__((format(printf, 3, 4))) static void
differ(struct difference *difference, uint32_t operation, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(difference->text, sizeof difference->text, format, arguments);
    va_end(arguments);
    difference->likeness = DIFFERENT;
    difference->operation = operation;
}

/* "-1 EADDRINUSE", "3", or "3 EINVAL" where a success has changed errno. */
static const char *result_text(const struct outcome *outcome, char *text, size_t size)
{
    const bool quiet = outcome->error == ERRNO_BEFORE;
    if (!outcome->made) {
        snprintf(text, size, "no return");
    } else {
        snprintf(text, size, "%" PRId32 "%s%s", outcome->result, quiet ? "" : " ",
                 quiet ? "" : sequence_error_name(outcome->error));
    }
    return text;
}

/*
 * Whether the shim may have switched SO_REUSEADDR on, and the program has left it so. A listen()
 * that is refused with EADDRINUSE may leave it on: docs/design.md says why.
 */
static bool may_be_armed(int32_t left, int32_t right, int32_t history)
{
    const int32_t by_shim = HISTORY_LISTENED | HISTORY_ACCEPTED | HISTORY_REFUSED;
    return left == 0 && right == 1 && (history & by_shim) != 0 && (history & HISTORY_PROGRAM) == 0;
}

static void compare_states(struct difference *difference, uint32_t operation,
                           const struct outcome *left, const struct outcome *right)
{
    static const struct {
        const char *name;
        size_t offset;
    } fields[] = {
        {"the length of its name", offsetof(struct state, name_length)},
        {"SO_TYPE", offsetof(struct state, type)},
        {"SO_REUSEADDR", offsetof(struct state, reuse_address)},
        {"SO_REUSEPORT", offsetof(struct state, reuse_port)},
        {"IPV6_V6ONLY", offsetof(struct state, only_ipv6)},
        {"SO_ACCEPTCONN", offsetof(struct state, listening)},
        {"the TCP state", offsetof(struct state, tcp_state)},
        {"the backlog", offsetof(struct state, backlog)},
        {"the number of connections to accept", offsetof(struct state, queued)},
        {"F_GETFL", offsetof(struct state, file_flags)},
        {"F_GETFD", offsetof(struct state, descriptor_flags)},
        {"poll()", offsetof(struct state, ready)},
        {"FIONREAD", offsetof(struct state, unread)},
        {"SO_ERROR", offsetof(struct state, pending_error)},
    };
    if (left->is_open != right->is_open) {
        differ(difference, operation, "the descriptor is %s without the shim, and %s with it",
               left->is_open ? "open" : "closed", right->is_open ? "open" : "closed");
        return;
    }
    for (size_t i = 0; i < COUNT(fields); i++) {
        int32_t values[SIDES];
        memcpy(&values[LEFT], (const char *)&left->state + fields[i].offset, sizeof values[LEFT]);
        memcpy(&values[RIGHT], (const char *)&right->state + fields[i].offset,
               sizeof values[RIGHT]);
        if (values[LEFT] == values[RIGHT]) {
            continue;
        }
        if (fields[i].offset == offsetof(struct state, reuse_address) &&
            may_be_armed(values[LEFT], values[RIGHT], right->history)) {
            difference->likeness = ARMED;
            continue;
        }
        differ(difference, operation,
               "%s of the socket is %" PRId32 " without the shim, and %" PRId32 " with it",
               fields[i].name, values[LEFT], values[RIGHT]);
        return;
    }
    if (memcmp(left->state.name, right->state.name, LONGEST_NAME) != 0) {
        differ(difference, operation, "getsockname() tells another address with the shim");
    }
}

static bool is_tcp_over_ip(const struct state *state)
{
    sa_family_t family = AF_UNSPEC;
    memcpy(&family, state->name, sizeof family);
    return state->type == SOCK_STREAM && (family == AF_INET || family == AF_INET6);
}

/* The kernel decides on a port at bind(), and once more at listen(). Port 0 is never refused. */
static bool asks_for_a_port(const struct operation *operation)
{
    return (operation->call == CALL_BIND && operation->port != PORT_ZERO) ||
           operation->call == CALL_LISTEN;
}

/* The refusal must have become a success, and nothing more. */
static bool is_rescue(const struct operation *operation, const struct outcome *left,
                      const struct outcome *right)
{
    const int32_t reuse[SIDES] = {left->state.reuse_address, right->state.reuse_address};
    return asks_for_a_port(operation) && is_tcp_over_ip(&right->state) && left->result == -1 &&
           left->error == EADDRINUSE && right->result == 0 && right->error == ERRNO_BEFORE &&
           left->state.reuse_port == right->state.reuse_port &&
           (reuse[LEFT] == reuse[RIGHT] || may_be_armed(reuse[LEFT], reuse[RIGHT], right->history));
}

static void compare_outcomes(struct difference *difference, const struct sequence *sequence,
                             uint32_t i, const struct outcome *left, const struct outcome *right)
{
    const struct operation *operation = &sequence->operations[i];
    if (left->made != right->made) {
        differ(difference, i, "the call has not returned");
        return;
    }
    if (left->result != right->result || left->error != right->error) {
        char texts[SIDES][48];
        differ(difference, i, "%s() without the shim: %s; with it: %s",
               sequence_call_name((enum call)operation->call),
               result_text(left, texts[LEFT], sizeof texts[LEFT]),
               result_text(right, texts[RIGHT], sizeof texts[RIGHT]));
        if (is_rescue(operation, left, right)) {
            difference->likeness = RESCUED;
        }
        return;
    }
    if (left->value != right->value) {
        if (operation->numbers[0] == SOL_SOCKET && operation->numbers[1] == SO_REUSEADDR &&
            may_be_armed(left->value, right->value, right->history)) {
            difference->likeness = ARMED;
        } else {
            differ(difference, i,
                   "the value is %" PRId32 " without the shim, and %" PRId32 " with it",
                   left->value, right->value);
            return;
        }
    }
    compare_states(difference, i, left, right);
}

/* The first difference that is more than ARMED; a descriptor left open is more than RESCUED. */
static struct difference compare(const struct sequence *sequence, const struct record *left,
                                 const struct record *right)
{
    struct difference difference = {.likeness = SAME};
    for (uint32_t i = 0; i < sequence->length && difference.likeness < RESCUED; i++) {
        compare_outcomes(&difference, sequence, i, &left->outcomes[i], &right->outcomes[i]);
    }
    for (size_t slot = 0; slot < SLOTS && difference.likeness < RESCUED; slot++) {
        compare_states(&difference, sequence->length, &left->last[slot], &right->last[slot]);
    }
    if (left->next_descriptor != right->next_descriptor && difference.likeness < DIFFERENT) {
        differ(&difference, sequence->length,
               "when all is closed, the next descriptor is %" PRId32
               " without the shim, and %" PRId32 " with it: one is left open",
               left->next_descriptor, right->next_descriptor);
    }
    return difference;
}

/* ---- judging a rescue -------------------------------------------------------------------- */

/* An address as the kernel compares it: that of an IPv4 socket counts as a mapped one. */
struct endpoint {
    bool ipv4_socket;
    bool only_ipv6;
    enum { MAPPED, IPV6_ANY, IPV6_OTHER } kind;
    struct in6_addr host;
};

static struct endpoint endpoint_of(int family, const void *host, bool only_ipv6)
{
    struct endpoint endpoint = {.ipv4_socket = family == AF_INET, .only_ipv6 = only_ipv6};
    if (family == AF_INET) {
        memset(&endpoint.host.s6_addr[10], 0xFF, 2);
        memcpy(&endpoint.host.s6_addr[12], host, 4);
        return endpoint;
    }
    memcpy(&endpoint.host, host, sizeof endpoint.host);
    if (IN6_IS_ADDR_UNSPECIFIED(&endpoint.host)) {
        endpoint.kind = IPV6_ANY;
    } else if (!IN6_IS_ADDR_V4MAPPED(&endpoint.host)) {
        endpoint.kind = IPV6_OTHER;
    }
    return endpoint;
}

static bool is_any(const struct endpoint *endpoint)
{
    static const uint8_t unspecified[4];
    return endpoint->kind == IPV6_ANY ||
           (endpoint->kind == MAPPED && memcmp(&endpoint->host.s6_addr[12], unspecified, 4) == 0);
}

/*
 * Whether the kernel looks at the holder when somebody asks for this address:
 * inet_rcv_saddr_equal(), according to which 0.0.0.0 also overlaps [::1].
 */
static bool overlap(const struct endpoint *asked, const struct endpoint *holder)
{
    if (IN6_ARE_ADDR_EQUAL(&asked->host, &holder->host)) {
        return true;
    }
    if (asked->ipv4_socket || (asked->kind == MAPPED && holder->kind == MAPPED)) {
        return !holder->only_ipv6 && (is_any(asked) || is_any(holder));
    }
    return (holder->kind == IPV6_ANY && !(holder->only_ipv6 && asked->kind == MAPPED)) ||
           (asked->kind == IPV6_ANY && !(asked->only_ipv6 && holder->kind == MAPPED));
}

static struct endpoint endpoint_of_socket(const struct state *state)
{
    struct sockaddr_in inet;
    struct sockaddr_in6 inet6;
    memcpy(&inet, state->name, sizeof inet);
    if (inet.sin_family == AF_INET) {
        return endpoint_of(AF_INET, &inet.sin_addr, false);
    }
    memcpy(&inet6, state->name, sizeof inet6);
    return endpoint_of(AF_INET6, &inet6.sin6_addr, state->only_ipv6 == 1);
}

/* Why this holder does not justify a rescue; NULL when it does. */
static const char *objection(const struct holder *holder, bool kernel_remembers_binding)
{
    if (holder->listening) {
        return "listens";
    }
    if (holder->slot < 0) {
        /* It was connected, and let the kernel pass: the kernel asks for SO_REUSEADDR itself. */
        return NULL;
    }
    if (holder->reuse_address == 1) {
        return (holder->history &
                (HISTORY_LISTENED | HISTORY_ACCEPTED | HISTORY_REFUSED | HISTORY_PROGRAM)) != 0
                   ? NULL
                   : "has SO_REUSEADDR and has neither listened, nor was it accepted, nor did the "
                     "program set it";
    }
    return kernel_remembers_binding && (holder->history & HISTORY_BOUND_WITH_REUSE) != 0
               ? NULL
               : "is not armed";
}

/* Makes a RESCUED difference DIFFERENT where the holders of the port do not justify it. */
static void judge(struct difference *difference, const struct record *record,
                  bool kernel_remembers_binding)
{
    const struct state *asking = &record->outcomes[difference->operation].state;
    const struct endpoint asked = endpoint_of_socket(asking);
    const uint32_t operation = difference->operation;
    bool held = false;
    for (uint32_t i = 0; i < record->holder_count; i++) {
        const struct holder *holder = &record->holders[i];
        const struct endpoint place =
            endpoint_of(holder->family, holder->host, holder->only_ipv6 != 0);
        const bool shared = asking->reuse_port == 1 && holder->reuse_port == 1;
        if (shared || !overlap(&asked, &place)) {
            continue; /* it has not refused */
        }
        const char *wrong = objection(holder, kernel_remembers_binding);
        if (wrong != NULL && holder->slot >= 0) {
            differ(difference, operation,
                   "it took the port from s%" PRId32 ", which %s (state %" PRId32 ")", holder->slot,
                   wrong, holder->tcp_state);
            return;
        }
        if (wrong != NULL) {
            differ(difference, operation, "it took the port from a socket that %s", wrong);
            return;
        }
        held = true;
    }
    if (!held) {
        differ(difference, operation,
               "it was refused without the shim, and with the shim nobody holds the port");
    }
}

/* ---- one sequence alone ------------------------------------------------------------------ */

/* So long that timers of the kernel may have had a say: retransmission is the first, after 1 s. */
#define SLOW_NANOSECONDS 400000000

static bool is_slow(const struct bench *bench, uint32_t number)
{
    return bench->batches[LEFT]->records[number].nanoseconds > SLOW_NANOSECONDS ||
           bench->batches[RIGHT]->records[number].nanoseconds > SLOW_NANOSECONDS;
}

/* The difference in the run that has been, not judged. */
static struct difference difference_in_run(const struct bench *bench, uint32_t number)
{
    const struct batch *left = bench->batches[LEFT];
    const struct batch *right = bench->batches[RIGHT];
    struct difference difference =
        compare(&left->sequences[number], &left->records[number], &right->records[number]);
    if (WIFSIGNALED(bench->statuses[RIGHT]) && number == right->done &&
        (difference.likeness == DIFFERENT || difference.likeness == SAME)) {
        differ(&difference, difference.operation, "the program was killed by signal %d (%s)",
               WTERMSIG(bench->statuses[RIGHT]), strsignal(WTERMSIG(bench->statuses[RIGHT])));
    }
    return difference;
}

/* A sequence that differs, with what came of it. */
struct finding {
    struct difference difference;
    struct sequence sequence;
    struct record records[SIDES];
    bool slow;
};

static void keep(struct finding *finding, const struct bench *bench, uint32_t number,
                 const struct difference *difference)
{
    finding->difference = *difference;
    finding->sequence = bench->batches[LEFT]->sequences[number];
    finding->records[LEFT] = bench->batches[LEFT]->records[number];
    finding->records[RIGHT] = bench->batches[RIGHT]->records[number];
    finding->slow = is_slow(bench, number);
}

/* Runs the sequence alone, and once more where the holders of a port have to be known. */
static struct difference examine(struct bench *bench, const struct sequence *sequence)
{
    struct sequence alone = *sequence;
    alone.explained = EXPLAIN_NOTHING;
    clear(bench);
    add(bench, &alone);
    run_both(bench);
    struct difference difference = difference_in_run(bench, 0);
    if (difference.likeness == RESCUED) {
        const uint32_t operation = difference.operation;
        bench->batches[LEFT]->sequences[0].explained = (int32_t)operation;
        run_both(bench);
        difference = difference_in_run(bench, 0);
        if (difference.likeness == RESCUED && difference.operation == operation) {
            judge(&difference, &bench->batches[RIGHT]->records[0],
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
    if (examine(bench, candidate).likeness != DIFFERENT) {
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

static void print_finding(const struct finding *finding)
{
    const struct difference *difference = &finding->difference;
    const uint32_t length = finding->sequence.length;
    for (uint32_t i = 0; i < length; i++) {
        char text[256];
        char results[SIDES][48];
        for (size_t side = 0; side < SIDES; side++) {
            result_text(&finding->records[side].outcomes[i], results[side], sizeof results[side]);
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

static void print_reproduction(const struct bench *bench, uint64_t seed, uint64_t count)
{
    printf("  run it again: SEED=0x%" PRIx64 " SEQUENCES=%" PRIu64 "; the shim had", seed, count);
    for (size_t i = 0; bench->reporting->settings[i] != NULL; i++) {
        printf(" %s", bench->reporting->settings[i]);
    }
    printf("%s\n", bench->reporting->errors_closed ? " and no descriptor 2" : "");
}

__attribute__((noreturn)) static void report(struct bench *bench, const struct sequence *found)
{
    static struct finding finding;
    struct sequence shrunk = *found;
    shrink(bench, &shrunk);
    const struct difference difference = examine(bench, &shrunk);
    keep(&finding, bench, 0, &difference);
    printf("transparency: a sequence of %" PRIu32 " calls, shrunk to %" PRIu32
           ", shows the shim:\n\n",
           found->length, shrunk.length);
    print_finding(&finding);
    print_reproduction(bench, found->seed, 1);
    if (bench->reports != NULL && bench->reports[0] != '\0') {
        printf("  the shim reported:\n%s", bench->reports);
    }
    fflush(stdout);
    cr_assert_fail("the shim shows: %s", difference.text);
    abort();
}

/* ---- many sequences ---------------------------------------------------------------------- */

enum { HIGHEST_ERRNO = 134 };

struct tally {
    uint64_t sequences;
    uint64_t operations;
    uint64_t armed;   /* sequences in which a socket was armed */
    uint64_t rescued; /* sequences that an allowed success has ended */
    uint64_t rescued_listens;
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
           "a success (%" PRIu64 " in listen()); %" PRIu64 " repeated for slowness\n",
           seed, tally->sequences, tally->operations, tally->armed, tally->rescued,
           tally->rescued_listens, tally->repeated);
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
        const struct difference difference = examine(bench, &finding->sequence);
        if (is_slow(bench, 0)) {
            continue;
        }
        if (difference.likeness == DIFFERENT) {
            report(bench, &finding->sequence);
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
    print_finding(finding);
    print_reproduction(bench, bench->seed, bench->count);
    fflush(stdout);
    cr_assert_fail("not reproducible alone: %s", finding->difference.text);
}

static void compare_run(const struct bench *bench, struct suspects *suspects, struct tally *tally)
{
    const struct batch *left = bench->batches[LEFT];
    suspects->rescued_count = 0;
    suspects->different_count = 0;
    for (uint32_t i = 0; i < left->count; i++) {
        const struct difference difference = difference_in_run(bench, i);
        count_results(tally, &left->sequences[i], &left->records[i]);
        tally->armed += difference.likeness == ARMED;
        if (difference.likeness == RESCUED) {
            suspects->rescued[suspects->rescued_count] = left->sequences[i];
            suspects->rescues[suspects->rescued_count++] = difference.operation;
        } else if (difference.likeness == DIFFERENT) {
            keep(&suspects->different[suspects->different_count++], bench, i, &difference);
        }
    }
}

/* Runs the rescued ones again, to see past whom: adds those that are not justified. */
static void judge_rescued(struct bench *bench, struct suspects *suspects, struct tally *tally)
{
    clear(bench);
    for (uint32_t i = 0; i < suspects->rescued_count; i++) {
        const uint32_t number = add(bench, &suspects->rescued[i]);
        bench->batches[LEFT]->sequences[number].explained = (int32_t)suspects->rescues[i];
    }
    run_both(bench);
    for (uint32_t i = 0; i < suspects->rescued_count; i++) {
        const uint32_t operation = suspects->rescues[i];
        struct difference difference = difference_in_run(bench, i);
        if (difference.likeness == RESCUED && difference.operation == operation) {
            judge(&difference, &bench->batches[RIGHT]->records[i],
                  bench->batches[LEFT]->remembers_binding);
        } else if (difference.likeness != DIFFERENT) {
            differ(&difference, operation, "the success did not come again");
        }
        if (difference.likeness == DIFFERENT) {
            keep(&suspects->different[suspects->different_count++], bench, i, &difference);
            continue;
        }
        tally->rescued++;
        tally->rescued_listens += suspects->rescued[i].operations[operation].call == CALL_LISTEN;
    }
}

/* Runs what has been added, and fails the test at the first difference that is not allowed. */
static void check_run(struct bench *bench, struct tally *tally)
{
    static struct suspects suspects;
    run_both(bench);
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
    const size_t ways = count <= MAX_SEQUENCES ? COUNT(ways_of_reporting) : 1;
    for (uint64_t done = 0; done < count;) {
        const uint64_t batch = done / MAX_SEQUENCES;
        const uint64_t wanted = count - done < MAX_SEQUENCES ? count - done : MAX_SEQUENCES;
        for (size_t way = 0; way < ways; way++) {
            bench->reporting = &ways_of_reporting[(batch + way) % COUNT(ways_of_reporting)];
            clear(bench);
            for (uint64_t i = 0; i < wanted; i++) {
                struct sequence sequence;
                sequence_generate(&sequence, sequence_seed(bench->seed, done + i));
                add(bench, &sequence);
            }
            check_run(bench, &tally);
        }
        done += wanted;
    }
    return tally;
}

Test(transparency, nothing_shows_the_shim_but_a_port_that_armed_sockets_would_have_refused)
{
    struct bench bench = new_bench(WITH_SHIM);
    const struct tally tally = check_sequences(&bench, bench.count);
    print_tally(&tally, bench.seed);
    if (bench.count >= ENOUGH_SEQUENCES) {
        cr_assert_gt(tally.armed, 0, "no sequence has armed a socket: the shim was not at work");
        cr_assert_gt(tally.rescued, 0, "no sequence has met an armed socket that refuses a bind()");
        cr_assert_gt(tally.results[CALL_BIND][EADDRINUSE], 0, "no sequence has met EADDRINUSE");
    }
}

Test(transparency, two_runs_without_the_shim_do_not_differ)
{
    enum { PART = 10 };
    struct bench bench = new_bench(WITHOUT_SHIM);
    const struct tally tally = check_sequences(&bench, bench.count / PART + 1);
    cr_assert_eq(tally.armed + tally.rescued, 0, "even an allowed difference needs the shim");
}

/* ---- the test of the test ---------------------------------------------------------------- */

/* Two equal runs of a few sequences. */
static struct bench equal_runs(void)
{
    enum { FEW = 40 };
    struct bench bench = new_bench(WITHOUT_SHIM);
    for (uint64_t i = 0; i < FEW; i++) {
        struct sequence sequence;
        sequence_generate(&sequence, sequence_seed(DEFAULT_SEED, i));
        add(&bench, &sequence);
    }
    run_both(&bench);
    return bench;
}

Test(transparency, a_change_in_anything_that_is_written_down_is_a_difference)
{
    static const size_t parts[] = {
        offsetof(struct outcome, made),
        offsetof(struct outcome, result),
        offsetof(struct outcome, error),
        offsetof(struct outcome, value),
        offsetof(struct outcome, is_open),
        offsetof(struct outcome, state.name_length),
        offsetof(struct outcome, state.type),
        offsetof(struct outcome, state.reuse_address),
        offsetof(struct outcome, state.reuse_port),
        offsetof(struct outcome, state.only_ipv6),
        offsetof(struct outcome, state.listening),
        offsetof(struct outcome, state.tcp_state),
        offsetof(struct outcome, state.backlog),
        offsetof(struct outcome, state.queued),
        offsetof(struct outcome, state.file_flags),
        offsetof(struct outcome, state.descriptor_flags),
        offsetof(struct outcome, state.ready),
        offsetof(struct outcome, state.unread),
        offsetof(struct outcome, state.pending_error),
        offsetof(struct outcome, state.name),
    };
    struct bench bench = equal_runs();
    for (uint32_t number = 0; number < bench.batches[LEFT]->count; number++) {
        const struct sequence *sequence = &bench.batches[LEFT]->sequences[number];
        for (uint32_t i = 0; i < sequence->length; i++) {
            struct outcome *outcome = &bench.batches[RIGHT]->records[number].outcomes[i];
            const struct outcome before = *outcome;
            for (size_t part = 0; part < COUNT(parts); part++) {
                /* No flag from 0 to 1, no success out of a refusal. */
                ((uint8_t *)outcome)[parts[part]] ^= 0x40;
                cr_expect(difference_in_run(&bench, number).likeness == DIFFERENT,
                          "call %" PRIu32 ", offset %zu", i, parts[part]);
                *outcome = before;
            }
        }
        cr_expect(difference_in_run(&bench, number).likeness == SAME);
    }
}

Test(transparency, so_reuseaddr_may_differ_only_where_the_shim_arms)
{
    cr_expect(may_be_armed(0, 1, HISTORY_LISTENED));
    cr_expect(may_be_armed(0, 1, HISTORY_ACCEPTED));
    cr_expect(!may_be_armed(0, 1, 0));
    cr_expect(may_be_armed(0, 1, HISTORY_BOUND_WITH_REUSE | HISTORY_REFUSED));
    cr_expect(!may_be_armed(0, 1, HISTORY_BOUND_WITH_REUSE));
    cr_expect(!may_be_armed(0, 1, HISTORY_LISTENED | HISTORY_PROGRAM));
    cr_expect(!may_be_armed(1, 0, HISTORY_LISTENED));
}

/* A bind() of 127.0.0.1 that was refused on the left and worked on the right. */
static struct outcome worked(void)
{
    struct outcome outcome = {.made = 1, .error = ERRNO_BEFORE, .is_open = 1};
    const struct sockaddr_in name = {.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    outcome.state.type = SOCK_STREAM;
    memcpy(outcome.state.name, &name, sizeof name);
    return outcome;
}

static struct outcome refused(void)
{
    struct outcome outcome = worked();
    outcome.result = -1;
    outcome.error = EADDRINUSE;
    return outcome;
}

Test(transparency, only_a_refusal_that_became_a_success_can_be_a_rescue)
{
    const struct operation bind_call = {.call = CALL_BIND};
    const struct operation connect_call = {.call = CALL_CONNECT};
    const struct operation any_port_call = {.call = CALL_BIND, .port = PORT_ZERO};
    const struct outcome left = refused();
    struct outcome right = worked();
    cr_expect(is_rescue(&bind_call, &left, &right));
    cr_expect(!is_rescue(&connect_call, &left, &right));
    cr_expect(!is_rescue(&any_port_call, &left, &right));
    cr_expect(!is_rescue(&bind_call, &right, &left), "a refusal that only the shim meets");

    right.error = 0;
    cr_expect(!is_rescue(&bind_call, &left, &right), "a success that has changed errno");
    right = worked();
    right.state.type = SOCK_DGRAM;
    cr_expect(!is_rescue(&bind_call, &left, &right), "UDP");
    right = worked();
    right.state.reuse_address = 1;
    cr_expect(!is_rescue(&bind_call, &left, &right), "SO_REUSEADDR was left on");
}

/* What becomes of a rescue to 127.0.0.1 past this holder. */
static enum likeness past(struct holder holder)
{
    static struct record record;
    record.holder_count = 1;
    record.holders[0] = holder;
    record.outcomes[0] = worked();
    struct difference difference = {.likeness = RESCUED};
    judge(&difference, &record, false);
    return difference.likeness;
}

Test(transparency, a_rescue_is_allowed_only_past_sockets_that_are_armed_and_do_not_listen)
{
    const struct holder armed = {.family = AF_INET,
                                 .tcp_state = TCP_ESTABLISHED,
                                 .reuse_address = 1,
                                 .history = HISTORY_ACCEPTED};
    struct holder holder = armed;
    cr_expect(past(holder) == RESCUED);

    holder.listening = 1;
    cr_expect(past(holder) == DIFFERENT, "past a listener");
    holder = armed;
    holder.reuse_address = 0;
    cr_expect(past(holder) == DIFFERENT, "past a socket without SO_REUSEADDR");
    holder = armed;
    holder.history = 0;
    cr_expect(past(holder) == DIFFERENT, "past a socket that should not be armed");
    holder.history = HISTORY_PROGRAM;
    cr_expect(past(holder) == RESCUED, "past a socket that the program has armed");
    holder = armed;
    memcpy(holder.host, (uint8_t[]){127, 0, 0, 2}, 4);
    cr_expect(past(holder) == DIFFERENT, "nobody holds this address");
    holder = (struct holder){.slot = -1, .family = AF_INET, .reuse_address = -1};
    cr_expect(past(holder) == RESCUED, "past a connection that is left over");
}
