/*
 * Replies of NETLINK_SOCK_DIAG: any bytes must be taken apart without reading beyond them, and
 * what is found must be within them.
 */
#include "fuzz.h"

#include "lookup/inet_diag.h"
#include "lookup/sock_diag.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

static void check_attributes(const char *payload, size_t length, size_t offset)
{
    struct diag_attribute attribute;
    size_t before = offset;
    while (sock_diag_attribute(payload, length, &offset, &attribute)) {
        MUST(offset > before && offset <= length);
        MUST((const char *)attribute.value >= payload + before);
        MUST((const char *)attribute.value + attribute.length <= payload + length);
        before = offset;
    }
}

static void check_socket(const void *payload, size_t length)
{
    struct listed socket;
    check_attributes(payload, length, 0);
    check_attributes(payload, length, sizeof(struct inet_diag_msg));
    if (!inet_diag_parse(payload, length, &socket)) {
        return;
    }
    MUST(length >= sizeof(struct inet_diag_msg));
    MUST(socket.state < STATES);
    MUST(socket.family == AF_INET || socket.family == AF_INET6);
    MUST(socket.timed || socket.remaining_ms == 0);
    MUST(socket.claim.v6only <= V6ONLY_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const struct diag_message message = sock_diag_parse(data + done, size - done);
        if (message.kind == DIAG_PARTIAL) {
            break;
        }
        const uint8_t *const payload = message.payload;
        MUST(message.size > 0 && message.size <= size - done);
        MUST(payload >= data + done && payload + message.length <= data + done + message.size);
        MUST(message.error >= 0 && message.error < 4096);
        check_socket(payload, message.length);
        done += message.size;
    }
    check_socket(data, size);
    return 0;
}

/* One socket as the kernel lists it, and the end of the list. */
static size_t write_reply(uint8_t *data, size_t room)
{
    struct {
        struct {
            struct nlmsghdr header;
            struct inet_diag_msg socket;
            struct nlattr attribute;
            uint32_t value;
        } socket;
        struct {
            struct nlmsghdr header;
            int error;
        } end;
    } reply = {
        .socket = {.header = {.nlmsg_len = sizeof reply.socket, .nlmsg_type = SOCK_DIAG_BY_FAMILY},
                   .socket = {.idiag_family = AF_INET6, .idiag_state = 10, .idiag_inode = 4711},
                   .attribute = {.nla_len = sizeof reply.socket.attribute + 1, .nla_type = 11},
                   .value = 1},
        .end = {.header = {.nlmsg_len = sizeof reply.end, .nlmsg_type = NLMSG_DONE}},
    };
    const size_t size = sizeof reply < room ? sizeof reply : room;
    memcpy(data, &reply, size);
    return size;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed);

/* Begins with a reply as the kernel writes it, which chance would find late. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
    if (size < sizeof(struct nlmsghdr) || seed % 64 == 0) {
        size = write_reply(data, room);
    }
    return LLVMFuzzerMutate(data, size, room);
}
