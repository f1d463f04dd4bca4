#include "sockets.h"

#include "deadline.h"
#include "skip.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* In the abstract space a name begins with a zero byte; both kinds end where the length says. */
static struct address unix_address(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    cr_assert_leq(size, sizeof address.sun_path, "too long for a socket: %s", name);
    memcpy(address.sun_path, name, size);
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    struct address result = {.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)};
    memcpy(&result.storage, &address, sizeof address);
    return result;
}

struct address address_from(const char *text)
{
    if (text[0] == '@' || text[0] == '/') {
        return unix_address(text);
    }
    const char *colon = strrchr(text, ':');
    cr_assert_not_null(colon, "%s: not an address and a port", text);
    bool is_ipv6 = text[0] == '[';
    char host[64];
    snprintf(host, sizeof host, "%.*s", (int)(colon - text) - (is_ipv6 ? 2 : 0),
             text + (is_ipv6 ? 1 : 0));
    in_port_t port = htons((uint16_t)strtoul(colon + 1, NULL, 10));

    struct address result = {.length = 0};
    struct sockaddr_in ipv4 = {.sin_family = AF_INET, .sin_port = port};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6, .sin6_port = port};
    char *scope = strchr(host, '%');
    if (scope != NULL) {
        *scope = '\0';
        ipv6.sin6_scope_id = (uint32_t)strtoul(scope + 1, NULL, 10);
    }
    if (is_ipv6 && inet_pton(AF_INET6, host, &ipv6.sin6_addr) == 1) {
        result.length = sizeof ipv6;
        memcpy(&result.storage, &ipv6, sizeof ipv6);
    } else if (inet_pton(AF_INET, host, &ipv4.sin_addr) == 1) {
        result.length = sizeof ipv4;
        memcpy(&result.storage, &ipv4, sizeof ipv4);
    }
    cr_assert_gt(result.length, 0, "%s: not an address and a port", text);
    return result;
}

static int try_to_connect(const char *text, int protocol, int *client)
{
    struct address address = address_from(text);
    *client = socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    cr_assert_geq(*client, 0, "socket: %s", strerror(errno));
    struct timeval limit = {.tv_sec = DEADLINE_SECONDS};
    setsockopt(*client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(*client, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return connect(*client, (struct sockaddr *)&address.storage, address.length) == 0 ? 0 : errno;
}

int connected_client(const char *address, int protocol)
{
    int client;
    int error = try_to_connect(address, protocol, &client);
    cr_assert_eq(error, 0, "a client cannot connect to %s: %s", address, strerror(error));
    return client;
}

int connect_error(const char *address)
{
    int client;
    int error = try_to_connect(address, 0, &client);
    close(client);
    return error;
}

void expect_end_of_stream(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);
    cr_assert_eq(got, 0, "the peer should have closed its side: %s",
                 got < 0 ? strerror(errno) : "it sent data");
}

/* Counts the sockets of one list that `matches` takes; the format is in proc(5). */
static unsigned count_in(const char *path, uint16_t local_port, bool (*matches)(int, int),
                         int state)
{
    FILE *list = fopen(path, "re");
    if (list == NULL) {
        cr_assert_eq(errno, ENOENT, "%s: %s", path, strerror(errno));
        return 0;
    }
    unsigned count = 0;
    char line[512];
    while (fgets(line, sizeof line, list) != NULL) {
        unsigned port;
        unsigned found;
        if (sscanf(line, " %*u: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &port, &found) == 2 &&
            port == local_port && matches((int)found, state)) {
            count++;
        }
    }
    fclose(list);
    return count;
}

static bool is_same(int found, int state)
{
    return found == state;
}

static bool is_other(int found, int state)
{
    return found != state;
}

unsigned count_sockets(uint16_t local_port, int state)
{
    return count_in("/proc/self/net/tcp", local_port, is_same, state) +
           count_in("/proc/self/net/tcp6", local_port, is_same, state);
}

unsigned count_leftovers(uint16_t local_port)
{
    return count_in("/proc/self/net/tcp", local_port, is_other, TCP_LISTEN) +
           count_in("/proc/self/net/tcp6", local_port, is_other, TCP_LISTEN);
}

/* A line of /proc/self/net/tcp: both ends as the kernel has them in memory, ports as numbers. */
struct ends {
    uint32_t local;
    unsigned local_port;
    uint32_t peer;
    unsigned peer_port;
    unsigned state;
};

static void destroy_socket(int netlink, const struct ends *ends)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 wanted;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = SOCK_DESTROY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .wanted = {.sdiag_family = AF_INET,
                   .sdiag_protocol = IPPROTO_TCP,
                   .idiag_states = UINT32_MAX,
                   .id = {.idiag_sport = htons((uint16_t)ends->local_port),
                          .idiag_dport = htons((uint16_t)ends->peer_port),
                          .idiag_src = {ends->local},
                          .idiag_dst = {ends->peer},
                          .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}}},
    };
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        char rest[256];
    } reply;
    cr_assert_eq(send(netlink, &request, sizeof request, 0), (ssize_t)sizeof request, "netlink: %s",
                 strerror(errno));
    ssize_t got = recv(netlink, &reply, sizeof reply, 0);
    cr_assert_geq(got, (ssize_t)(sizeof reply.header + sizeof reply.error), "netlink: %s",
                  strerror(errno));
    if (reply.error.error != 0) {
        skip_because("the kernel does not end a socket: %s", strerror(-reply.error.error));
    }
}

void destroy_sockets(uint16_t local_port, int state)
{
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    cr_assert_geq(netlink, 0, "netlink: %s", strerror(errno));
    FILE *list = fopen("/proc/self/net/tcp", "re");
    cr_assert_not_null(list, "/proc/self/net/tcp: %s", strerror(errno));
    char line[512];
    struct ends ends;
    while (fgets(line, sizeof line, list) != NULL) {
        if (sscanf(line, " %*u: %" SCNx32 ":%x %" SCNx32 ":%x %x", &ends.local, &ends.local_port,
                   &ends.peer, &ends.peer_port, &ends.state) == 5 &&
            ends.local_port == local_port && (int)ends.state == state) {
            destroy_socket(netlink, &ends);
        }
    }
    fclose(list);
    close(netlink);
}

void need_protocol(int family, int protocol)
{
    struct address address = address_from(family == AF_INET6 ? "[::1]:0" : "127.0.0.1:0");
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, protocol);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address.storage, address.length) != 0) {
        skip_because("no %s here: %s",
                     protocol == MPTCP_PROTOCOL ? "MPTCP"
                     : family == AF_INET6       ? "IPv6"
                                                : "TCP over IPv4",
                     strerror(errno));
    }
    close(fd);
}
