/*
 * The system calls on sockets. On i386 and s390x they go through socketcall(2): kernels before 4.3
 * know no other way there, and it is the one that filters expect of the C library.
 *
 * Everything here is async-signal-safe, and no cancellation point. A function that fails may change
 * errno.
 */
#ifndef LIBREUSE_KERNEL_SOCKETS_H
#define LIBREUSE_KERNEL_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* bind(2) and listen(2), errno included. */
int kernel_bind(int fd, const struct sockaddr *address, socklen_t length);
int kernel_listen(int fd, int backlog);

/* getsockopt(2), setsockopt(2) and getsockname(2). */
bool kernel_get_option(int fd, int level, int option, void *value, socklen_t *length);
bool kernel_set_option(int fd, int level, int option, int value);
bool kernel_socket_name(int fd, struct sockaddr *address, socklen_t *length);

/*
 * A new socket: closed on exec, and its calls do not wait. -1 and errno where it is refused.
 */
int kernel_socket(int family, int type, int protocol);

/* connect(2). */
bool kernel_connect(int fd, const void *address, unsigned int length);

/*
 * Reads a piece of the datagram that a socket has next, and leaves the datagram there: the bytes
 * from `skip` up to `end`, as far as they fit. Thus a small buffer is enough for a large datagram.
 * The result is the length of the whole datagram. Negative where there is none, or where `skip` is
 * more than PEEK_PIECES - 1 times the buffer's size.
 */
enum { PEEK_PIECES = 8 };
long kernel_peek(int fd, void *buffer, size_t size, size_t skip, size_t end);

/*
 * The name of the network device with this index, in the calling thread's network namespace, by
 * SIOCGIFNAME. False where there is none, or a filter refuses the question.
 */
enum { KERNEL_DEVICE_SIZE = 16 }; /* IFNAMSIZ */
bool kernel_device_name(unsigned int index, char name[KERNEL_DEVICE_SIZE]);

/* IFF_UP, IFF_RUNNING and others of netdevice(7), of a device there; 0 where they are not told. */
unsigned int kernel_device_flags(const char name[KERNEL_DEVICE_SIZE]);

/* Removes the datagram that a socket has next. False where there is none. */
bool kernel_drop(int fd);

/* One sendto(2) that neither blocks nor raises SIGPIPE. The result is the call's. */
long kernel_send(int fd, const void *data, size_t length);
long kernel_send_to(int fd, const void *data, size_t length, const void *to,
                    unsigned int to_length);

#endif
