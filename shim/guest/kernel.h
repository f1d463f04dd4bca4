/*
 * The system calls of the shim, by stubs of its own (system_call.h); those on sockets stand in
 * kernel_sockets.h. The C library's functions are cancellation points (write, ppoll, ...), too new
 * for the oldest C library (fstat, clock_gettime), or may be replaced by another's.
 *
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
    uint64_t links;          /* how many names it has */
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
 * with an unknown `how` it changes nothing. A bad address is tried first, because a filter may
 * answer in the kernel's place. True only for a definite yes.
 */
bool kernel_can_read(const void *start, size_t length);

/*
 * Sleeps so long, with this signal mask meanwhile (NULL: the one in force). False where a signal
 * handler has run, also that of a signal that was pending before: then it sleeps no longer.
 */
bool kernel_sleep(int64_t milliseconds, const struct kernel_signals *mask);

/* For less than a second, or until a signal handler has run. */
void kernel_pause(long nanoseconds);

/* Ends the process at once: no handler, no destructor runs. */
void kernel_exit(int status);

/*
 * Blocks every signal of the thread; `before` receives the mask that was in force. False where a
 * filter refuses that: then there is nothing to be released.
 *
 * Whatever lasts longer than one system call, a descriptor, say, is had with signals held: a
 * handler that leaves by siglongjmp(3) would leave it behind.
 */
bool kernel_hold_signals(struct kernel_signals *before);

/* By the very same call, so that a filter that lets pass the one lets pass the other. */
void kernel_release_signals(const struct kernel_signals *before);

/* The signals that are blocked and pending, for the thread or for the process. */
void kernel_pending_signals(struct kernel_signals *pending);

/* Takes one pending signal of the set off the queue, without waiting. False where none is pending.
 */
bool kernel_consume_signal(const struct kernel_signals *signals);

/* Opens for reading, closed on exec. -1 and errno where it is refused. */
int kernel_open(const char *path);
int kernel_open_in(int folder_fd, const char *path);

/* Opens as the flags say, closed on exec. */
int kernel_open_as(int folder_fd, const char *path, int flags, unsigned int mode);

/*
 * For those who open: the descriptor that a call has answered, or -1 and errno. 0 is a descriptor
 * where the host has closed its own; but a filter may answer it, too, and then it is the host's
 * that must not be closed. Descriptors of the shim are closed on exec.
 */
int kernel_own_descriptor(long answer);

/* Also where a filter refuses close(2), by close_range(2). */
void kernel_close(int fd);

/*
 * The beginning of a file that holds a number, like those in /proc/sys. False where it cannot be
 * read, or begins otherwise.
 */
bool kernel_read_number(const char *path, unsigned int *number);

/* The number of the process. */
int kernel_process(void);

/* The effective user of the calling thread. */
uint32_t kernel_user(void);

/* Whether the effective user or group is another than the real one: the program is set-user-ID. */
bool kernel_is_another_user(void);

/*
 * Whether the calling thread has the capability (capabilities(7), numbers up to 31) in effect. All
 * of them as bits, of a process; 0 is the calling thread. False where they are not told.
 */
bool kernel_has_capability(unsigned int capability);
bool kernel_read_capabilities(int pid, uint32_t *effective);

/* read(2), getdents64(2), readlinkat(2): the result is the call's. */
long kernel_read(int fd, void *buffer, size_t size);
long kernel_read_folder(int fd, void *buffer, size_t size);
long kernel_read_link(int folder_fd, const char *name, char *buffer, size_t size);

/* Whether the kernel is of this version or newer, by what uname(2) says. */
bool kernel_is_at_least(unsigned int major, unsigned int minor);

/* Whether one small write to `fd` will not block at this moment (poll(2), POLLOUT, no waiting). */
bool kernel_writable(int fd);

/*
 * Takes O_APPEND away from a description that is nobody else's and does not wait, where that may be
 * (not of a file with chattr +a). Where it stands in a file: negative where there is no such place.
 */
void kernel_append_no_more(int fd);
long kernel_position(int fd);
bool kernel_seek(int fd, long position);

/* One write(2). The result is the call's. */
long kernel_write(int fd, const void *data, size_t length);

#endif
