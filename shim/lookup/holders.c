#include "holders.h"

#include "guest/kernel.h"
#include "guest/kernel_sockets.h"
#include "inet_diag.h"
#include "proc_net.h"
#include "unix_holders.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

enum { LISTING_MS = 250, OWNER_MS = 250 };

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    return kernel_get_option(fd, level, name, &value, &length) ? value : 0;
}

/* 0 for protocols that cannot be looked up, and with `error` where it is not told. */
static int protocol_of(int fd, int *error)
{
    int protocol = 0;
    socklen_t length = sizeof protocol;
    *error = kernel_get_option(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) ? 0 : errno;
    if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP) {
        return IPPROTO_TCP;
    }
    return protocol == IPPROTO_UDP ? IPPROTO_UDP : 0;
}

/* The index of the interface that the socket is bound to. */
static unsigned int device_of(int fd)
{
    int index = 0;
    socklen_t length = sizeof index;
    if (kernel_get_option(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, &length)) {
        return (unsigned int)index;
    }
    char name[IF_NAMESIZE] = "";
    length = sizeof name;
    if (!kernel_get_option(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length) || name[0] == '\0') {
        return 0;
    }
    return DEVICE_UNKNOWN; /* a kernel before 5.0 tells only the name */
}

/* 0 where the kernel does not tell: before 5.14. */
static uint64_t network_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    return kernel_get_option(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length) ? cookie : 0;
}

/* Whether the socket is certainly not of the calling thread's network namespace. */
static bool is_of_other_network(int fd)
{
    const uint64_t network = network_of(fd);
    const int own_fd = network != 0 ? kernel_socket(AF_UNIX, SOCK_DGRAM, 0) : -1;
    if (own_fd < 0) {
        return false;
    }
    const uint64_t own_network = network_of(own_fd);
    kernel_close(own_fd);
    return own_network != 0 && network != own_network;
}

/* Of AF_UNIX, and neither empty nor for the kernel to choose. */
static bool is_name(const struct address *asked)
{
    return asked->length > offsetof(struct sockaddr_un, sun_path) &&
           asked->as.any.sa_family == AF_UNIX;
}

void holders_ask(struct holders_question *question, int fd, const struct address *asked)
{
    *question = (struct holders_question){.port = address_port(asked)};
    question->protocol = protocol_of(fd, &question->protocol_error);
    struct kernel_file file;
    if (kernel_file(fd, &file)) {
        question->except = file.inode;
        question->uid = file.uid;
    }
    question->other_network = is_of_other_network(fd);
    if (is_name(asked)) {
        question->name = asked;
        question->type = option(fd, SOL_SOCKET, SO_TYPE);
    }
    if (question->port == 0) {
        return;
    }
    claim_address(&question->claim, asked);
    if (option(fd, IPPROTO_IPV6, IPV6_V6ONLY) != 0) {
        question->claim.v6only = V6ONLY_YES;
    }
    question->shares_port = option(fd, SOL_SOCKET, SO_REUSEPORT) != 0;
    const unsigned int device = device_of(fd);
    if (device != 0) {
        question->claim.device = device;
    }
}

struct tally {
    const struct holders_question *question;
    struct holders *holders;
    bool bound_listed; /* on whatever port: so this kernel can list them */
    enum overlap best_overlap;
    struct listed best;
};

static bool is_exact_address(const struct tally *tally, const struct listed *socket)
{
    return IN6_ARE_ADDR_EQUAL(&socket->claim.ip, &tally->question->claim.ip);
}

/* Whether this is a better one to name than the best so far. */
static bool is_better(const struct tally *tally, const struct listed *socket, enum overlap overlap)
{
    const struct listed *best = &tally->best;
    if (tally->holders->total == 0) {
        return true;
    }
    if (socket->state != best->state) {
        return socket->state < best->state;
    }
    const bool is_exact = is_exact_address(tally, socket);
    if (is_exact != is_exact_address(tally, best)) {
        return is_exact;
    }
    if (overlap != tally->best_overlap) {
        return overlap > tally->best_overlap;
    }
    if ((socket->inode != 0) != (best->inode != 0)) {
        return socket->inode != 0;
    }
    return socket->remaining_ms > best->remaining_ms;
}

static void count(void *context, const struct listed *socket)
{
    struct tally *tally = context;
    struct holders *holders = tally->holders;
    const struct holders_question *question = tally->question;
    tally->bound_listed |= socket->state == STATE_BOUND;
    if (socket->port != question->port ||
        (question->except != 0 && socket->inode == question->except)) {
        return;
    }
    const enum overlap overlap = claim_overlap(&question->claim, &socket->claim);
    if (overlap == OVERLAP_NONE) {
        return;
    }
    if (is_better(tally, socket, overlap)) {
        tally->best = *socket;
        tally->best_overlap = overlap;
    }
    holders->total++;
    holders->count[socket->state]++;
    holders->unsure += overlap == OVERLAP_UNSURE;
    if (socket->state == STATE_TIME_WAIT && socket->remaining_ms > holders->time_wait_ms) {
        holders->time_wait_ms = socket->remaining_ms;
    }
    if (socket->timed && socket->remaining_ms > holders->timed_ms) {
        holders->timed_ms = socket->remaining_ms;
    }
}

static void count_payload(void *context, const void *payload, size_t length)
{
    struct listed socket;
    if (inet_diag_parse(payload, length, &socket)) {
        count(context, &socket);
    }
}

/* Sockets of AF_INET do not meet one that is for IPv6 alone. */
static bool is_ipv6_only(const struct claim *claim)
{
    const bool is_any = IN6_IS_ADDR_UNSPECIFIED(&claim->ip);
    return is_any ? claim->v6only == V6ONLY_YES : !IN6_IS_ADDR_V4MAPPED(&claim->ip);
}

static bool list_by_netlink(struct tally *tally, int64_t deadline)
{
    const struct holders_question *question = tally->question;
    const struct inet_list list = {.protocol = question->protocol,
                                   .port = question->port,
                                   .states = INET_DIAG_ALL_STATES,
                                   .ipv6_only = is_ipv6_only(&question->claim),
                                   .deadline = deadline};
    const struct listing listing = inet_diag_list(&list, count_payload, tally);
    tally->holders->source = HOLDERS_BY_SOCK_DIAG;
    tally->holders->complete = listing.complete;
    tally->holders->netlink_error = listing.error;
    return listing.error == 0;
}

static bool list_by_proc(struct tally *tally, int64_t deadline)
{
    const struct holders_question *question = tally->question;
    const struct listing listing =
        proc_net_list(question->protocol, is_ipv6_only(&question->claim), deadline, count, tally);
    tally->holders->source = HOLDERS_BY_PROC;
    tally->holders->complete = listing.complete;
    tally->holders->proc_error = listing.error;
    return listing.error == 0;
}

static void name_holder(struct holder *named, const struct listed *socket)
{
    named->state = socket->state;
    listed_address(&named->local, socket, &socket->claim.ip, socket->port);
    if (socket->peer_port != 0) {
        listed_address(&named->peer, socket, &socket->peer, socket->peer_port);
    }
    listed_device(named->device, socket->claim.device);
    named->timed = socket->timed;
    named->remaining_ms = socket->remaining_ms;
    named->inode = socket->inode;
    named->uid = socket->uid;
}

static void finish(struct tally *tally)
{
    struct holders *holders = tally->holders;
    holders->bound_seen = tally->question->protocol != IPPROTO_TCP ||
                          (holders->source == HOLDERS_BY_SOCK_DIAG &&
                           (tally->bound_listed || kernel_is_at_least(6, 8)));
    if (holders->total == 0) {
        return;
    }
    name_holder(&holders->named, &tally->best);
    holders->asker_shares_port = tally->question->shares_port;
    holders->asker_uid = tally->question->uid;
    if (holders->named.peer.length != 0) {
        local_ports_read(&holders->local_ports);
    }
}

static void find_on_port(const struct holders_question *question, int64_t deadline,
                         struct holders *holders)
{
    struct tally tally = {.question = question, .holders = holders};
    if (!list_by_netlink(&tally, deadline)) {
        *holders = (struct holders){.netlink_error = holders->netlink_error};
        tally = (struct tally){.question = question, .holders = holders};
        if (!list_by_proc(&tally, deadline)) {
            *holders = (struct holders){.source = HOLDERS_REFUSED,
                                        .netlink_error = holders->netlink_error,
                                        .proc_error = holders->proc_error};
        }
    }
    finish(&tally);
}

void holders_find_in(const struct holders_list *list, const struct holders_question *question,
                     struct holders *holders)
{
    *holders = (struct holders){.source = list->netlink_error == 0 ? HOLDERS_BY_SOCK_DIAG
                                          : list->proc_error == 0  ? HOLDERS_BY_PROC
                                                                   : HOLDERS_REFUSED,
                                .netlink_error = list->netlink_error,
                                .proc_error = list->proc_error,
                                .complete = list->complete};
    struct tally tally = {.question = question, .holders = holders};
    for (size_t i = 0; i < list->count; i++) {
        count(&tally, list->at(list->context, i));
    }
    finish(&tally);
}

void holders_find(const struct holders_question *question, struct holders *holders)
{
    *holders = (struct holders){0};
    const int64_t deadline = kernel_milliseconds() + LISTING_MS;
    const bool has_port = question->protocol != 0 && question->port != 0;
    holders->protocol_error = question->protocol_error;
    if (question->name == NULL && question->port != 0 && question->protocol_error != 0) {
        holders->source = HOLDERS_NO_PROTOCOL;
    } else if (question->name == NULL && !has_port) {
        holders->source = HOLDERS_NO_QUESTION;
    } else if (question->other_network) {
        holders->source = HOLDERS_OTHER_NETWORK;
    } else if (question->name != NULL) {
        unix_holders_find(question, deadline, holders);
    } else {
        find_on_port(question, deadline, holders);
    }
}

void holders_find_owner(struct holders *holders)
{
    if (holders->total > 0) {
        struct holder *named = &holders->named;
        owner_find(named->inode, named->uid, kernel_milliseconds() + OWNER_MS, &named->owner);
    }
}

void holders_find_sharers(struct holders *holders)
{
    struct holder *named = &holders->named;
    if (holders->total > 0 && named->owner.this_process) {
        owner_find_sharers(named->inode, named->uid, kernel_milliseconds() + OWNER_MS,
                           &named->owner);
    }
}
