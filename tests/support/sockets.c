#include "sockets.h"

#include "deadline.h"
#include "skip.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

static struct address unix_address(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* In the abstract space the name begins with a zero byte and ends where the length says. */
    size_t size = strlen(name);
    memcpy(address.sun_path + 1, name, size);
    struct address result = {.length =
                                 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + size)};
    memcpy(&result.storage, &address, sizeof address);
    return result;
}

struct address address_from(const char *text)
{
    if (text[0] == '@') {
        return unix_address(text + 1);
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
