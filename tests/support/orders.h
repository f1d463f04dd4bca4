/*
 * What a test and the obedient host (tests/fixtures/obedient_host.c) say to each other: one order,
 * one answer, each one packet of a SOCK_SEQPACKET socket. The two may be of different
 * architectures.
 */
#ifndef LIBREUSE_TESTS_ORDERS_H
#define LIBREUSE_TESTS_ORDERS_H

#include "alike.h"

#include <endian.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The host is told by its descriptor 0; a child that it forks is told by this one. */
#define CHANNEL       0
#define CHILD_CHANNEL 200

/* What errno is before each call: no call sets it, so it tells whether a call left errno alone. */
#define UNTOUCHED_ERRNO 4001

enum order_kind {
    ORDER_SOCKET,        /* family, type, protocol */
    ORDER_BIND,          /* fd; the address */
    ORDER_BIND_AT,       /* fd, pointer, length: the pointer as it is */
    ORDER_BIND_AT_EDGE,  /* fd; the address: put where the readable memory ends */
    ORDER_BIND_IN_VFORK, /* fd; the address: by a child that shares the memory; its errno, or 0 */
    ORDER_LISTEN,        /* fd, backlog */
    ORDER_CONNECT,       /* fd; the address */
    ORDER_ACCEPT,        /* fd */
    ORDER_CLOSE,         /* fd */
    ORDER_DUP2,          /* from, to */
    ORDER_GET_OPTION,    /* fd, level, option: the value is the result */
    ORDER_SET_OPTION,    /* fd, level, option, value */
    ORDER_GET_PORT,      /* fd */
    ORDER_ECHO,          /* fd: reads once and writes the same back */
    ORDER_OPEN,          /* the path, for writing */
    ORDER_WRITE,         /* fd; the data */
    ORDER_LIMIT_FILES,   /* the size above which no file may grow */
    ORDER_USE_UP_FDS,    /* opens descriptors until there is none left */
    ORDER_FORK,          /* the child is told by CHILD_CHANNEL */
    ORDER_LEAVE_MAIN,    /* another thread goes on, and the first one ends */
    ORDER_CATCH,         /* signal: count it from now on */
    ORDER_CAUGHT,        /* how many signals were caught */
    ORDER_BLOCK,         /* signal */
    ORDER_RAISE,         /* signal */
    ORDER_IS_PENDING,    /* signal */
    ORDER_BECOME_USER,   /* user and group id */
    ORDER_DROP_RIGHTS,   /* gives all capabilities(7) up */
    ORDER_FILTER,        /* system call, its first argument or FILTER_ANY, action: see filter.h */
    ORDER_UNSHARE,       /* flags of unshare(2) */
    ORDER_MOUNT,         /* flags; "TYPE FOLDER OPTIONS" */
    ORDER_CHROOT,        /* the path */
    ORDER_EXIT           /* status */
};

#define ORDER_BYTES 256

/* The members have one place and one byte order on every architecture: see alike.h. */
struct ALIKE order {
    int64_t arguments[4];
    uint32_t kind;
    uint32_t length; /* of the bytes in use */
    unsigned char bytes[ORDER_BYTES];
};

struct ALIKE answer {
    int64_t result; /* of the call */
    int32_t error;  /* errno after the call */
    int32_t nothing;
};

/*
 * The bytes of an address are in the order of its machine. This makes them those of every machine,
 * and back: the family and the IPv6 scope, which the kernel keeps in the processor's own order.
 */
static inline void make_address_alike(struct order *order)
{
    unsigned char *scope = order->bytes + offsetof(struct sockaddr_in6, sin6_scope_id);
    uint16_t family;
    uint32_t number;
    memcpy(&family, order->bytes, sizeof family);
    if (family == AF_INET6 || family == htole16(AF_INET6)) {
        memcpy(&number, scope, sizeof number);
        number = htole32(number);
        memcpy(scope, &number, sizeof number);
    }
    family = htole16(family);
    memcpy(order->bytes, &family, sizeof family);
}

#endif
