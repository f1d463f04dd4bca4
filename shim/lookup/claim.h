/*
 * What a socket claims of its port: an address, or all of them, on one device or on all. Two
 * sockets whose claims overlap are what bind(2) refuses with EADDRINUSE, unless SO_REUSEADDR or
 * SO_REUSEPORT allows it.
 *
 * Pure functions.
 */
#ifndef LIBREUSE_CLAIM_H
#define LIBREUSE_CLAIM_H

#include "guest/address.h"

#include <netinet/in.h>
#include <stdint.h>

/* Whether an IPv6 socket leaves IPv4 alone. */
enum v6only { V6ONLY_NO, V6ONLY_YES, V6ONLY_UNKNOWN };

struct claim {
    struct in6_addr ip;  /* an IPv4 address is mapped: ::ffff:192.0.2.1, ::ffff:0.0.0.0 */
    enum v6only v6only;  /* counts where the address is :: */
    unsigned int device; /* interface index, 0: every device, or DEVICE_UNKNOWN */
};

#define DEVICE_UNKNOWN UINT32_MAX

/* The mapped address for an IPv4 address, which is in network byte order. */
struct in6_addr claim_mapped(uint32_t ip);

/* Makes it the claim of this address, AF_INET or AF_INET6, as far as that tells. */
void claim_address(struct claim *claim, const struct address *asked);

enum overlap { OVERLAP_NONE, OVERLAP_UNSURE, OVERLAP_CERTAIN };

/*
 * Follows inet_bind_conflict() and ipv6_rcv_saddr_equal() of the kernel. Devices of different VRFs
 * are not told apart: two sockets of which one is bound to no device are taken to meet.
 */
enum overlap claim_overlap(const struct claim *one, const struct claim *other);

#endif
