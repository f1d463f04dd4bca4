#include "kernel.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Seconds and nanoseconds as the system calls without "time64" in their name take them. */
struct kernel_time {
    long seconds;
    long nanoseconds;
};

bool kernel_file(int fd, struct kernel_file *file)
{
#ifdef SYS_fstat64
    struct stat64 facts;
    const long result = syscall(SYS_fstat64, fd, &facts);
#else
    struct stat facts;
    const long result = syscall(SYS_fstat, fd, &facts);
#endif
    if (result != 0) {
        return false;
    }
    file->device = facts.st_dev;
    file->inode = facts.st_ino;
    file->special_device = facts.st_rdev;
    file->mode = facts.st_mode;
    return true;
}

int64_t kernel_milliseconds(void)
{
    struct kernel_time now;
    if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now) != 0) {
        return 0;
    }
    return (int64_t)now.seconds * 1000 + now.nanoseconds / 1000000;
}

/* An aligned block of this size lies within one page, so that it can be read whole or not at all.
 */
enum { BLOCK = sizeof(struct kernel_signals) };

static bool can_read_block(uintptr_t address)
{
    const int no_such_how = -1;
    const uintptr_t block = address & ~(uintptr_t)(BLOCK - 1);
    return syscall(SYS_rt_sigprocmask, no_such_how, block, NULL, BLOCK) != 0 && errno == EINVAL;
}

bool kernel_can_read(const void *start, size_t length)
{
    const uintptr_t first = (uintptr_t)start;
    const uintptr_t last = first + length - 1;
    const size_t smallest_page = 4096;
    if (first / BLOCK == 0 || length == 0 || length > smallest_page || last < first) {
        return false; /* the kernel takes a null set for "no set" and reads nothing */
    }
    return can_read_block(first) &&
           (first / smallest_page == last / smallest_page || can_read_block(last));
}

bool kernel_block_signals(const struct kernel_signals *signals, struct kernel_signals *before)
{
    return syscall(SYS_rt_sigprocmask, SIG_BLOCK, signals, before, sizeof *signals) == 0;
}

void kernel_restore_signals(const struct kernel_signals *before)
{
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, before, NULL, sizeof *before);
}

void kernel_pending_signals(struct kernel_signals *pending)
{
    *pending = (struct kernel_signals){{0}};
    syscall(SYS_rt_sigpending, pending, sizeof *pending);
}

bool kernel_consume_signal(const struct kernel_signals *signals)
{
    struct kernel_time no_wait = {0, 0};
    return syscall(SYS_rt_sigtimedwait, signals, NULL, &no_wait, sizeof *signals) > 0;
}

bool kernel_writable(int fd)
{
    struct pollfd descriptor = {.fd = fd, .events = POLLOUT};
    struct kernel_time no_wait = {0, 0};
    return syscall(SYS_ppoll, &descriptor, 1, &no_wait, NULL, sizeof(struct kernel_signals)) == 1 &&
           (descriptor.revents & (POLLOUT | POLLERR | POLLNVAL)) == POLLOUT;
}

long kernel_write(int fd, const void *data, size_t length)
{
    return syscall(SYS_write, fd, data, length);
}

long kernel_send(int fd, const void *data, size_t length)
{
    return syscall(SYS_sendto, fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
}
