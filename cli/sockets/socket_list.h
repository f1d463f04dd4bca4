/*
 * The TCP and UDP sockets of this network namespace, as a list in memory: what
 * lookup/socket_state.h knows of each, its addresses, and what the kernel needs to find it again.
 */
#ifndef LIBREUSE_SOCKET_LIST_H
#define LIBREUSE_SOCKET_LIST_H

#include "guest/address.h"
#include "lookup/socket_state.h"
#include "terminal/output.h"

#include <linux/inet_diag.h>
#include <stdbool.h>
#include <stddef.h>

/* A socket that has been listed. */
struct entry {
    struct listed facts;
    struct inet_diag_sockid id; /* with the cookie, which no other socket ever has */
    bool has_id;                /* false where it comes from /proc/net */
};

struct sockets {
    struct entry *entries;
    size_t count;
    size_t room;
    bool complete;     /* false: there may be more */
    int netlink_error; /* why netlink did not list them: then /proc/net was read */
    int proc_error;    /* why that could not be read, either */
};

/* A set of states, for sockets_list(). */
#define SOCKETS_IN(state) (1U << (state))
enum { SOCKETS_IN_ANY = SOCKETS_IN(STATES) - 1 };

/*
 * Lists the sockets of IPPROTO_TCP or IPPROTO_UDP that are in these states and have this local
 * port; 0 is every port. Takes at most ten seconds. False where there is no list, as both errors
 * say. The caller frees it with sockets_free(), whatever the result.
 */
bool sockets_list(struct sockets *sockets, int protocol, unsigned int port, unsigned int states);

void sockets_free(struct sockets *sockets);

/* How many of them are in this state. */
size_t sockets_count(const struct sockets *sockets, enum state state);

/* "netlink: EPERM, /proc/net: ENOENT": why there is no list. The caller frees it. */
char *sockets_why_no_list(const struct sockets *sockets);

/*
 * Whether it is the rest of a connection that the program has closed and the kernel alone keeps,
 * for a limited time, in what it calls a time-wait socket. Its state is TIME_WAIT; or FIN_WAIT2, as
 * long as the peer has not closed its side.
 */
bool sockets_is_time_wait(const struct entry *entry);

/* The addresses; `peer` is unknown where there is none. */
void sockets_local(const struct entry *entry, struct address *local);
void sockets_peer(const struct entry *entry, struct address *peer);

/* An address as text: address_write(). "*" where it is unknown. The caller frees it. */
char *sockets_address_text(const struct address *address);

/* The same as a member of a JSON object; null where it is unknown. */
void sockets_json_address(struct json *json, const char *name, const struct address *address);

/*
 * The local address of a socket with the device that the socket is bound to, as text and as a
 * member: address_write_on(). The caller frees the text.
 */
char *sockets_local_text(const struct entry *entry);
void sockets_json_local(struct json *json, const char *name, const struct entry *entry);

/* Milliseconds as the seconds within which they are over. */
unsigned int sockets_seconds(uint32_t milliseconds);

/*
 * Makes the kernel forget a time-wait socket (SOCK_DESTROY of sock_diag(7)). Nothing but that very
 * socket can be hit: the kernel compares the cookie. 0, or the errno:
 * ENOENT      it is gone already
 * EPERM       CAP_NET_ADMIN is needed, in the user namespace that the network namespace belongs to
 * EOPNOTSUPP  the kernel is older than 6.0, or built without CONFIG_INET_DIAG_DESTROY
 * EINVAL      the entry is not a time-wait socket that netlink has listed
 */
struct destroyer {
    int netlink_fd;
};
int sockets_open_destroyer(struct destroyer *destroyer);
int sockets_destroy(const struct destroyer *destroyer, const struct entry *entry);
void sockets_close_destroyer(struct destroyer *destroyer);

/*
 * The ports that the kernel gives out by itself. Where a server's bind() has failed and it listens
 * all the same, it listens on one of them: that is how a server that has lost its port can be
 * suspected from outside. It is no proof: a server may have asked for such a port.
 *
 * Whether a port is one of net.ipv4.ip_local_port_range and not of ip_local_reserved_ports, in this
 * network: 1, 0; -1 where that is not known. They are read at the first call.
 */
int ephemeral_port(unsigned int port);

/* What is to be said of a listener on such a port, after the word "ephemeral: ". */
extern const char ephemeral_meaning[];

#endif
