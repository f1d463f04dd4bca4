#include "address.h"

#include "kernel.h"
#include "kernel_sockets.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

void address_copy(struct address *address, const struct sockaddr *from, socklen_t length)
{
    address->length = 0;
    if (length <= sizeof address->as && kernel_can_read(from, length)) {
        memcpy(&address->as, from, length);
        address->length = length;
    }
}

void address_of_socket(struct address *address, int fd)
{
    socklen_t length = sizeof address->as;
    const bool known = kernel_socket_name(fd, &address->as.any, &length);
    address->length = known && length < sizeof address->as ? length : 0; /* as it was: not told */
}

/* AF_UNSPEC where too little of the address is there to have a family. */
static sa_family_t family(const struct address *address)
{
    const bool whole = address->length >= sizeof address->as.any.sa_family;
    return whole ? address->as.any.sa_family : AF_UNSPEC;
}

static bool is_in(const struct address *address)
{
    return family(address) == AF_INET && address->length >= sizeof address->as.in;
}

/* The kernel accepts an AF_INET6 address without the scope (RFC 2133), 24 bytes long. */
static bool is_in6(const struct address *address)
{
    return family(address) == AF_INET6 &&
           address->length >= offsetof(struct sockaddr_in6, sin6_scope_id);
}

void address_complete(struct address *address)
{
    if (family(address) == AF_UNSPEC && address->length >= sizeof address->as.in &&
        address->as.in.sin_addr.s_addr == htonl(INADDR_ANY)) {
        address->as.in.sin_family = AF_INET;
    }
}

unsigned int address_port(const struct address *address)
{
    if (is_in(address)) {
        return ntohs(address->as.in.sin_port);
    }
    if (is_in6(address)) {
        return ntohs(address->as.in6.sin6_port);
    }
    return 0;
}

bool address_is_any_port(const struct address *address)
{
    return (is_in(address) || is_in6(address)) && address_port(address) == 0;
}

static bool is_un(const struct address *address)
{
    return family(address) == AF_UNIX; /* the path comes right behind the family */
}

static bool is_port_asked(const struct address *address, const struct address *asked)
{
    return address_port(asked) == 0 || address_port(address) == address_port(asked);
}

static uint32_t scope(const struct address *address)
{
    return address->length >= sizeof address->as.in6 ? address->as.in6.sin6_scope_id : 0;
}

static bool is_in6_asked(const struct address *address, const struct address *asked)
{
    return memcmp(&address->as.in6.sin6_addr, &asked->as.in6.sin6_addr, sizeof(struct in6_addr)) ==
               0 &&
           is_port_asked(address, asked) && (scope(address) == scope(asked) || scope(asked) == 0);
}

/* A path may end with a NUL or with the address; a name of the abstract namespace has no end. */
static size_t name_length(const struct address *address)
{
    const char *name = address->as.un.sun_path;
    const size_t length = address->length - offsetof(struct sockaddr_un, sun_path);
    return length > 0 && name[0] != '\0' ? strnlen(name, length) : length;
}

static bool is_un_asked(const struct address *address, const struct address *asked)
{
    const size_t length = name_length(asked);
    return length == 0 || (name_length(address) == length &&
                           memcmp(address->as.un.sun_path, asked->as.un.sun_path, length) == 0);
}

static bool is_written(const struct address *address)
{
    return is_in(address) || is_in6(address) || is_un(address);
}

bool address_is_what_was_asked(const struct address *address, const struct address *asked)
{
    if (!is_written(address) || !is_written(asked)) {
        return true;
    }
    if (family(address) != family(asked)) {
        return false;
    }
    if (is_un(asked)) {
        return is_un_asked(address, asked);
    }
    return is_in(asked) ? address->as.in.sin_addr.s_addr == asked->as.in.sin_addr.s_addr &&
                              is_port_asked(address, asked)
                        : is_in6_asked(address, asked);
}

static void write_in(struct line *line, const unsigned char bytes[4])
{
    for (int i = 0; i < 4; i++) {
        if (i > 0) {
            line_text(line, ".");
        }
        line_number(line, bytes[i]);
    }
}

enum { IN6_GROUPS = 8 };

/* The longest run of two or more zero groups, the first of the longest: RFC 5952, section 4.2. */
static int zero_run(const unsigned int groups[IN6_GROUPS], int *run_length)
{
    int best = -1;
    *run_length = 1;
    for (int i = 0; i < IN6_GROUPS; i++) {
        int end = i;
        while (end < IN6_GROUPS && groups[end] == 0) {
            end++;
        }
        if (end - i > *run_length) {
            best = i;
            *run_length = end - i;
        }
    }
    return best;
}

static void write_in6(struct line *line, const struct in6_addr *ip)
{
    if (IN6_IS_ADDR_V4MAPPED(ip)) {
        line_text(line, "::ffff:");
        write_in(line, &ip->s6_addr[12]);
        return;
    }
    unsigned int groups[IN6_GROUPS];
    for (int i = 0; i < IN6_GROUPS; i++) {
        groups[i] = (unsigned int)ip->s6_addr[2 * i] << 8 | ip->s6_addr[2 * i + 1];
    }
    int run_length;
    const int run = zero_run(groups, &run_length);
    for (int i = 0; i < IN6_GROUPS; i++) {
        if (i == run) {
            line_text(line, "::");
            i += run_length - 1;
            continue;
        }
        if (i > 0 && i != run + run_length) {
            line_text(line, ":");
        }
        line_hex(line, groups[i]);
    }
}

static void write_un(struct line *line, const struct address *address)
{
    const char *path = address->as.un.sun_path;
    const size_t length = address->length - offsetof(struct sockaddr_un, sun_path);
    if (length == 0) {
        line_text(line, "(unnamed)");
    } else if (path[0] == '\0') {
        line_text(line, "@");
        line_escaped(line, path + 1, length - 1);
    } else {
        line_escaped(line, path, strnlen(path, length));
    }
}

static void write_device_and_port(struct line *line, const struct address *address,
                                  const char *device)
{
    if (device[0] != '\0') {
        line_text(line, "%");
        line_escaped(line, device, strlen(device));
    }
    line_text(line, ":");
    line_number(line, address_port(address));
}

void address_write_on(struct line *line, const struct address *address, const char *device)
{
    if (is_in(address)) {
        unsigned char bytes[4];
        memcpy(bytes, &address->as.in.sin_addr, sizeof bytes);
        write_in(line, bytes);
        write_device_and_port(line, address, device);
    } else if (is_in6(address)) {
        line_text(line, "[");
        write_in6(line, &address->as.in6.sin6_addr);
        if (scope(address) != 0 && device[0] == '\0') {
            line_text(line, "%");
            line_number(line, scope(address));
        }
        line_text(line, "]");
        write_device_and_port(line, address, device);
    } else if (is_un(address)) {
        write_un(line, address);
    } else if (address->length == 0) {
        line_text(line, "(no readable address)");
    } else {
        line_text(line, "(address of family ");
        line_number(line, family(address));
        line_text(line, ", ");
        line_number(line, address->length);
        line_text(line, " bytes)");
    }
}

void address_write(struct line *line, const struct address *address)
{
    address_write_on(line, address, "");
}
