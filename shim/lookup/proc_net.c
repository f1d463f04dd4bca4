#include "proc_net.h"

#include "guest/cursor.h"
#include "guest/kernel.h"
#include "guest/line.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* An address and a port: one or four words as they are in memory, in hexadecimal. */
static bool read_endpoint(struct cursor *cursor, int *family, struct in6_addr *ip, uint16_t *port)
{
    uint32_t words[4];
    int count = 0;
    uint64_t number;
    while (count < 4 && cursor_hex(cursor, 8, &number)) {
        words[count++] = (uint32_t)number;
    }
    if ((count != 1 && count != 4) || !cursor_char(cursor, ':') ||
        !cursor_hex(cursor, 4, &number)) {
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
    const bool has_queues = cursor_hex(cursor, 8, &ignored) && cursor_char(cursor, ':') &&
                            cursor_hex(cursor, 8, &ignored) && cursor_spaces(cursor);
    const bool has_timer = has_queues && cursor_hex(cursor, 2, &timer) &&
                           cursor_char(cursor, ':') && cursor_any_hex(cursor, &ticks) &&
                           cursor_spaces(cursor);
    const bool has_retransmits =
        has_timer && cursor_hex(cursor, 8, &ignored) && cursor_spaces(cursor);
    const bool has_uid = has_retransmits && cursor_decimal(cursor, &uid) && cursor_spaces(cursor);
    const bool has_probes = has_uid && cursor_decimal(cursor, &ignored) && cursor_spaces(cursor);
    if (!has_probes || !cursor_decimal(cursor, &socket->inode)) {
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
    cursor_spaces(&cursor);
    if (!cursor_decimal(&cursor, &number) || !cursor_char(&cursor, ':') ||
        !cursor_spaces(&cursor) ||
        !read_endpoint(&cursor, &socket->family, &socket->claim.ip, &socket->port) ||
        !cursor_spaces(&cursor) ||
        !read_endpoint(&cursor, &peer_family, &socket->peer, &socket->peer_port) ||
        !cursor_spaces(&cursor) || !cursor_hex(&cursor, 2, &state) || !cursor_spaces(&cursor) ||
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
