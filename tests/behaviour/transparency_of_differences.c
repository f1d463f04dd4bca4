/*
 * The test of the test: what the comparison of two runs takes for a difference, for a rescue, and
 * for one that is allowed.
 */
#include "sequence_bench.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Two equal runs of a few sequences. */
static struct bench equal_runs(void)
{
    enum { SEED = 1, FEW = 40 };
    struct bench bench = bench_create(WITHOUT_SHIM, SEED, FEW);
    for (uint64_t i = 0; i < FEW; i++) {
        struct sequence sequence;
        sequence_generate(&sequence, sequence_seed(SEED, i));
        bench_add(&bench, &sequence);
    }
    bench_run(&bench);
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
                cr_expect(bench_difference(&bench, number).likeness == DIFFERENT,
                          "call %" PRIu32 ", offset %zu", i, parts[part]);
                *outcome = before;
            }
        }
        cr_expect(bench_difference(&bench, number).likeness == SAME);
    }
}

Test(transparency, so_reuseaddr_may_differ_only_where_the_shim_arms)
{
    cr_expect(difference_may_be_armed(0, 1, HISTORY_LISTENED));
    cr_expect(difference_may_be_armed(0, 1, HISTORY_ACCEPTED));
    cr_expect(!difference_may_be_armed(0, 1, 0));
    cr_expect(!difference_may_be_armed(0, 1, HISTORY_BOUND_WITH_REUSE));
    cr_expect(!difference_may_be_armed(0, 1, HISTORY_LISTENED | HISTORY_PROGRAM));
    cr_expect(!difference_may_be_armed(1, 0, HISTORY_LISTENED));
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
    cr_expect(difference_is_rescue(&bind_call, &left, &right));
    cr_expect(!difference_is_rescue(&connect_call, &left, &right));
    cr_expect(!difference_is_rescue(&any_port_call, &left, &right));
    cr_expect(!difference_is_rescue(&bind_call, &right, &left),
              "a refusal that only the shim meets");

    right.error = 0;
    cr_expect(!difference_is_rescue(&bind_call, &left, &right), "a success that has changed errno");
    right = worked();
    right.state.type = SOCK_DGRAM;
    cr_expect(!difference_is_rescue(&bind_call, &left, &right), "UDP");
    right = worked();
    right.state.reuse_address = 1;
    cr_expect(!difference_is_rescue(&bind_call, &left, &right), "SO_REUSEADDR was left on");
}

/* What becomes of a rescue to 127.0.0.1 past this holder. */
static enum likeness past(struct holder holder)
{
    static struct record record;
    record.holder_count = 1;
    record.holders[0] = holder;
    record.outcomes[0] = worked();
    struct difference difference = {.likeness = RESCUED};
    difference_judge(&difference, &record, false);
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
