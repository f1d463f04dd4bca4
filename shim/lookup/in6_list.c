#include "in6_list.h"

#include "guest/kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/*
 * A line of /proc/net/if_inet6 is 32 digits of address, then index, prefix length, scope and flags
 * in hexadecimal, and the device's name.
 */
enum { IN6_DIGITS = 32, IN6_FIELDS = 4, IN6_INDEX = 0, IN6_FLAGS = 3 };

/* 16 and more: no digit. */
static unsigned int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return (unsigned int)(digit - '0');
    }
    return digit >= 'a' && digit <= 'f' ? (unsigned int)(digit - 'a') + 10 : 16;
}

static bool is_address(const char *line, const struct in6_addr *ip)
{
    for (size_t i = 0; i < sizeof *ip; i++) {
        if ((hex_digit(line[2 * i]) << 4 | hex_digit(line[2 * i + 1])) != ip->s6_addr[i]) {
            return false;
        }
    }
    return true;
}

/* Takes a line, which ends at `end`, if it is the address's. */
static void take_line(struct in6_listed *listed, const char *line, const char *end,
                      const struct in6_addr *ip)
{
    unsigned int fields[IN6_FIELDS] = {0};
    if (end - line <= IN6_DIGITS || !is_address(line, ip)) {
        return;
    }
    const char *next = line + IN6_DIGITS;
    for (size_t i = 0; i < IN6_FIELDS; i++) {
        while (next < end && *next == ' ') {
            next++;
        }
        while (next < end && hex_digit(*next) < 16) {
            fields[i] = fields[i] << 4 | hex_digit(*next++);
        }
    }
    *listed = (struct in6_listed){fields[IN6_INDEX], fields[IN6_FLAGS]};
}

struct in6_listed in6_list_find(const struct in6_addr *ip)
{
    struct in6_listed listed = {0};
    char text[512];
    size_t length = 0;
    const int fd = kernel_open("/proc/self/net/if_inet6");
    long got = fd < 0 ? 0 : kernel_read(fd, text, sizeof text);
    while (got > 0) {
        length += (size_t)got;
        size_t start = 0;
        for (size_t end = 0; end < length; end++) {
            if (text[end] == '\n') {
                take_line(&listed, text + start, text + end, ip);
                start = end + 1;
            }
        }
        length -= start;
        memmove(text, text + start, length);
        got = length < sizeof text ? kernel_read(fd, text + length, sizeof text - length) : 0;
    }
    if (fd >= 0) {
        kernel_close(fd);
    }
    return listed;
}
