/*
 * The IPv6 addresses of this host, by /proc/net/if_inet6 of the calling thread's network namespace.
 * Async-signal-safe; errno is left changed.
 */
#ifndef LIBREUSE_IN6_LIST_H
#define LIBREUSE_IN6_LIST_H

#include <netinet/in.h>

/* IFA_F_ of <linux/if_addr.h>, whose other names collide with those of the C library. */
enum { IN6_TENTATIVE = 0x40, IN6_IS_DUPLICATE = 0x08 };

/* What is known of an address; `index` is 0 where the host has not got it, or nobody tells. */
struct in6_listed {
    unsigned int index; /* of its network device */
    unsigned int flags;
};
struct in6_listed in6_list_find(const struct in6_addr *ip);

#endif
