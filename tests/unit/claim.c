#include "lookup/claim.h"

#include "namespace.h"
#include "skip.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(claim, .init = enter_private_network);

#define PORT 9999

struct side {
    const char *ip;
    bool v6only;
    const char *device;
};

static bool is_ipv4(const struct side *side)
{
    return strchr(side->ip, '.') != NULL && strchr(side->ip, ':') == NULL;
}

static struct claim claim_of(const struct side *side)
{
    struct claim claim = {.v6only = side->v6only ? V6ONLY_YES : V6ONLY_NO,
                          .device = side->device != NULL ? if_nametoindex(side->device) : 0};
    if (is_ipv4(side)) {
        claim.ip = claim_mapped(inet_addr(side->ip));
    } else {
        inet_pton(AF_INET6, side->ip, &claim.ip);
    }
    return claim;
}

static int new_socket(const struct side *side, int type)
{
    const int fd = socket(is_ipv4(side) ? AF_INET : AF_INET6, type | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0, "socket: %s", strerror(errno));
    if (!is_ipv4(side)) {
        const int v6only = side->v6only;
        cr_assert_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof v6only), 0);
    }
    if (side->device != NULL) {
        cr_assert_eq(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, side->device,
                                (socklen_t)strlen(side->device)),
                     0, "SO_BINDTODEVICE %s: %s", side->device, strerror(errno));
    }
    return fd;
}

/* 0 or the errno of bind(). */
static int bind_error(int fd, const struct side *side)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    if (is_ipv4(side)) {
        in.sin_addr.s_addr = inet_addr(side->ip);
        return bind(fd, (struct sockaddr *)&in, sizeof in) == 0 ? 0 : errno;
    }
    inet_pton(AF_INET6, side->ip, &in6.sin6_addr);
    return bind(fd, (struct sockaddr *)&in6, sizeof in6) == 0 ? 0 : errno;
}

static void expect_the_kernels_answer(const struct side *one, const struct side *other, int type)
{
    const int first = new_socket(one, type);
    cr_assert_eq(bind_error(first, one), 0, "%s: %s", one->ip, strerror(errno));
    const int second = new_socket(other, type);
    const int error = bind_error(second, other);
    cr_assert(error == 0 || error == EADDRINUSE, "%s: %s", other->ip, strerror(error));
    close(second);
    close(first);
    const struct claim claims[] = {claim_of(one), claim_of(other)};
    const enum overlap expected = error == EADDRINUSE ? OVERLAP_CERTAIN : OVERLAP_NONE;
    cr_assert_eq(
        claim_overlap(&claims[0], &claims[1]), expected,
        "%s%s on %s, then %s%s on %s: bind() says %s", one->ip, one->v6only ? " (V6ONLY)" : "",
        one->device != NULL ? one->device : "all", other->ip, other->v6only ? " (V6ONLY)" : "",
        other->device != NULL ? other->device : "all", error == 0 ? "success" : strerror(error));
}

static const struct side sides[] = {
    {"0.0.0.0", false, NULL},
    {"127.0.0.1", false, NULL},
    {"127.0.0.2", false, NULL},
    {"::", false, NULL},
    {"::", true, NULL},
    {"::1", false, NULL},
    {"::1", true, NULL},
    {"::ffff:0.0.0.0", false, NULL},
    {"::ffff:127.0.0.1", false, NULL},
    {"::ffff:127.0.0.2", false, NULL},
    {"0.0.0.0", false, "lo"},
    {"0.0.0.0", false, "other"},
    {"127.0.0.1", false, "lo"},
    {"::", false, "lo"},
    {"::", true, "other"},
    {"::1", false, "lo"},
};
enum { SIDES = sizeof sides / sizeof sides[0] };

static void compare_all_pairs(int type)
{
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (ioctl(fd, SIOCBRADDBR, "other") != 0) {
        skip_because("a second network interface cannot be made: %s", strerror(errno));
    }
    close(fd);
    for (size_t i = 0; i < SIDES; i++) {
        for (size_t j = 0; j < SIDES; j++) {
            expect_the_kernels_answer(&sides[i], &sides[j], type);
        }
    }
}

Test(claim, tcp_claims_overlap_exactly_where_the_kernel_refuses_the_second_bind)
{
    compare_all_pairs(SOCK_STREAM);
}

Test(claim, udp_claims_overlap_exactly_where_the_kernel_refuses_the_second_bind)
{
    compare_all_pairs(SOCK_DGRAM);
}

Test(claim, what_is_not_known_makes_an_overlap_unsure_only_where_it_matters)
{
    struct claim unknown = {.v6only = V6ONLY_UNKNOWN}; /* :: */
    const struct claim ipv4 = {.ip = claim_mapped(htonl(INADDR_ANY))};
    const struct claim ipv6 = {.ip = IN6ADDR_LOOPBACK_INIT};
    cr_assert_eq(claim_overlap(&ipv4, &unknown), OVERLAP_UNSURE);
    cr_assert_eq(claim_overlap(&unknown, &ipv4), OVERLAP_UNSURE);
    cr_assert_eq(claim_overlap(&ipv6, &unknown), OVERLAP_CERTAIN);
    cr_assert_eq(claim_overlap(&ipv6, &ipv4), OVERLAP_NONE);

    struct claim on_device = {.ip = claim_mapped(htonl(INADDR_ANY)), .device = 1};
    struct claim somewhere = {.ip = claim_mapped(htonl(INADDR_ANY)), .device = DEVICE_UNKNOWN};
    cr_assert_eq(claim_overlap(&on_device, &somewhere), OVERLAP_UNSURE);
    cr_assert_eq(claim_overlap(&ipv4, &somewhere), OVERLAP_CERTAIN);
}
