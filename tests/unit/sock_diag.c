#include "lookup/sock_diag.h"

#include "guest/kernel.h"
#include "lookup/inet_diag.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(sock_diag);

/* What a kernel might send: messages, one after the other. */
struct datagram {
    size_t length;
    char bytes[32768];
};

static void *append(struct datagram *datagram, uint16_t type, const void *payload, size_t length)
{
    struct nlmsghdr header = {.nlmsg_len = (uint32_t)(sizeof header + length), .nlmsg_type = type};
    char *start = &datagram->bytes[datagram->length];
    memcpy(start, &header, sizeof header);
    memcpy(start + sizeof header, payload, length);
    datagram->length += NLMSG_ALIGN(header.nlmsg_len);
    return start;
}

static void append_socket(struct datagram *datagram, uint32_t inode)
{
    struct inet_diag_msg socket = {
        .idiag_family = AF_INET, .idiag_state = 10, .idiag_inode = inode};
    append(datagram, SOCK_DIAG_BY_FAMILY, &socket, sizeof socket);
}

static void append_end(struct datagram *datagram, int error)
{
    append(datagram, NLMSG_DONE, &error, sizeof error);
}

/* The other side of a conversation: [0] is ours, [1] the kernel's. */
static void open_conversation(int ends[2])
{
    const int room = 1 << 20;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
}

static void put(int fd, const struct datagram *datagram)
{
    cr_assert_eq(send(fd, datagram->bytes, datagram->length, MSG_DONTWAIT),
                 (ssize_t)datagram->length, "%s", strerror(errno));
}

struct taken {
    unsigned int count;
    unsigned int sum;
};

static void take(void *context, const void *payload, size_t length)
{
    struct taken *taken = context;
    struct listed socket;
    if (inet_diag_parse(payload, length, &socket)) {
        taken->count++;
        taken->sum += (unsigned int)socket.inode;
    }
}

static struct listing listen_to(int fd, struct taken *taken)
{
    const char request[4] = "";
    *taken = (struct taken){0};
    return sock_diag_list(fd, SOCK_DIAG_BY_FAMILY, request, sizeof request,
                          kernel_milliseconds() + 10000, take, taken);
}

Test(sock_diag, a_list_may_come_in_many_datagrams)
{
    int ends[2];
    struct taken taken;
    open_conversation(ends);
    for (uint32_t i = 1; i <= 5; i++) {
        struct datagram datagram = {0};
        append_socket(&datagram, i);
        if (i == 5) {
            append_end(&datagram, 0);
        }
        put(ends[1], &datagram);
    }
    const struct listing listing = listen_to(ends[0], &taken);
    cr_assert_eq(listing.error, 0);
    cr_assert(listing.complete);
    cr_assert_eq(taken.count, 5);
    cr_assert_eq(taken.sum, 15);
}

/* Kernels with large pages send up to 8 KiB at once. */
Test(sock_diag, a_datagram_larger_than_the_buffer_is_read_whole)
{
    for (uint32_t sockets = 1; sockets <= 92; sockets++) {
        int ends[2];
        struct taken taken;
        open_conversation(ends);
        struct datagram datagram = {0};
        for (uint32_t i = 1; i <= sockets; i++) {
            append_socket(&datagram, i);
        }
        put(ends[1], &datagram);
        datagram.length = 0;
        append_end(&datagram, 0);
        put(ends[1], &datagram);
        const struct listing listing = listen_to(ends[0], &taken);
        cr_assert(listing.complete);
        cr_assert_eq(taken.count, sockets, "%u of %u", taken.count, sockets);
        cr_assert_eq(taken.sum, sockets * (sockets + 1) / 2);
        close(ends[0]);
        close(ends[1]);
    }
}

Test(sock_diag, a_datagram_that_is_too_large_makes_the_list_incomplete)
{
    int ends[2];
    struct taken taken;
    open_conversation(ends);
    struct datagram datagram = {0};
    for (uint32_t i = 0; i < 200; i++) {
        append_socket(&datagram, 1);
    }
    append_end(&datagram, 0);
    put(ends[1], &datagram);
    const struct listing listing = listen_to(ends[0], &taken);
    cr_assert_not(listing.complete);
    cr_assert_eq(listing.error, 0);
    cr_assert(taken.count > 90 && taken.count < 200, "%u", taken.count);
}

Test(sock_diag, a_list_without_an_end_is_incomplete)
{
    int ends[2];
    struct taken taken;
    open_conversation(ends);
    struct datagram datagram = {0};
    append_socket(&datagram, 1);
    put(ends[1], &datagram);
    const struct listing listing = listen_to(ends[0], &taken);
    cr_assert_not(listing.complete);
    cr_assert_eq(taken.count, 1);
}

Test(sock_diag, a_refusal_is_told_by_its_error)
{
    int ends[2];
    struct taken taken;
    struct nlmsgerr refusal = {.error = -ENOENT};
    open_conversation(ends);
    struct datagram datagram = {0};
    append(&datagram, NLMSG_ERROR, &refusal, sizeof refusal);
    put(ends[1], &datagram);
    struct listing listing = listen_to(ends[0], &taken);
    cr_assert_eq(listing.error, ENOENT);
    cr_assert_not(listing.complete);
    char request[64];
    cr_assert_gt(recv(ends[1], request, sizeof request, 0), 0);

    datagram.length = 0;
    append_end(&datagram, -EINVAL);
    put(ends[1], &datagram);
    listing = listen_to(ends[0], &taken);
    cr_assert_eq(listing.error, EINVAL);

    listing = listen_to(-1, &taken);
    cr_assert_eq(listing.error, EBADF);
}

Test(sock_diag, messages_of_other_kinds_are_skipped)
{
    struct datagram datagram = {0};
    append(&datagram, NLMSG_NOOP, "abc", 3);
    const struct diag_message message = sock_diag_parse(datagram.bytes, datagram.length);
    cr_assert_eq(message.kind, DIAG_OTHER);
    cr_assert_eq(message.length, 3);
    cr_assert_eq(message.size, datagram.length);
}

Test(sock_diag, every_state_of_the_kernel_is_known)
{
    static const enum state states[] = {
        STATES,          STATE_ESTABLISHED, STATE_SYN_SENT, STATE_SYN_RECV,   STATE_FIN_WAIT1,
        STATE_FIN_WAIT2, STATE_TIME_WAIT,   STATE_BOUND,    STATE_CLOSE_WAIT, STATE_LAST_ACK,
        STATE_LISTEN,    STATE_CLOSING,     STATE_SYN_RECV, STATE_BOUND,      STATES,
    };
    for (unsigned int i = 0; i < sizeof states / sizeof states[0]; i++) {
        cr_assert_eq(state_from_kernel(i), states[i], "%u", i);
    }
    cr_assert_eq(state_from_kernel(UINT32_MAX), STATES);
}

/* Copies into memory of exactly this size, so that AddressSanitizer sees every byte too many. */
static void parse_exactly(const char *bytes, size_t length)
{
    char *copy = malloc(length + 1); /* malloc(0) may be null */
    memcpy(copy + 1, bytes, length);
    size_t done = 0;
    while (done < length) {
        const struct diag_message message = sock_diag_parse(copy + 1 + done, length - done);
        if (message.kind == DIAG_PARTIAL) {
            break;
        }
        struct listed socket;
        cr_assert_gt(message.size, 0);
        cr_assert_leq(message.size, length - done);
        cr_assert_leq((const char *)message.payload + message.length, copy + 1 + length);
        inet_diag_parse(message.payload, message.length, &socket);
        done += message.size;
    }
    free(copy);
}

Test(sock_diag, a_message_cut_off_anywhere_is_not_read_beyond_its_end)
{
    struct datagram datagram = {0};
    struct {
        struct inet_diag_msg socket;
        struct nlattr header;
        unsigned char v6only;
    } payload = {.socket = {.idiag_family = AF_INET6, .idiag_state = 10},
                 .header = {.nla_len = sizeof(struct nlattr) + 1, .nla_type = 11},
                 .v6only = 1};
    append(&datagram, SOCK_DIAG_BY_FAMILY, &payload, sizeof payload);
    append_end(&datagram, 0);
    for (size_t length = 0; length <= datagram.length; length++) {
        parse_exactly(datagram.bytes, length);
    }
    struct listed socket;
    for (size_t length = 0; length < sizeof payload; length++) {
        const bool is_whole = length >= sizeof payload.socket;
        cr_assert_eq(inet_diag_parse(&payload, length, &socket), is_whole);
    }
    cr_assert(inet_diag_parse(&payload, sizeof payload, &socket));
    cr_assert_eq(socket.claim.v6only, V6ONLY_YES);
}

Test(sock_diag, lengths_that_cannot_be_right_end_the_reading)
{
    const uint32_t lengths[] = {0, 1, 15, 17, 1000, UINT32_MAX, UINT32_MAX - 3};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        const struct nlmsghdr header = {.nlmsg_len = lengths[i]};
        const struct diag_message message = sock_diag_parse(&header, sizeof header);
        cr_assert_eq(message.kind, DIAG_PARTIAL, "length %u", lengths[i]);
    }
    const uint16_t attribute_lengths[] = {0, 1, 3, 9, UINT16_MAX};
    for (size_t i = 0; i < sizeof attribute_lengths / sizeof attribute_lengths[0]; i++) {
        struct {
            struct nlattr header;
            uint32_t value;
        } const attribute = {.header = {.nla_len = attribute_lengths[i]}};
        struct diag_attribute found;
        size_t offset = 0;
        cr_assert_not(sock_diag_attribute(&attribute, sizeof attribute, &offset, &found),
                      "length %u", attribute_lengths[i]);
    }
}

Test(sock_diag, random_bytes_do_no_harm)
{
    unsigned int seed = 1;
    for (int round = 0; round < 20000; round++) {
        struct datagram datagram = {0};
        for (uint32_t i = 0; i < 3; i++) {
            append_socket(&datagram, i);
        }
        append_end(&datagram, 0);
        for (int i = 0; i < 8; i++) {
            datagram.bytes[(unsigned)rand_r(&seed) % datagram.length] = (char)rand_r(&seed);
        }
        parse_exactly(datagram.bytes, (unsigned)rand_r(&seed) % datagram.length);
    }
}
