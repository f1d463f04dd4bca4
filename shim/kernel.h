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
};

/* A set of signals as the kernel takes it: bit N-1 stands for signal N. */
struct kernel_signals {
    unsigned long bits[8 / sizeof(unsigned long)];
};

/* The file behind a descriptor. False where it is not open, or fstat(2) is refused. */
bool kernel_file(int fd, struct kernel_file *file);

/* CLOCK_MONOTONIC in milliseconds; 0 where the clock is refused. */
int64_t kernel_milliseconds(void);

/*
 * Whether the kernel can read the bytes from `start` on, found out without touching them:
 * rt_sigprocmask(2) copies the set from user memory (EFAULT) before it looks at `how` (EINVAL), and
 * with an unknown `how` it changes nothing. True only for a definite yes.
 */
bool kernel_can_read(const void *start, size_t length);

/* Adds to the thread's blocked signals; `before` receives the mask that was in force. */
bool kernel_block_signals(const struct kernel_signals *signals, struct kernel_signals *before);

/* Replaces the thread's blocked signals. */
void kernel_restore_signals(const struct kernel_signals *before);

/* The signals that are blocked and pending, for the thread or for the process. */
void kernel_pending_signals(struct kernel_signals *pending);

/* Takes one pending signal of the set off the queue, without waiting. False where none is pending.
 */
bool kernel_consume_signal(const struct kernel_signals *signals);

/* Whether one small write to `fd` will not block at this moment (poll(2), POLLOUT, no waiting). */
bool kernel_writable(int fd);

/* One write(2), or one send(2) that neither blocks nor raises SIGPIPE. The result is the call's. */
long kernel_write(int fd, const void *data, size_t length);
long kernel_send(int fd, const void *data, size_t length);

#endif
