#include "kernel.h"

#include "system_call.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>

/* Seconds and nanoseconds as the system calls without "time64" in their name take them. */
struct kernel_time {
    long seconds;
    long nanoseconds;
};

/* musl gives the call that other C libraries name plainly this name on 32-bit machines. */
#ifdef SYS_clock_gettime32
#define KERNEL_CLOCK_GETTIME SYS_clock_gettime32
#else
#define KERNEL_CLOCK_GETTIME SYS_clock_gettime
#endif

/* What these system calls write: the libc's structure of the same layout. */
#ifdef SYS_fstat64
#define KERNEL_STAT struct stat64
#else
#define KERNEL_STAT struct stat
#endif

static void take_facts(struct kernel_file *file, const KERNEL_STAT *facts)
{
    file->device = facts->st_dev;
    file->inode = facts->st_ino;
    file->special_device = facts->st_rdev;
    file->mode = facts->st_mode;
    file->uid = facts->st_uid;
    file->links = facts->st_nlink;
}

bool kernel_file(int fd, struct kernel_file *file)
{
    KERNEL_STAT facts = {0};
#ifdef SYS_fstat64
    const long result = SYSTEM_CALL(SYS_fstat64, fd, &facts);
#else
    const long result = SYSTEM_CALL(SYS_fstat, fd, &facts);
#endif
    if (result == 0) {
        take_facts(file, &facts);
    }
    return result == 0;
}

bool kernel_file_in(int folder_fd, const char *path, struct kernel_file *file)
{
    KERNEL_STAT facts = {0};
#ifdef SYS_fstatat64
    const long result = SYSTEM_CALL(SYS_fstatat64, folder_fd, path, &facts, AT_SYMLINK_NOFOLLOW);
#else
    const long result = SYSTEM_CALL(SYS_newfstatat, folder_fd, path, &facts, AT_SYMLINK_NOFOLLOW);
#endif
    if (result == 0) {
        take_facts(file, &facts);
    }
    return result == 0;
}

bool kernel_file_at(const char *path, struct kernel_file *file)
{
    return kernel_file_in(AT_FDCWD, path, file);
}

static int64_t milliseconds_of(int clock)
{
    struct kernel_time now = {0, 0}; /* as it stays where a filter answers 0 */
    if (SYSTEM_CALL(KERNEL_CLOCK_GETTIME, clock, &now) != 0) {
        return 0;
    }
    return (int64_t)now.seconds * 1000 + now.nanoseconds / 1000000;
}

int64_t kernel_wall_milliseconds(void)
{
    return milliseconds_of(CLOCK_REALTIME);
}

int64_t kernel_milliseconds(void)
{
    return milliseconds_of(CLOCK_MONOTONIC);
}

bool kernel_is_past(int64_t milliseconds)
{
    const int64_t now = kernel_milliseconds();
    return now == 0 || now >= milliseconds;
}

uint64_t kernel_birth(int fd)
{
#if defined SYS_statx && defined STATX_BTIME
    struct statx facts;
    if (SYSTEM_CALL(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BTIME, &facts) == 0 &&
        (facts.stx_mask & STATX_BTIME) != 0) {
        return (uint64_t)facts.stx_btime.tv_sec * 1000000000 + facts.stx_btime.tv_nsec;
    }
#else
    (void)fd;
#endif
    return 0;
}

bool kernel_may_write(int fd)
{
    const long flags = SYSTEM_CALL(SYS_fcntl, fd, F_GETFL);
    return flags >= 0 && (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_RDONLY;
}

bool kernel_is_proc(int fd)
{
    struct statfs facts;
    return SYSTEM_CALL(SYS_fstatfs, fd, &facts) == 0 && facts.f_type == PROC_SUPER_MAGIC;
}

bool kernel_thread_name(char name[KERNEL_NAME_SIZE])
{
    return SYSTEM_CALL(SYS_prctl, PR_GET_NAME, name) == 0;
}

/* An aligned block of this size lies within one page, so that it can be read whole or not at all.
 */
enum { BLOCK = sizeof(struct kernel_signals) };

static long try_block(uintptr_t address)
{
    const long no_such_how = -1;
    const uintptr_t block = address & ~(uintptr_t)(BLOCK - 1);
    return system_call(SYS_rt_sigprocmask, no_such_how, (long)block, 0, BLOCK, 0, 0);
}

static bool can_read_block(uintptr_t address)
{
    return try_block(address) == -EINVAL;
}

/* A filter that answers EINVAL by itself would make every address a good one. */
static bool bad_addresses_are_told(void)
{
    return try_block(UINTPTR_MAX) == -EFAULT;
}

bool kernel_can_read(const void *start, size_t length)
{
    const uintptr_t first = (uintptr_t)start;
    const uintptr_t last = first + length - 1;
    const size_t smallest_page = 4096;
    if (first / BLOCK == 0 || length == 0 || length > smallest_page || last < first) {
        return false; /* the kernel takes a null set for "no set" and reads nothing */
    }
    return bad_addresses_are_told() && can_read_block(first) &&
           (first / smallest_page == last / smallest_page || can_read_block(last));
}

/* No error but EINTR: where a filter refuses it, this is no sleep, but nobody was disturbed either.
 */
static bool sleep_for(struct kernel_time duration, const struct kernel_signals *mask)
{
    return SYSTEM_CALL(SYS_ppoll, NULL, 0, &duration, mask, sizeof *mask) == 0 || errno != EINTR;
}

bool kernel_sleep(int64_t milliseconds, const struct kernel_signals *mask)
{
    return sleep_for(
        (struct kernel_time){(long)(milliseconds / 1000), (long)(milliseconds % 1000) * 1000000},
        mask);
}

void kernel_pause(long nanoseconds)
{
    sleep_for((struct kernel_time){0, nanoseconds}, NULL);
}

void kernel_exit(int status)
{
    SYSTEM_CALL(SYS_exit_group, status);
}

/*
 * Whether it was done, whatever the answer: a filter may say 0 in the kernel's place. No mask that
 * the kernel writes has SIGKILL in it.
 */
static bool set_signal_mask(const struct kernel_signals *mask, struct kernel_signals *before)
{
    memset(before, 0xff, sizeof *before);
    SYSTEM_CALL(SYS_rt_sigprocmask, SIG_SETMASK, mask, before, sizeof *mask);
    return (before->bits[0] >> (SIGKILL - 1) & 1) == 0;
}

bool kernel_hold_signals(struct kernel_signals *before)
{
    struct kernel_signals all;
    memset(&all, 0xff, sizeof all);
    return set_signal_mask(&all, before);
}

void kernel_release_signals(const struct kernel_signals *before)
{
    enum { TRIES = 3 };
    struct kernel_signals held;
    for (int i = 0; i < TRIES && !set_signal_mask(before, &held); i++) {
    }
}

void kernel_pending_signals(struct kernel_signals *pending)
{
    *pending = (struct kernel_signals){{0}};
    SYSTEM_CALL(SYS_rt_sigpending, pending, sizeof *pending);
}

bool kernel_consume_signal(const struct kernel_signals *signals)
{
    struct kernel_time no_wait = {0, 0};
    return SYSTEM_CALL(SYS_rt_sigtimedwait, signals, NULL, &no_wait, sizeof *signals) > 0;
}

int kernel_open(const char *path)
{
    return kernel_open_in(AT_FDCWD, path);
}

int kernel_open_in(int folder_fd, const char *path)
{
    return kernel_open_as(folder_fd, path, O_RDONLY | O_NOCTTY, 0);
}

int kernel_own_descriptor(long answer)
{
    if (answer != 0 || SYSTEM_CALL(SYS_fcntl, 0, F_GETFD) != 0) { /* also where it is refused */
        return (int)answer;
    }
    errno = EPERM;
    return -1;
}

int kernel_open_as(int folder_fd, const char *path, int flags, unsigned int mode)
{
    return kernel_own_descriptor(SYSTEM_CALL(SYS_openat, folder_fd, path, flags | O_CLOEXEC, mode));
}

/* After any other error the descriptor is closed, and its number may be somebody else's already. */
static bool is_refusal(long answer)
{
    return answer == -EPERM || answer == -EACCES || answer == -ENOSYS || answer == -EINVAL;
}

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

void kernel_close(int fd)
{
    if (is_refusal(system_call(SYS_close, fd, 0, 0, 0, 0, 0))) {
        system_call(SYS_close_range, fd, fd, 0, 0, 0, 0);
    }
}

long kernel_read(int fd, void *buffer, size_t size)
{
    return SYSTEM_CALL(SYS_read, fd, buffer, size);
}

long kernel_read_folder(int fd, void *buffer, size_t size)
{
    return SYSTEM_CALL(SYS_getdents64, fd, buffer, size);
}

long kernel_read_link(int folder_fd, const char *name, char *buffer, size_t size)
{
    return SYSTEM_CALL(SYS_readlinkat, folder_fd, name, buffer, size);
}

/* Reads digits, and moves behind them. */
static unsigned int number_at(const char **text)
{
    unsigned int number = 0;
    while (**text >= '0' && **text <= '9') {
        number = number * 10 + (unsigned int)(*(*text)++ - '0');
    }
    return number;
}

bool kernel_read_number(const char *path, unsigned int *number)
{
    char text[16];
    const int fd = kernel_open(path);
    if (fd < 0) {
        return false;
    }
    const long length = kernel_read(fd, text, sizeof text - 1);
    kernel_close(fd);
    if (length <= 0 || text[0] < '0' || text[0] > '9') {
        return false;
    }
    text[length] = '\0';
    const char *digits = text;
    *number = number_at(&digits);
    return true;
}

/* The calls without "32" in their name know users up to 65535 only, where there are both. */
#ifdef SYS_geteuid32
enum {
    GETUID = SYS_getuid32,
    GETEUID = SYS_geteuid32,
    GETGID = SYS_getgid32,
    GETEGID = SYS_getegid32
};
#else
enum { GETUID = SYS_getuid, GETEUID = SYS_geteuid, GETGID = SYS_getgid, GETEGID = SYS_getegid };
#endif

uint32_t kernel_user(void)
{
    return (uint32_t)SYSTEM_CALL(GETEUID);
}

bool kernel_is_another_user(void)
{
    return SYSTEM_CALL(GETUID) != SYSTEM_CALL(GETEUID) ||
           SYSTEM_CALL(GETGID) != SYSTEM_CALL(GETEGID);
}

int kernel_process(void)
{
    return (int)SYSTEM_CALL(SYS_getpid);
}

bool kernel_read_capabilities(int pid, uint32_t *effective)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3, .pid = pid};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    const bool known = SYSTEM_CALL(SYS_capget, &header, data) == 0;
    *effective = data[0].effective;
    return known;
}

bool kernel_has_capability(unsigned int capability)
{
    uint32_t effective;
    return kernel_read_capabilities(0, &effective) && (effective >> capability & 1) != 0;
}

bool kernel_is_at_least(unsigned int major, unsigned int minor)
{
    struct utsname name;
    if (SYSTEM_CALL(SYS_uname, &name) != 0) {
        return false;
    }
    const char *release = name.release;
    const unsigned int its_major = number_at(&release);
    release += *release == '.';
    const unsigned int its_minor = number_at(&release);
    return its_major > major || (its_major == major && its_minor >= minor);
}

bool kernel_writable(int fd)
{
    struct pollfd descriptor = {.fd = fd, .events = POLLOUT};
    struct kernel_time no_wait = {0, 0};
    return SYSTEM_CALL(SYS_ppoll, &descriptor, 1, &no_wait, NULL, sizeof(struct kernel_signals)) ==
               1 &&
           (descriptor.revents & (POLLOUT | POLLERR | POLLNVAL)) == POLLOUT;
}

void kernel_append_no_more(int fd)
{
    SYSTEM_CALL(SYS_fcntl, fd, F_SETFL, O_NONBLOCK);
}

long kernel_position(int fd)
{
    return SYSTEM_CALL(SYS_lseek, fd, 0L, SEEK_CUR);
}

bool kernel_seek(int fd, long position)
{
    return SYSTEM_CALL(SYS_lseek, fd, position, SEEK_SET) == position;
}

long kernel_write(int fd, const void *data, size_t length)
{
    return SYSTEM_CALL(SYS_write, fd, data, length);
}
