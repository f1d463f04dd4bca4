#include "lookup/proc_net.h"

#include "guest/kernel.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

TestSuite(proc_net);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOOPBACK  "0100007F"
#define LOOPBACK6 "00000000000000000000000001000000"
#else
#define LOOPBACK  "7F000001"
#define LOOPBACK6 "00000000000000000000000000000001"
#endif

static const char listener[] =
    "   0: " LOOPBACK
    ":270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 "
    "4711 1 ffff8880045a5c00 100 0 0 10 0                     ";
static const char time_wait[] = "  12: " LOOPBACK6 ":270F " LOOPBACK6
                                ":C000 06 00000000:00000000 03:000010E1 00000000     0    "
                                "    0 0 3 0000000000000000";

static bool parse(const char *line, struct listed *socket)
{
    return proc_net_parse_line(line, strlen(line), socket);
}

Test(proc_net, a_line_of_ipv4_is_understood)
{
    struct listed socket;
    cr_assert(parse(listener, &socket));
    const struct in6_addr loopback = claim_mapped(htonl(INADDR_LOOPBACK));
    cr_assert_eq(socket.state, STATE_LISTEN);
    cr_assert_eq(socket.family, AF_INET);
    cr_assert(IN6_ARE_ADDR_EQUAL(&socket.claim.ip, &loopback));
    cr_assert_eq(socket.claim.device, DEVICE_UNKNOWN);
    cr_assert_eq(socket.port, 9999);
    cr_assert_eq(socket.peer_port, 0);
    cr_assert_eq(socket.uid, 1000);
    cr_assert_eq(socket.inode, 4711);
    cr_assert_not(socket.timed);
}

Test(proc_net, a_line_of_ipv6_is_understood_with_the_time_that_is_left)
{
    struct listed socket;
    cr_assert(parse(time_wait, &socket));
    cr_assert_eq(socket.state, STATE_TIME_WAIT);
    cr_assert_eq(socket.family, AF_INET6);
    cr_assert(IN6_IS_ADDR_LOOPBACK(&socket.claim.ip));
    cr_assert(IN6_IS_ADDR_LOOPBACK(&socket.peer));
    cr_assert_eq(socket.claim.v6only, V6ONLY_UNKNOWN);
    cr_assert_eq(socket.peer_port, 0xc000);
    cr_assert(socket.timed);
    cr_assert_eq(socket.remaining_ms, 43210);
    cr_assert_eq(socket.inode, 0);
}

Test(proc_net, what_is_no_socket_is_refused)
{
    static const char *const lines[] = {
        "",
        " ",
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
        "timeout",
        "   0: 0100007F:270F",
        "   0: 0100007F:270F 00000000:0000 FF 00000000:00000000 00:00000000 00000000 0 0 1",
        "   0: 0100007F:270F 00000000:0000 00 00000000:00000000 00:00000000 00000000 0 0 1",
        "   0: 0100007F0100007F:270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1",
        "   0: " LOOPBACK6 ":270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1",
        "   0: 0100007f:270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1",
        "   0: 0100007F:270F0 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1",
        "   0:0100007F:270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct listed socket;
        cr_assert_not(parse(lines[i], &socket), "%s", lines[i]);
    }
}

/* In memory of exactly that size, so that AddressSanitizer sees every byte too many. */
static bool parse_exactly(const char *line, size_t length)
{
    struct listed socket;
    char *copy = malloc(length + 1);
    memcpy(copy + 1, line, length);
    const bool understood = proc_net_parse_line(copy + 1, length, &socket);
    cr_assert(!understood || socket.state < STATES);
    free(copy);
    return understood;
}

Test(proc_net, a_line_cut_off_before_the_inode_is_refused)
{
    const size_t needed = (size_t)(strstr(listener, "4711") - listener) + 1;
    for (size_t length = 0; length < sizeof listener; length++) {
        cr_assert_eq(parse_exactly(listener, length), length >= needed, "%zu bytes", length);
    }
}

Test(proc_net, random_bytes_do_no_harm)
{
    unsigned int seed = 1;
    for (int round = 0; round < 100000; round++) {
        char line[sizeof time_wait];
        memcpy(line, time_wait, sizeof line);
        for (int i = 0; i < 3; i++) {
            line[(unsigned)rand_r(&seed) % sizeof line] = (char)rand_r(&seed);
        }
        parse_exactly(line, (unsigned)rand_r(&seed) % sizeof line);
    }
}

Test(proc_net, numbers_too_large_for_their_place_do_no_harm)
{
    struct listed socket;
    cr_assert(parse("99999999999999999: " LOOPBACK ":270F 00000000:0000 06 00000000:00000000 "
                    "03:FFFFFFFFFFFFFFFF 00000000 9999999999 9999999999 9999999999999999999",
                    &socket));
    cr_assert_eq(socket.remaining_ms, 0);
}

static void count_lines(void *context, const char *line, size_t length)
{
    cr_assert_leq(length, PROC_NET_LINE);
    cr_assert_not_null(line);
    (*(unsigned int *)context)++;
}

Test(proc_net, lines_of_a_file_are_given_whole_until_the_time_is_up)
{
    unsigned int lines = 0;
    struct listing listing =
        proc_net_lines("snmp", kernel_milliseconds() + 10000, count_lines, &lines);
    cr_assert_eq(listing.error, 0);
    cr_assert(listing.complete);
    cr_assert_gt(lines, 5);
    unsigned int first_lines = 0;
    listing = proc_net_lines("snmp", kernel_milliseconds(), count_lines, &first_lines);
    cr_assert_not(listing.complete);
    cr_assert_lt(first_lines, lines);
}
