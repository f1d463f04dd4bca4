/*
 * What is known of a socket whose bind() was refused, and of its process: that from which the
 * kernel, a security module or a filter has decided.
 *
 * Async-signal-safe; errno is left changed. What a filter refuses to tell is not known.
 */
#ifndef LIBREUSE_ASKER_H
#define LIBREUSE_ASKER_H

#include "guest/address.h"
#include "socket_state.h"

#include <stdbool.h>

enum fact { FACT_UNKNOWN, FACT_NO, FACT_YES };

enum { LABEL_SIZE = 64 };

/* IFA_F_ of <linux/if_addr.h>, whose other names collide with those of the C library. */
enum { IN6_TENTATIVE = 0x40, IN6_IS_DUPLICATE = 0x08 };

/* An IPv6 address as /proc/net/if_inet6 lists it; `index` is 0 where the host has not got it. */
struct in6_listed {
    unsigned int index; /* of its network device */
    unsigned int flags;
};

struct asker {
    int domain;           /* of the socket: AF_INET, ...; AF_UNSPEC: not known */
    struct address bound; /* to what it is bound already; unknown where it is not, or not told */
    char device[DEVICE_SIZE];     /* SO_BINDTODEVICE; "": none, or not told */
    enum fact may_bind_low_ports; /* the process: CAP_NET_BIND_SERVICE */
    bool knows_first_free_port;   /* net.ipv4.ip_unprivileged_port_start, which may be 0 */
    unsigned int first_free_port;
    struct in6_listed asked; /* the address that it asked for, if the host has that */
    char asked_device[DEVICE_SIZE];
    enum fact has_carrier;  /* that device, where the address is tentative */
    enum fact is_filtered;  /* a seccomp filter sees the process's system calls */
    char label[LABEL_SIZE]; /* of SELinux, or AppArmor's profile; "": unconfined, or not told */
};

/* Asks what matters for this errno and this address: of a socket of the calling process. */
void asker_find(struct asker *asker, int fd, const struct address *asked, int error);

/* The parts of it that the calling thread's network namespace knows, and another process. */
void asker_find_in_network(struct asker *asker, const struct address *asked, int error);
void asker_find_in_process(struct asker *asker, int pid, int error);

#endif
