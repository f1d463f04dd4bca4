/*
 * /proc/net/tcp and its like: any bytes must be understood or refused, and what was understood must
 * be what the same socket gives when it is written again as the kernel writes it.
 */
#include "fuzz.h"

#include "lookup/proc_net.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static size_t write_ip(char *text, int family, const struct in6_addr *ip)
{
    uint32_t words[4];
    memcpy(words, ip, sizeof words);
    if (family == AF_INET) {
        return (size_t)sprintf(text, "%08" PRIX32, words[3]);
    }
    return (size_t)sprintf(text, "%08" PRIX32 "%08" PRIX32 "%08" PRIX32 "%08" PRIX32, words[0],
                           words[1], words[2], words[3]);
}

static unsigned int kernel_number(enum state state)
{
    unsigned int number = 0;
    while (state_from_kernel(number) != state) {
        number++;
    }
    return number;
}

/* get_tcp4_sock(), get_tcp6_sock(). */
static size_t write_line(char *text, const struct listed *socket)
{
    size_t length = (size_t)sprintf(text, "   1: ");
    length += write_ip(text + length, socket->family, &socket->claim.ip);
    length += (size_t)sprintf(text + length, ":%04X ", socket->port);
    length += write_ip(text + length, socket->family, &socket->peer);
    length +=
        (size_t)sprintf(text + length,
                        ":%04X %02X 00000000:00000000 %02X:%08" PRIX32 " 00000000 %5" PRIu32
                        "        0 %" PRIu64 " 1 0",
                        socket->peer_port, kernel_number(socket->state), socket->timed ? 3U : 0U,
                        socket->remaining_ms / 10, socket->uid, socket->inode);
    return length;
}

static void check_line(const char *line, size_t length)
{
    struct listed socket;
    memset(&socket, 0, sizeof socket);
    if (!proc_net_parse_line(line, length, &socket)) {
        return;
    }
    MUST(socket.state < STATES);
    MUST(socket.family == AF_INET || socket.family == AF_INET6);
    MUST(socket.timed || socket.remaining_ms == 0);

    char text[PROC_NET_LINE];
    struct listed again;
    memset(&again, 0, sizeof again);
    MUST(proc_net_parse_line(text, write_line(text, &socket), &again));
    MUST(again.state == socket.state && again.family == socket.family);
    MUST(memcmp(&again.claim.ip, &socket.claim.ip, sizeof again.claim.ip) == 0);
    MUST(memcmp(&again.peer, &socket.peer, sizeof again.peer) == 0);
    MUST(again.port == socket.port && again.peer_port == socket.peer_port);
    MUST(again.timed == socket.timed && again.remaining_ms == socket.remaining_ms);
    MUST(again.uid == socket.uid && again.inode == socket.inode);
}

/* What proc_net_lines() should give: the lines that are not too long, in their order. */
struct expectation {
    const char *next;
    const char *end;
};

static bool next_line(struct expectation *expected, const char **line, size_t *length)
{
    while (expected->next < expected->end) {
        const size_t left = (size_t)(expected->end - expected->next);
        const char *const stop = memchr(expected->next, '\n', left);
        if (stop == NULL) {
            return false;
        }
        *line = expected->next;
        *length = (size_t)(stop - *line);
        expected->next = stop + 1;
        if (*length <= PROC_NET_LINE) {
            return true;
        }
    }
    return false;
}

static void expect_line(void *context, const char *line, size_t length)
{
    const char *expected;
    size_t expected_length;
    MUST(next_line(context, &expected, &expected_length));
    MUST(length == expected_length && memcmp(line, expected, length) == 0);
}

/* The file is not in /proc/net, but the way there leads past the process's own descriptors. */
static void check_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[32];
    if (fd < 0) {
        fd = memfd_create("lines", MFD_CLOEXEC);
        MUST(fd >= 0);
        snprintf(path, sizeof path, "../fd/%d", fd);
    }
    MUST(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    struct expectation expected = {(const char *)data, (const char *)data + size};
    const struct listing listing = proc_net_lines(path, INT64_MAX, expect_line, &expected);
    MUST(listing.error == 0 && listing.complete);
    const char *line;
    size_t length;
    MUST(!next_line(&expected, &line, &length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct expectation lines = {(const char *)data, (const char *)data + size};
    const char *line;
    size_t length;
    check_line((const char *)data, size);
    while (next_line(&lines, &line, &length)) {
        check_line(line, length);
    }
    check_file(data, size);
    return 0;
}
