/*
 * System calls whose libc wrappers the shim must not use: cancellation points (write, ppoll, ...)
 * and wrappers with a newer symbol version than the oldest C library (fstat, clock_gettime).
 *
 * syscall(2) is no cancellation point, allocates nothing and takes no lock, in glibc and in musl.
 * Everything here is async-signal-safe. A function that fails may change errno; bind() and listen()
 * put it right before they return.
 */
#ifndef LIBREUSE_KERNEL_H
#define LIBREUSE_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What fstat(2) says of an open descriptor: which file it is, and of what type. */
struct kernel_file {
    uint64_t device;
    uint64_t inode;
    uint64_t special_device; /* of a device file: which device */
    unsigned int mode;       /* as st_mode */
    uint32_t uid;            /* the user whom it belongs to */
};

/* A set of signals as the kernel takes it: bit N-1 stands for signal N. */
struct kernel_signals {
    unsigned long bits[8 / sizeof(unsigned long)];
};

/* The file behind a descriptor. False where it is not open, or fstat(2) is refused. */
bool kernel_file(int fd, struct kernel_file *file);

/* CLOCK_REALTIME in milliseconds since 1970; 0 where the clock is refused. */
int64_t kernel_wall_milliseconds(void);

/* When an open file was created, in nanoseconds; 0 where that is not told (statx(2), Linux 4.11).
 */
uint64_t kernel_birth(int fd);

/* Whether the descriptor was opened for writing. */
bool kernel_may_write(int fd);

/* Whether the file behind the descriptor is of /proc. */
bool kernel_is_proc(int fd);

/* The name of the calling thread, NUL-terminated: that of the program, until it is changed. */
enum { KERNEL_NAME_SIZE = 16 };
bool kernel_thread_name(char name[KERNEL_NAME_SIZE]);

/* The same for a name in a folder, or in the working folder; a symbolic link is not followed. */
bool kernel_file_in(int folder_fd, const char *path, struct kernel_file *file);
bool kernel_file_at(const char *path, struct kernel_file *file);

/* CLOCK_MONOTONIC in milliseconds; 0 where the clock is refused. */
int64_t kernel_milliseconds(void);

/* Whether that time has come. Where the clock is refused it has, so that nobody works for ever. */
bool kernel_is_past(int64_t milliseconds);

/*
 * Whether the kernel can read the bytes from `start` on, found out without touching them:
 * rt_sigprocmask(2) copies the set from user memory (EFAULT) before it looks at `how` (EINVAL), and
 * with an unknown `how` it changes nothing. True only for a definite yes.
 */
bool kernel_can_read(const void *start, size_t length);

/* Sleeps so long, or until a signal handler has run. */
void kernel_sleep(int64_t milliseconds);

/* Ends the process at once: no handler, no destructor runs. */
void kernel_exit(int status);

/* Adds to the thread's blocked signals; `before` receives the mask that was in force. */
bool kernel_block_signals(const struct kernel_signals *signals, struct kernel_signals *before);

/* Replaces the thread's blocked signals. */
void kernel_restore_signals(const struct kernel_signals *before);

/* The signals that are blocked and pending, for the thread or for the process. */
void kernel_pending_signals(struct kernel_signals *pending);

/* Takes one pending signal of the set off the queue, without waiting. False where none is pending.
 */
bool kernel_consume_signal(const struct kernel_signals *signals);

/*
 * A new socket, whatever another preloaded library makes of socket(3): closed on exec, and its
 * calls do not wait. -1 and errno where it is refused.
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

/* Removes the datagram that a socket has next. False where there is none. */
bool kernel_drop(int fd);

/* Opens for reading, closed on exec. -1 and errno where it is refused. */
int kernel_open(const char *path);
int kernel_open_in(int folder_fd, const char *path);

/* Opens as the flags say, closed on exec. */
int kernel_open_as(int folder_fd, const char *path, int flags, unsigned int mode);

void kernel_close(int fd);

/*
 * The beginning of a file that holds a number, like those in /proc/sys. False where it cannot be
 * read, or begins otherwise.
 */
bool kernel_read_number(const char *path, unsigned int *number);

/* Whether the calling thread has the capability (capabilities(7), numbers up to 31) in effect. */
bool kernel_has_capability(unsigned int capability);

/* read(2), getdents64(2), readlinkat(2): the result is the call's. */
long kernel_read(int fd, void *buffer, size_t size);
long kernel_read_folder(int fd, void *buffer, size_t size);
long kernel_read_link(int folder_fd, const char *name, char *buffer, size_t size);

/* Whether the kernel is of this version or newer, by what uname(2) says. */
bool kernel_is_at_least(unsigned int major, unsigned int minor);

/* Whether one small write to `fd` will not block at this moment (poll(2), POLLOUT, no waiting). */
bool kernel_writable(int fd);

/* One write(2), or one sendto(2) that neither blocks nor raises SIGPIPE. The result is the call's.
 */
long kernel_write(int fd, const void *data, size_t length);
long kernel_send(int fd, const void *data, size_t length);
long kernel_send_to(int fd, const void *data, size_t length, const void *to,
                    unsigned int to_length);

#endif
