#include "inet_diag.h"

#include "guest/kernel.h"
#include "sock_diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
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

/*
 * All sockets of TCP in one walk through the kernel's tables, which takes the time: the older form
 * of the request (inet_diag_dump_compat()) is for both families.
 */
static struct listing list_tcp(int fd, const struct inet_list *list,
                               void (*take)(void *context, const void *payload, size_t length),
                               void *context)
{
    const struct inet_diag_req request = {.idiag_family = AF_INET,
                                          .idiag_states = list->states,
                                          .id.idiag_sport = htons((uint16_t)list->port)};
    return sock_diag_list(fd, TCPDIAG_GETSOCK, &request, sizeof request, list->deadline, take,
                          context);
}

static struct listing list_family(int fd, int family, const struct inet_list *list,
                                  void (*take)(void *context, const void *payload, size_t length),
                                  void *context)
{
    const struct inet_diag_req_v2 request = {.sdiag_family = (uint8_t)family,
                                             .sdiag_protocol = (uint8_t)list->protocol,
                                             .idiag_states = list->states,
                                             .id.idiag_sport = htons((uint16_t)list->port)};
    return sock_diag_list(fd, SOCK_DIAG_BY_FAMILY, &request, sizeof request, list->deadline, take,
                          context);
}

struct listing inet_diag_list(const struct inet_list *list,
                              void (*take)(void *context, const void *payload, size_t length),
                              void *context)
{
    const int fd = sock_diag_open();
    if (fd < 0) {
        return (struct listing){.error = errno};
    }
    struct listing listing = {.complete = true};
    if (list->protocol == IPPROTO_TCP && !list->ipv6_only) {
        listing = list_tcp(fd, list, take, context);
    } else if (!list->ipv6_only) {
        listing = list_family(fd, AF_INET, list, take, context);
    }
    if (listing.complete && (list->protocol != IPPROTO_TCP || list->ipv6_only)) {
        listing = list_family(fd, AF_INET6, list, take, context);
    }
    kernel_close(fd);
    return listing;
}
