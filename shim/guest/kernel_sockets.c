#include "kernel_sockets.h"

#include "kernel.h"
#include "system_call.h"

#include <errno.h>
#include <linux/net.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

/* A call by its number in <linux/net.h>. */
static long make_socket_call(int call, long a, long b, long c, long d, long e, long f)
{
#if defined(__i386__) || defined(__s390x__)
    const long arguments[] = {a, b, c, d, e, f};
    return SYSTEM_CALL(SYS_socketcall, call, arguments);
#else
    static const short numbers[] = {
        [SYS_SOCKET] = SYS_socket,           [SYS_BIND] = SYS_bind,
        [SYS_CONNECT] = SYS_connect,         [SYS_LISTEN] = SYS_listen,
        [SYS_GETSOCKNAME] = SYS_getsockname, [SYS_SENDTO] = SYS_sendto,
        [SYS_SETSOCKOPT] = SYS_setsockopt,   [SYS_GETSOCKOPT] = SYS_getsockopt,
        [SYS_RECVMSG] = SYS_recvmsg,
    };
    return system_call_result(system_call(numbers[call], a, b, c, d, e, f));
#endif
}

#define SOCKET_CALL(...) SOCKET_CALL_OF_SIX(__VA_ARGS__, 0, 0, 0, 0, 0)
#define SOCKET_CALL_OF_SIX(call, a, b, c, d, e, f, ...)                                            \
    make_socket_call(call, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

int kernel_bind(int fd, const struct sockaddr *address, socklen_t length)
{
    return (int)SOCKET_CALL(SYS_BIND, fd, address, length);
}

int kernel_listen(int fd, int backlog)
{
    return (int)SOCKET_CALL(SYS_LISTEN, fd, backlog);
}

bool kernel_get_option(int fd, int level, int option, void *value, socklen_t *length)
{
    return SOCKET_CALL(SYS_GETSOCKOPT, fd, level, option, value, length) == 0;
}

bool kernel_set_option(int fd, int level, int option, int value)
{
    return SOCKET_CALL(SYS_SETSOCKOPT, fd, level, option, &value, sizeof value) == 0;
}

bool kernel_socket_name(int fd, struct sockaddr *address, socklen_t *length)
{
    return SOCKET_CALL(SYS_GETSOCKNAME, fd, address, length) == 0;
}

int kernel_socket(int family, int type, int protocol)
{
    return kernel_own_descriptor(
        SOCKET_CALL(SYS_SOCKET, family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
}

bool kernel_connect(int fd, const void *address, unsigned int length)
{
    return SOCKET_CALL(SYS_CONNECT, fd, address, length) == 0;
}

/* What is skipped is written to the buffer, too, where the wanted piece then replaces it. */
long kernel_peek(int fd, void *buffer, size_t size, size_t skip, size_t end)
{
    struct iovec pieces[PEEK_PIECES];
    uint16_t count = 0; /* for a msg_iovlen that is size_t in glibc, int in musl */
    for (size_t left = skip; left > 0; left -= pieces[count++].iov_len) {
        if (count == PEEK_PIECES - 1) {
            errno = EMSGSIZE;
            return -1;
        }
        pieces[count] = (struct iovec){buffer, left < size ? left : size};
    }
    pieces[count++] = (struct iovec){buffer, end - skip < size ? end - skip : size};
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
    return SOCKET_CALL(SYS_RECVMSG, fd, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
}

bool kernel_device_name(unsigned int index, char name[KERNEL_DEVICE_SIZE])
{
    const int fd = kernel_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0) {
        return false;
    }
    struct ifreq request = {.ifr_ifindex = (int)index};
    const bool known = SYSTEM_CALL(SYS_ioctl, fd, SIOCGIFNAME, &request) == 0;
    kernel_close(fd);
    memcpy(name, request.ifr_name, KERNEL_DEVICE_SIZE);
    name[KERNEL_DEVICE_SIZE - 1] = '\0';
    return known;
}

unsigned int kernel_device_flags(const char name[KERNEL_DEVICE_SIZE])
{
    const int fd = kernel_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0) {
        return 0;
    }
    struct ifreq request = {0};
    memcpy(request.ifr_name, name, KERNEL_DEVICE_SIZE);
    const bool known = SYSTEM_CALL(SYS_ioctl, fd, SIOCGIFFLAGS, &request) == 0;
    kernel_close(fd);
    return known ? (unsigned short)request.ifr_flags : 0;
}

bool kernel_drop(int fd)
{
    struct msghdr nothing = {0};
    return SOCKET_CALL(SYS_RECVMSG, fd, &nothing, MSG_DONTWAIT) >= 0;
}

long kernel_send_to(int fd, const void *data, size_t length, const void *to, unsigned int to_length)
{
    return SOCKET_CALL(SYS_SENDTO, fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to_length);
}

long kernel_send(int fd, const void *data, size_t length)
{
    return kernel_send_to(fd, data, length, NULL, 0);
}
