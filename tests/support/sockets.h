/*
 * The test's own end of the network: addresses as text, clients, and the kernel's list of TCP
 * sockets. What goes wrong here fails the running test, with the reason.
 */
#ifndef LIBREUSE_TESTS_SOCKETS_H
#define LIBREUSE_TESTS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* IPPROTO_MPTCP, which the headers of older C libraries do not have. */
#define MPTCP_PROTOCOL 262

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/*
 * "127.0.0.1:9999", "[::1]:9999", "[fe80::1%2]:9999" with the index of an interface, "/path" of an
 * AF_UNIX socket, or "@name" for a name in the abstract AF_UNIX space.
 */
struct address address_from(const char *text);

/* A client of the test's own: a connected socket. */
int connected_client(const char *address, int protocol);

/* The errno with which a client's connect() fails, 0 when it succeeds. */
int connect_error(const char *address);

/* Whether the peer has closed its side: waits for that, and asserts that no data came before. */
void expect_end_of_stream(int fd);

/*
 * How many TCP sockets there are on this local port in this state: TCP_TIME_WAIT and the like of
 * <netinet/tcp.h>; over IPv4 and IPv6 together, as /proc/self/net/tcp and tcp6 list them.
 */
unsigned count_sockets(uint16_t local_port, int state);

/* How many there are in any other state than TCP_LISTEN. */
unsigned count_leftovers(uint16_t local_port);

/*
 * Ends all TCP sockets over IPv4 on this local port in this state, as if their time had come:
 * SOCK_DESTROY of sock_diag(7). The test ends here as skipped, saying why, where the kernel cannot.
 */
void destroy_sockets(uint16_t local_port, int state);

/*
 * The test ends here as skipped, saying why, where the kernel has no such sockets, or no IPv6 on
 * the loopback of the test's network.
 */
void need_protocol(int family, int protocol);

#endif
