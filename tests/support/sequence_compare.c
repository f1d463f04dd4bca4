#include "sequence_compare.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- comparing --------------------------------------------------------------------------- */

__attribute__((format(printf, 3, 4))) void
difference_set(struct difference *difference, uint32_t operation, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(difference->text, sizeof difference->text, format, arguments);
    va_end(arguments);
    difference->likeness = DIFFERENT;
    difference->operation = operation;
}

/* "-1 EADDRINUSE", "3", or "3 EINVAL" where a success has changed errno. */
const char *outcome_text(const struct outcome *outcome, char *text, size_t size)
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

/* Whether the shim may have switched SO_REUSEADDR on, and the program has left it so. */
bool difference_may_be_armed(int32_t left, int32_t right, int32_t history)
{
    const int32_t by_shim = HISTORY_LISTENED | HISTORY_ACCEPTED;
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
        difference_set(difference, operation,
                       "the descriptor is %s without the shim, and %s with it",
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
            difference_may_be_armed(values[LEFT], values[RIGHT], right->history)) {
            difference->likeness = ARMED;
            continue;
        }
        difference_set(difference, operation,
                       "%s of the socket is %" PRId32 " without the shim, and %" PRId32 " with it",
                       fields[i].name, values[LEFT], values[RIGHT]);
        return;
    }
    if (memcmp(left->state.name, right->state.name, LONGEST_NAME) != 0) {
        difference_set(difference, operation, "getsockname() tells another address with the shim");
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
bool difference_is_rescue(const struct operation *operation, const struct outcome *left,
                          const struct outcome *right)
{
    const int32_t reuse[SIDES] = {left->state.reuse_address, right->state.reuse_address};
    return asks_for_a_port(operation) && is_tcp_over_ip(&right->state) && left->result == -1 &&
           left->error == EADDRINUSE && right->result == 0 && right->error == ERRNO_BEFORE &&
           left->state.reuse_port == right->state.reuse_port &&
           (reuse[LEFT] == reuse[RIGHT] ||
            difference_may_be_armed(reuse[LEFT], reuse[RIGHT], right->history));
}

static void compare_outcomes(struct difference *difference, const struct sequence *sequence,
                             uint32_t i, const struct outcome *left, const struct outcome *right)
{
    const struct operation *operation = &sequence->operations[i];
    if (left->made != right->made) {
        difference_set(difference, i, "the call has not returned");
        return;
    }
    if (left->result != right->result || left->error != right->error) {
        char texts[SIDES][48];
        difference_set(difference, i, "%s() without the shim: %s; with it: %s",
                       sequence_call_name((enum call)operation->call),
                       outcome_text(left, texts[LEFT], sizeof texts[LEFT]),
                       outcome_text(right, texts[RIGHT], sizeof texts[RIGHT]));
        if (difference_is_rescue(operation, left, right)) {
            difference->likeness = RESCUED;
        }
        return;
    }
    if (left->value != right->value) {
        if (operation->numbers[0] == SOL_SOCKET && operation->numbers[1] == SO_REUSEADDR &&
            difference_may_be_armed(left->value, right->value, right->history)) {
            difference->likeness = ARMED;
        } else {
            difference_set(difference, i,
                           "the value is %" PRId32 " without the shim, and %" PRId32 " with it",
                           left->value, right->value);
            return;
        }
    }
    compare_states(difference, i, left, right);
}

/* The first difference that is more than ARMED; a descriptor left open is more than RESCUED. */
struct difference difference_between(const struct sequence *sequence, const struct record *left,
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
        difference_set(&difference, sequence->length,
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
        return (holder->history & (HISTORY_LISTENED | HISTORY_ACCEPTED | HISTORY_PROGRAM)) != 0
                   ? NULL
                   : "has SO_REUSEADDR and has neither listened, nor was it accepted, nor did the "
                     "program set it";
    }
    return kernel_remembers_binding && (holder->history & HISTORY_BOUND_WITH_REUSE) != 0
               ? NULL
               : "is not armed";
}

/* Makes a RESCUED difference DIFFERENT where the holders of the port do not justify it. */
void difference_judge(struct difference *difference, const struct record *record,
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
            difference_set(difference, operation,
                           "it took the port from s%" PRId32 ", which %s (state %" PRId32 ")",
                           holder->slot, wrong, holder->tcp_state);
            return;
        }
        if (wrong != NULL) {
            difference_set(difference, operation, "it took the port from a socket that %s", wrong);
            return;
        }
        held = true;
    }
    if (!held) {
        difference_set(difference, operation,
                       "it was refused without the shim, and with the shim nobody holds the port");
    }
}
