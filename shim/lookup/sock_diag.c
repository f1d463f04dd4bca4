#include "sock_diag.h"

#include "guest/kernel.h"
#include "guest/kernel_sockets.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <string.h>
#include <sys/socket.h>

/* Where the next of several messages or attributes begins. */
static size_t aligned(size_t offset)
{
    return (offset + NLMSG_ALIGNTO - 1) & ~(size_t)(NLMSG_ALIGNTO - 1);
}

struct diag_message sock_diag_parse(const void *bytes, size_t length)
{
    struct diag_message message = {.kind = DIAG_PARTIAL};
    struct nlmsghdr header;
    if (length < sizeof header) {
        return message;
    }
    memcpy(&header, bytes, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > length) {
        return message;
    }
    message.payload = (const char *)bytes + sizeof header;
    message.length = header.nlmsg_len - sizeof header;
    message.size = aligned(header.nlmsg_len) < length ? aligned(header.nlmsg_len) : length;
    switch (header.nlmsg_type) {
    case SOCK_DIAG_BY_FAMILY:
    case TCPDIAG_GETSOCK:
        message.kind = DIAG_SOCKET;
        break;
    case NLMSG_DONE:
        message.kind = DIAG_END;
        break;
    case NLMSG_ERROR:
        message.kind = DIAG_ERROR;
        break;
    default:
        message.kind = DIAG_OTHER;
    }
    /* Both begin with an errno, negative. The kernel may end a list without. */
    int error = 0;
    if (message.length >= sizeof error) {
        memcpy(&error, message.payload, sizeof error);
    }
    const bool has_error = message.kind == DIAG_END || message.kind == DIAG_ERROR;
    message.error = has_error && error < 0 && error > -4096 ? -error : 0;
    return message;
}

bool sock_diag_attribute(const void *payload, size_t length, size_t *offset,
                         struct diag_attribute *attribute)
{
    struct nlattr header;
    const size_t start = aligned(*offset);
    if (start > length || length - start < sizeof header) {
        return false;
    }
    const char *const bytes = (const char *)payload + start;
    memcpy(&header, bytes, sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > length - start) {
        return false;
    }
    attribute->type = (uint16_t)(header.nla_type & NLA_TYPE_MASK);
    attribute->value = bytes + sizeof header;
    attribute->length = header.nla_len - sizeof header;
    *offset = start + header.nla_len;
    return true;
}

int sock_diag_open(void)
{
    return kernel_socket(AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG);
}

enum { LARGEST_REQUEST = 64 };

static bool send_request(int netlink_fd, unsigned int type, const void *request, size_t size)
{
    struct {
        struct nlmsghdr header;
        char request[LARGEST_REQUEST];
    } message = {.header = {.nlmsg_len = (uint32_t)(sizeof message.header + size),
                            .nlmsg_type = (uint16_t)type,
                            .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}};
    memcpy(message.request, request, size);
    const long sent = kernel_send(netlink_fd, &message, message.header.nlmsg_len);
    return sent == (long)message.header.nlmsg_len;
}

/*
 * The kernel packs its messages into datagrams of nearly a page (NLMSG_GOODSIZE, up to 8 KiB),
 * which is much on a small stack: they are read piece by piece. A piece holds the largest message.
 */
enum { PIECE = 1280 };

struct reader {
    void (*take)(void *context, const void *payload, size_t length);
    void *context;
    struct listing listing;
    bool ended;
};

/* Reads the messages that are there whole; the result is how many bytes they are. */
static size_t read_messages(struct reader *reader, const char *bytes, size_t length)
{
    size_t done = 0;
    while (!reader->ended && done < length) {
        const struct diag_message message = sock_diag_parse(bytes + done, length - done);
        if (message.kind == DIAG_PARTIAL) {
            break;
        }
        if (message.kind == DIAG_SOCKET) {
            reader->take(reader->context, message.payload, message.length);
        }
        if (message.kind == DIAG_END || message.kind == DIAG_ERROR) {
            reader->ended = true;
            reader->listing.error = message.error;
            reader->listing.complete = message.error == 0;
        }
        done += message.size;
    }
    return done;
}

/*
 * False where it could not be read to its end. An errno of the kernel's, or a filter's, is one for
 * the whole list; a datagram that is too large for the shim (EMSGSIZE) only makes it incomplete.
 */
static bool read_datagram(struct reader *reader, int netlink_fd)
{
    char piece[PIECE];
    size_t skip = 0;
    size_t end = SIZE_MAX;
    do {
        const long length = kernel_peek(netlink_fd, piece, sizeof piece, skip, end);
        if (length < 0) {
            reader->listing.error = errno != EMSGSIZE ? errno : 0;
            return false;
        }
        end = (size_t)length;
        const size_t left = end - skip;
        const size_t done = read_messages(reader, piece, left < sizeof piece ? left : sizeof piece);
        if (done == 0) {
            return false;
        }
        skip += done;
    } while (skip < end && !reader->ended);
    if (!kernel_drop(netlink_fd)) {
        reader->listing.error = errno;
        reader->listing.complete = false;
        return false;
    }
    return true;
}

struct listing sock_diag_list(int netlink_fd, unsigned int type, const void *request, size_t size,
                              int64_t deadline,
                              void (*take)(void *context, const void *payload, size_t length),
                              void *context)
{
    struct reader reader = {.take = take, .context = context};
    if (size > LARGEST_REQUEST || !send_request(netlink_fd, type, request, size)) {
        reader.listing.error = errno;
        return reader.listing;
    }
    while (!reader.ended && read_datagram(&reader, netlink_fd) && !kernel_is_past(deadline)) {
    }
    return reader.listing;
}
