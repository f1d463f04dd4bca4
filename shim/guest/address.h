/*
 * A socket address: copied from a program that may have passed a wild pointer, or asked of the
 * kernel, and written for a person. Everything here is async-signal-safe and allocates nothing.
 */
#ifndef LIBREUSE_ADDRESS_H
#define LIBREUSE_ADDRESS_H

#include "line.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
    socklen_t length; /* bytes of `as` that are set; 0: not known */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } as;
};

/*
 * Copies what a program gave to bind(2). The address stays unknown where its length is one that
 * the kernel refuses unread (0, or over 128 bytes) or where the memory cannot be read: a failed
 * bind() is no proof that the kernel read it, since a seccomp filter or another shim may have
 * answered in its place.
 */
void address_copy(struct address *address, const struct sockaddr *from, socklen_t length);

/*
 * Puts right an address that bind() has understood, if not accepted: AF_UNSPEC with 0.0.0.0 means
 * AF_INET (__inet_bind() in the kernel), for the sake of programs that forget sin_family.
 */
void address_complete(struct address *address);

/* The local address of a socket, by getsockname(2). Unknown where that fails. */
void address_of_socket(struct address *address, int fd);

/* The port in host byte order; 0 for unknown addresses and families without ports. */
unsigned int address_port(const struct address *address);

/* Whether it is an internet address with port 0: that of a socket which is not bound. */
bool address_is_any_port(const struct address *address);

/*
 * Whether `address` is one that a program asked for: the same, or one that the kernel chose where
 * it was left the choice (port 0, no scope, no name). True where one of them is not known, or of a
 * family that is none: nothing speaks against it.
 */
bool address_is_what_was_asked(const struct address *address, const struct address *asked);

/*
 * Appends the address: 192.0.2.1:80, [2001:db8::1]:80 (RFC 5952), a path or @name of AF_UNIX,
 * otherwise the family's number.
 */
void address_write(struct line *line, const struct address *address);

/*
 * The same of a socket that is bound to this network device: 0.0.0.0%eth0:80, [fe80::1]%eth0:80.
 * "" is no device.
 */
void address_write_on(struct line *line, const struct address *address, const char *device);

#endif
