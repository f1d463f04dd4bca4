#include "socket_list.h"

#include "explain/explain.h"
#include "guest/kernel.h"
#include "lookup/inet_diag.h"
#include "lookup/local_ports.h"
#include "lookup/proc_net.h"
#include "lookup/sock_diag.h"
#include "terminal/output.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SOCK_DESTROY
#define SOCK_DESTROY 21 /* since Linux 4.5 */
#endif

enum { LISTING_MS = 10000 };

struct wanted {
    struct sockets *sockets;
    unsigned int port;
    unsigned int states;
};

static void take(const struct wanted *wanted, const struct listed *facts,
                 const struct inet_diag_sockid *id)
{
    struct sockets *sockets = wanted->sockets;
    if ((wanted->states & SOCKETS_IN(facts->state)) == 0 || facts->port == 0 ||
        (wanted->port != 0 && facts->port != wanted->port)) {
        return;
    }
    if (sockets->count == sockets->room) {
        const size_t room = sockets->room > 0 ? sockets->room * 2 : 64;
        struct entry *larger = output_allocate(room, sizeof *larger);
        if (sockets->count > 0) {
            memcpy(larger, sockets->entries, sockets->count * sizeof *larger);
        }
        free(sockets->entries);
        sockets->entries = larger;
        sockets->room = room;
    }
    struct entry *entry = &sockets->entries[sockets->count++];
    entry->facts = *facts;
    entry->has_id = id != NULL;
    if (id != NULL) {
        entry->id = *id;
    }
}

static void take_payload(void *context, const void *payload, size_t length)
{
    struct listed facts;
    struct inet_diag_msg message;
    if (inet_diag_parse(payload, length, &facts)) {
        memcpy(&message, payload, sizeof message);
        take(context, &facts, &message.id);
    }
}

static void take_line(void *context, const struct listed *facts)
{
    take(context, facts, NULL);
}

/* The bits by which the kernel knows the states, include/net/tcp_states.h. */
static uint32_t kernel_states(unsigned int states)
{
    enum { KERNEL_STATES = 14 };
    uint32_t bits = 0;
    for (unsigned int number = 1; number < KERNEL_STATES; number++) {
        const enum state state = state_from_kernel(number);
        if (state != STATES && (states & SOCKETS_IN(state)) != 0) {
            bits |= 1U << number;
        }
    }
    return bits;
}

bool sockets_list(struct sockets *sockets, int protocol, unsigned int port, unsigned int states)
{
    *sockets = (struct sockets){0};
    struct wanted wanted = {sockets, port, states};
    const int64_t deadline = kernel_milliseconds() + LISTING_MS;
    /* Without a bit for UDP, whose sockets have no such states, every state is asked for. */
    const struct inet_list list = {.protocol = protocol,
                                   .port = port,
                                   .states =
                                       protocol == IPPROTO_TCP ? kernel_states(states) : UINT32_MAX,
                                   .deadline = deadline};
    struct listing listing = inet_diag_list(&list, take_payload, &wanted);
    if (listing.error != 0) {
        sockets->count = 0;
        sockets->netlink_error = listing.error;
        listing = proc_net_list(protocol, false, deadline, take_line, &wanted);
        sockets->proc_error = listing.error;
    }
    sockets->complete = listing.complete;
    return listing.error == 0;
}

void sockets_free(struct sockets *sockets)
{
    free(sockets->entries);
    *sockets = (struct sockets){0};
}

size_t sockets_count(const struct sockets *sockets, enum state state)
{
    size_t count = 0;
    for (size_t i = 0; i < sockets->count; i++) {
        count += sockets->entries[i].facts.state == state;
    }
    return count;
}

char *sockets_why_no_list(const struct sockets *sockets)
{
    char names[2][32];
    const int errors[2] = {sockets->netlink_error, sockets->proc_error};
    for (size_t i = 0; i < 2; i++) {
        struct line line = {.text = names[i], .size = sizeof names[i]};
        explain_name(&line, errors[i]);
        line_end(&line);
        names[i][line.length - 1] = '\0';
    }
    return output_format("netlink: %s, /proc/net: %s", names[0], names[1]);
}

bool sockets_is_time_wait(const struct entry *entry)
{
    const struct listed *facts = &entry->facts;
    return facts->timed && facts->inode == 0 &&
           (facts->state == STATE_TIME_WAIT || facts->state == STATE_FIN_WAIT2);
}

void sockets_local(const struct entry *entry, struct address *local)
{
    listed_address(local, &entry->facts, &entry->facts.claim.ip, entry->facts.port);
}

void sockets_peer(const struct entry *entry, struct address *peer)
{
    *peer = (struct address){0};
    if (entry->facts.peer_port != 0) {
        listed_address(peer, &entry->facts, &entry->facts.peer, entry->facts.peer_port);
    }
}

static char *text_of(const struct address *address, const char *device)
{
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text};
    address_write_on(&line, address, device);
    return output_format("%.*s", (int)line.length, text);
}

char *sockets_address_text(const struct address *address)
{
    return address->length == 0 ? output_format("*") : text_of(address, "");
}

void sockets_json_address(struct json *json, const char *name, const struct address *address)
{
    if (address->length == 0) {
        json_null(json, name);
        return;
    }
    char *text = sockets_address_text(address);
    json_string(json, name, text);
    free(text);
}

char *sockets_local_text(const struct entry *entry)
{
    struct address local;
    char device[DEVICE_SIZE];
    sockets_local(entry, &local);
    listed_device(device, entry->facts.claim.device);
    return text_of(&local, device);
}

void sockets_json_local(struct json *json, const char *name, const struct entry *entry)
{
    char *text = sockets_local_text(entry);
    json_string(json, name, text);
    free(text);
}

unsigned int sockets_seconds(uint32_t milliseconds)
{
    return milliseconds / 1000 + (milliseconds % 1000 != 0);
}

int sockets_open_destroyer(struct destroyer *destroyer)
{
    destroyer->netlink_fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    return destroyer->netlink_fd < 0 ? errno : 0;
}

void sockets_close_destroyer(struct destroyer *destroyer)
{
    close(destroyer->netlink_fd);
}

/* The kernel answers a request with the error message that an acknowledgement is (netlink(7)). */
static int receive_answer(int netlink_fd)
{
    char answer[1024];
    for (;;) {
        const ssize_t length = recv(netlink_fd, answer, sizeof answer, 0);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length < 0) {
            return errno;
        }
        const struct diag_message message = sock_diag_parse(answer, (size_t)length);
        if (message.kind == DIAG_ERROR) {
            return message.error;
        }
        if (message.kind == DIAG_PARTIAL) {
            return EBADMSG;
        }
    }
}

int sockets_destroy(const struct destroyer *destroyer, const struct entry *entry)
{
    if (!entry->has_id || !sockets_is_time_wait(entry)) {
        return EINVAL;
    }
    const struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message = {
        .header = {.nlmsg_len = sizeof message,
                   .nlmsg_type = SOCK_DESTROY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .request = {.sdiag_family = (uint8_t)entry->facts.family,
                    .sdiag_protocol = IPPROTO_TCP,
                    .idiag_states = UINT32_MAX,
                    .id = entry->id},
    };
    ssize_t sent;
    do {
        sent = send(destroyer->netlink_fd, &message, sizeof message, 0);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : receive_answer(destroyer->netlink_fd);
}

const char ephemeral_meaning[] =
    "on a port that the kernel gives out by itself (net.ipv4.ip_local_port_range); a server that "
    "has lost its port looks like this, and so does one that is meant to listen there";

static struct {
    bool is_read;
    struct local_ports range;
    bool is_reserved[UINT16_MAX + 1];
} ports;

/* "8080,40000-40010", and nothing where there are none. */
static void read_reserved(void)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
    unsigned int first;
    while (file != NULL && fscanf(file, "%u", &first) == 1) {
        unsigned int last;
        if (fscanf(file, "-%u", &last) != 1) {
            last = first;
        }
        for (unsigned int port = first; port <= last && port <= UINT16_MAX; port++) {
            ports.is_reserved[port] = true;
        }
        fscanf(file, ",");
    }
    if (file != NULL) {
        fclose(file);
    }
}

int ephemeral_port(unsigned int port)
{
    if (!ports.is_read) {
        ports.is_read = true;
        local_ports_read(&ports.range);
        read_reserved();
    }
    if (ports.range.first == 0) {
        return -1;
    }
    return local_ports_have(&ports.range, port) && !ports.is_reserved[port];
}
