#include "inet_diag.h"

#include "guest/kernel.h"
#include "sock_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <string.h>
#include <sys/socket.h>

/* The timer of what is left of a connection: inet_twsk_diag_fill(). */
enum { TIMER_TIME_WAIT = 3 };

/* INET_DIAG_SKV6ONLY of <linux/inet_diag.h>, since Linux 4.3; only of sockets without a peer. */
enum { ATTRIBUTE_V6ONLY = 11 };

static struct in6_addr ip_from(int family, const uint32_t words[4])
{
    if (family == AF_INET) {
        return claim_mapped(words[0]);
    }
    struct in6_addr ip;
    memcpy(&ip, words, sizeof ip);
    return ip;
}

static enum v6only v6only_from(const void *payload, size_t length)
{
    size_t offset = sizeof(struct inet_diag_msg);
    struct diag_attribute attribute;
    while (sock_diag_attribute(payload, length, &offset, &attribute)) {
        if (attribute.type == ATTRIBUTE_V6ONLY && attribute.length == 1) {
            return *(const unsigned char *)attribute.value != 0 ? V6ONLY_YES : V6ONLY_NO;
        }
    }
    return V6ONLY_UNKNOWN;
}

bool inet_diag_parse(const void *payload, size_t length, struct listed *socket)
{
    struct inet_diag_msg message;
    if (length < sizeof message) {
        return false;
    }
    memcpy(&message, payload, sizeof message);
    const int family = message.idiag_family;
    const enum state state = state_from_kernel(message.idiag_state);
    if ((family != AF_INET && family != AF_INET6) || state == STATES) {
        return false;
    }
    const bool timed = message.idiag_timer == TIMER_TIME_WAIT;
    *socket = (struct listed){
        .state = state,
        .family = family,
        .claim = {.ip = ip_from(family, message.id.idiag_src),
                  .v6only = v6only_from(payload, length),
                  .device = message.id.idiag_if},
        .peer = ip_from(family, message.id.idiag_dst),
        .port = ntohs(message.id.idiag_sport),
        .peer_port = ntohs(message.id.idiag_dport),
        .timed = timed,
        .remaining_ms = timed ? message.idiag_expires : 0,
        .uid = message.idiag_uid,
        .inode = message.idiag_inode,
    };
    return true;
}

struct taker {
    void (*take)(void *context, const struct listed *socket);
    void *context;
};

static void take_payload(void *context, const void *payload, size_t length)
{
    const struct taker *taker = context;
    struct listed socket;
    if (inet_diag_parse(payload, length, &socket)) {
        taker->take(taker->context, &socket);
    }
}

/*
 * Every state there is. TCP_BOUND_INACTIVE (13) is a bit that a kernel before 6.8 does not look at;
 * the list of these sockets is not filtered by port.
 */
enum { ALL_STATES = (1 << 14) - 1 };

struct listing inet_diag_list(const struct inet_list *list,
                              void (*take)(void *context, const struct listed *socket),
                              void *context)
{
    const int fd = sock_diag_open();
    if (fd < 0) {
        return (struct listing){.error = errno};
    }
    struct taker taker = {take, context};
    struct inet_diag_req_v2 request = {.sdiag_family = AF_INET,
                                       .sdiag_protocol = (uint8_t)list->protocol,
                                       .idiag_states = ALL_STATES,
                                       .id.idiag_sport = htons((uint16_t)list->port)};
    struct listing listing = {.complete = true};
    if (!list->ipv6_only) {
        listing =
            sock_diag_list(fd, &request, sizeof request, list->deadline, take_payload, &taker);
    }
    if (listing.complete) {
        request.sdiag_family = AF_INET6;
        listing =
            sock_diag_list(fd, &request, sizeof request, list->deadline, take_payload, &taker);
    }
    kernel_close(fd);
    return listing;
}
