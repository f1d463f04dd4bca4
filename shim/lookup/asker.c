#include "asker.h"

#include "guest/kernel.h"
#include "guest/kernel_sockets.h"
#include "guest/line.h"

#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <string.h>

static void write_path(char path[32], int pid, const char *name)
{
    struct line line = {.text = path, .size = 31};
    line_text(&line, "/proc/");
    if (pid == 0) {
        line_text(&line, "self");
    } else {
        line_number(&line, (unsigned int)pid);
    }
    line_text(&line, name);
    path[line.length] = '\0';
}

/* A line "Seccomp:\t2" of /proc/PID/status; it is there where the kernel has filters at all. */
static enum fact has_filter(int pid)
{
    static const char key[] = "\nSeccomp:\t";
    enum { KEY = sizeof key - 1 };
    char path[32];
    write_path(path, pid, "/status");
    const int fd = kernel_open(path);
    enum fact fact = FACT_UNKNOWN;
    char text[256];
    size_t matched = 0;
    long got = fd < 0 ? 0 : kernel_read(fd, text, sizeof text);
    while (got > 0 && fact == FACT_UNKNOWN) {
        for (long i = 0; i < got && fact == FACT_UNKNOWN; i++) {
            if (matched == KEY) {
                fact = text[i] == '2' ? FACT_YES : FACT_NO;
            } else {
                matched = text[i] == key[matched] ? matched + 1 : text[i] == key[0];
            }
        }
        got = kernel_read(fd, text, sizeof text);
    }
    if (fd >= 0) {
        kernel_close(fd);
    }
    return fact;
}

static bool has_word(const char *text, const char *word)
{
    const size_t length = strlen(word);
    while (*text != '\0' && strncmp(text, word, length) != 0) {
        text++;
    }
    return *text != '\0';
}

/* "system_u:system_r:httpd_t:s0" or "usr.sbin.named (enforce)"; what refuses nothing is no label.
 */
static void read_label(char label[LABEL_SIZE], int pid)
{
    char path[32];
    write_path(path, pid, "/attr/current");
    const int fd = kernel_open(path);
    const long got = fd < 0 ? 0 : kernel_read(fd, label, LABEL_SIZE - 1);
    label[got > 0 ? got : 0] = '\0';
    label[strcspn(label, "\n")] = '\0';
    if (has_word(label, "unconfined") || has_word(label, "(complain)")) {
        label[0] = '\0'; /* it refuses nothing */
    }
    if (fd >= 0) {
        kernel_close(fd);
    }
}

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
                      const struct in6_addr *ip, unsigned int scope)
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
    if (listed->index == 0 || listed->index != scope) {
        *listed = (struct in6_listed){fields[IN6_INDEX], fields[IN6_FLAGS]};
    }
}

/* An address may be on several devices: that of the scope is meant. */
static struct in6_listed find_in6(const struct in6_addr *ip, unsigned int scope)
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
                take_line(&listed, text + start, text + end, ip, scope);
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

/* IFF_RUNNING is what duplicate address detection goes by: addrconf_link_ready() of the kernel. */
static enum fact has_carrier(const char device[DEVICE_SIZE])
{
    const unsigned int flags = kernel_device_flags(device);
    if ((flags & IFF_UP) == 0) {
        return FACT_UNKNOWN;
    }
    return (flags & IFF_RUNNING) != 0 ? FACT_YES : FACT_NO;
}

static enum fact may_bind_low_ports(int pid)
{
    uint32_t effective;
    if (!kernel_read_capabilities(pid, &effective)) {
        return FACT_UNKNOWN;
    }
    return (effective >> CAP_NET_BIND_SERVICE & 1) != 0 ? FACT_YES : FACT_NO;
}

void asker_find_in_network(struct asker *asker, const struct address *asked, int error)
{
    if (error == EACCES) {
        asker->knows_first_free_port = kernel_read_number(
            "/proc/sys/net/ipv4/ip_unprivileged_port_start", &asker->first_free_port);
    }
    if (error == EADDRNOTAVAIL && asked->as.any.sa_family == AF_INET6) {
        const bool has_scope = asked->length >= sizeof asked->as.in6;
        asker->asked =
            find_in6(&asked->as.in6.sin6_addr, has_scope ? asked->as.in6.sin6_scope_id : 0);
        listed_device(asker->asked_device, asker->asked.index);
        if ((asker->asked.flags & IN6_TENTATIVE) != 0) {
            asker->has_carrier = has_carrier(asker->asked_device);
        }
    }
}

void asker_find_in_process(struct asker *asker, int pid, int error)
{
    if (error == EACCES) {
        asker->may_bind_low_ports = may_bind_low_ports(pid);
    }
    if (error == EACCES || error == EPERM) {
        asker->is_filtered = has_filter(pid);
        read_label(asker->label, pid);
    }
}

static void find_in_socket(struct asker *asker, int fd)
{
    socklen_t length = sizeof asker->domain;
    if (!kernel_get_option(fd, SOL_SOCKET, SO_DOMAIN, &asker->domain, &length)) {
        asker->domain = AF_UNSPEC;
    }
    address_of_socket(&asker->bound, fd);
    length = sizeof asker->device; /* the kernel takes no less */
    if (!kernel_get_option(fd, SOL_SOCKET, SO_BINDTODEVICE, asker->device, &length) ||
        length == 0 || strnlen(asker->device, sizeof asker->device) != length - 1) {
        asker->device[0] = '\0';
    }
}

void asker_find(struct asker *asker, int fd, const struct address *asked, int error)
{
    *asker = (struct asker){.domain = AF_UNSPEC};
    if (error != EBADF && error != ENOTSOCK) {
        find_in_socket(asker, fd);
    }
    asker_find_in_network(asker, asked, error);
    asker_find_in_process(asker, 0, error);
}
