#include "proc_net.h"

#include "kernel.h"
#include "line.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct cursor {
    const char *next;
    const char *end;
};

static bool skip_char(struct cursor *cursor, char c)
{
    if (cursor->next == cursor->end || *cursor->next != c) {
        return false;
    }
    cursor->next++;
    return true;
}

static bool skip_spaces(struct cursor *cursor)
{
    bool any = false;
    while (skip_char(cursor, ' ')) {
        any = true;
    }
    return any;
}

/* 16 or more for what is no digit. */
static unsigned int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned int)(c - '0');
    }
    return c >= 'A' && c <= 'F' ? (unsigned int)(c - 'A' + 10) : 16;
}

/* One number, of at most so many digits. */
static bool read_number(struct cursor *cursor, unsigned int base, int most_digits, uint64_t *number)
{
    *number = 0;
    int digits = 0;
    while (digits < most_digits && cursor->next < cursor->end && digit_of(*cursor->next) < base) {
        *number = *number * base + digit_of(*cursor->next++);
        digits++;
    }
    return digits > 0;
}

enum { DECIMAL = 10, HEXADECIMAL = 16 };
enum { DECIMAL_DIGITS = 19 }; /* of a number that fits into 64 bits whatever the digits are */

static bool read_decimal(struct cursor *cursor, uint64_t *number)
{
    return read_number(cursor, DECIMAL, DECIMAL_DIGITS, number);
}

static bool read_hex(struct cursor *cursor, int digits, uint64_t *number)
{
    const char *start = cursor->next;
    return read_number(cursor, HEXADECIMAL, digits, number) && cursor->next - start == digits;
}

/* An address and a port: one or four words as they are in memory, in hexadecimal. */
static bool read_endpoint(struct cursor *cursor, int *family, struct in6_addr *ip, uint16_t *port)
{
    uint32_t words[4];
    int count = 0;
    uint64_t number;
    while (count < 4 && read_hex(cursor, 8, &number)) {
        words[count++] = (uint32_t)number;
    }
    if ((count != 1 && count != 4) || !skip_char(cursor, ':') || !read_hex(cursor, 4, &number)) {
        return false;
    }
    *port = (uint16_t)number;
    if (count == 1) {
        *family = AF_INET;
        *ip = claim_mapped(words[0]);
    } else {
        *family = AF_INET6;
        memcpy(ip, words, sizeof *ip);
    }
    return true;
}

/* get_timewait4_sock(); its time is in ticks of USER_HZ. */
enum { TIMER_TIME_WAIT = 3, TICK_MS = 10 };

static bool read_rest(struct cursor *cursor, struct listed *socket)
{
    uint64_t ignored;
    uint64_t timer;
    uint64_t ticks;
    uint64_t uid;
    if (!read_hex(cursor, 8, &ignored) || !skip_char(cursor, ':') ||
        !read_hex(cursor, 8, &ignored) || !skip_spaces(cursor) || /* queues */
        !read_hex(cursor, 2, &timer) || !skip_char(cursor, ':') ||
        !read_number(cursor, HEXADECIMAL, 16, &ticks) || !skip_spaces(cursor) ||
        !read_hex(cursor, 8, &ignored) || !skip_spaces(cursor) ||  /* retransmits */
        !read_decimal(cursor, &uid) || !skip_spaces(cursor) ||     /* */
        !read_decimal(cursor, &ignored) || !skip_spaces(cursor) || /* probes */
        !read_decimal(cursor, &socket->inode)) {
        return false;
    }
    socket->uid = (uint32_t)uid;
    socket->timed = timer == TIMER_TIME_WAIT;
    socket->remaining_ms =
        socket->timed && ticks < UINT32_MAX / TICK_MS ? (uint32_t)ticks * TICK_MS : 0;
    return true;
}

bool proc_net_parse_line(const char *line, size_t length, struct listed *socket)
{
    struct cursor cursor = {line, line + length};
    uint64_t number;
    uint64_t state;
    int peer_family;
    skip_spaces(&cursor);
    if (!read_decimal(&cursor, &number) || !skip_char(&cursor, ':') || !skip_spaces(&cursor) ||
        !read_endpoint(&cursor, &socket->family, &socket->claim.ip, &socket->port) ||
        !skip_spaces(&cursor) ||
        !read_endpoint(&cursor, &peer_family, &socket->peer, &socket->peer_port) ||
        !skip_spaces(&cursor) || !read_hex(&cursor, 2, &state) || !skip_spaces(&cursor) ||
        !read_rest(&cursor, socket)) {
        return false;
    }
    socket->claim.v6only = V6ONLY_UNKNOWN;
    socket->claim.device = DEVICE_UNKNOWN;
    socket->state = state_from_kernel((unsigned int)state);
    return socket->state != STATES && peer_family == socket->family;
}

/*
 * The sockets of the thread's network namespace are below /proc/thread-self/net; /proc/net has
 * those of the process's first thread. Kernels before 3.17 know only the latter.
 */
static int open_file(const char *file)
{
    static const char *const folders[] = {"/proc/thread-self/net/", "/proc/net/"};
    int fd = -1;
    for (int i = 0; i < 2 && fd < 0; i++) {
        char text[48] = "";
        struct line path = {.text = text, .size = sizeof text};
        line_text(&path, folders[i]);
        line_text(&path, file);
        text[path.length] = '\0';
        fd = kernel_open(text);
    }
    return fd;
}

struct splitter {
    void (*take)(void *context, const char *line, size_t length);
    void *context;
    size_t length; /* of the line so far, more than its room where it is too long */
    char line[PROC_NET_LINE];
};

static void split(struct splitter *splitter, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != '\n') {
            if (splitter->length < sizeof splitter->line) {
                splitter->line[splitter->length] = bytes[i];
            }
            splitter->length++;
            continue;
        }
        if (splitter->length <= sizeof splitter->line) {
            splitter->take(splitter->context, splitter->line, splitter->length);
        }
        splitter->length = 0;
    }
}

struct listing proc_net_lines(const char *file, int64_t deadline,
                              void (*take)(void *context, const char *line, size_t length),
                              void *context)
{
    const int fd = open_file(file);
    if (fd < 0) {
        return (struct listing){.error = errno};
    }
    struct splitter splitter = {.take = take, .context = context};
    struct listing listing = {.complete = false};
    char chunk[1024];
    long length;
    do {
        length = kernel_read(fd, chunk, sizeof chunk);
        if (length > 0) {
            split(&splitter, chunk, (size_t)length);
        }
    } while (length > 0 && !kernel_is_past(deadline));
    listing.error = length < 0 ? errno : 0;
    listing.complete = length == 0;
    kernel_close(fd);
    return listing;
}

struct taker {
    void (*take)(void *context, const struct listed *socket);
    void *context;
};

static void take_line(void *context, const char *line, size_t length)
{
    const struct taker *taker = context;
    struct listed socket;
    if (proc_net_parse_line(line, length, &socket)) {
        taker->take(taker->context, &socket);
    }
}

struct listing proc_net_list(int protocol, bool ipv6_only, int64_t deadline,
                             void (*take)(void *context, const struct listed *socket),
                             void *context)
{
    const bool is_tcp = protocol == IPPROTO_TCP;
    struct taker taker = {take, context};
    struct listing ipv4 = {.complete = true};
    if (!ipv6_only) {
        ipv4 = proc_net_lines(is_tcp ? "tcp" : "udp", deadline, take_line, &taker);
    }
    if (!ipv4.complete) {
        return ipv4;
    }
    const struct listing ipv6 =
        proc_net_lines(is_tcp ? "tcp6" : "udp6", deadline, take_line, &taker);
    /* Without IPv6 in the kernel there is no such file. */
    return ipv6.error == ENOENT && !ipv6_only ? ipv4 : ipv6;
}
