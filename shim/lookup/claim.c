#include "claim.h"

#include <stdbool.h>
#include <string.h>

struct in6_addr claim_mapped(uint32_t ip)
{
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&mapped.s6_addr[12], &ip, sizeof ip);
    return mapped;
}

void claim_address(struct claim *claim, const struct address *asked)
{
    if (asked->as.any.sa_family == AF_INET) {
        claim->ip = claim_mapped(asked->as.in.sin_addr.s_addr);
        return;
    }
    claim->ip = asked->as.in6.sin6_addr;
    if (IN6_IS_ADDR_LINKLOCAL(&claim->ip) && asked->length >= sizeof asked->as.in6) {
        claim->device = asked->as.in6.sin6_scope_id;
    }
}

static bool is_any_ipv4(const struct in6_addr *mapped)
{
    return mapped->s6_addr32[3] == 0;
}

static bool addresses_overlap(const struct in6_addr *one, bool one_v6only,
                              const struct in6_addr *other, bool other_v6only)
{
    const bool one_is_ipv4 = IN6_IS_ADDR_V4MAPPED(one);
    const bool other_is_ipv4 = IN6_IS_ADDR_V4MAPPED(other);
    if (one_is_ipv4 && other_is_ipv4 && (is_any_ipv4(one) || is_any_ipv4(other))) {
        return true;
    }
    if (IN6_IS_ADDR_UNSPECIFIED(one) && !(one_v6only && other_is_ipv4)) {
        return true;
    }
    if (IN6_IS_ADDR_UNSPECIFIED(other) && !(other_v6only && one_is_ipv4)) {
        return true;
    }
    return IN6_ARE_ADDR_EQUAL(one, other);
}

static enum overlap overlap_of_devices(unsigned int one, unsigned int other)
{
    if (one == 0 || other == 0) {
        return OVERLAP_CERTAIN;
    }
    if (one == DEVICE_UNKNOWN || other == DEVICE_UNKNOWN) {
        return OVERLAP_UNSURE;
    }
    return one == other ? OVERLAP_CERTAIN : OVERLAP_NONE;
}

enum overlap claim_overlap(const struct claim *one, const struct claim *other)
{
    const bool possibly = addresses_overlap(&one->ip, one->v6only == V6ONLY_YES, &other->ip,
                                            other->v6only == V6ONLY_YES);
    const bool certainly = addresses_overlap(&one->ip, one->v6only != V6ONLY_NO, &other->ip,
                                             other->v6only != V6ONLY_NO);
    const enum overlap of_devices = overlap_of_devices(one->device, other->device);
    if (!possibly || of_devices == OVERLAP_NONE) {
        return OVERLAP_NONE;
    }
    return certainly ? of_devices : OVERLAP_UNSURE;
}
