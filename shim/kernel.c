#include "kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

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
}

bool kernel_file(int fd, struct kernel_file *file)
{
    KERNEL_STAT facts;
#ifdef SYS_fstat64
    const long result = syscall(SYS_fstat64, fd, &facts);
#else
    const long result = syscall(SYS_fstat, fd, &facts);
#endif
    if (result == 0) {
        take_facts(file, &facts);
    }
    return result == 0;
}

bool kernel_file_in(int folder_fd, const char *path, struct kernel_file *file)
{
    KERNEL_STAT facts;
#ifdef SYS_fstatat64
    const long result = syscall(SYS_fstatat64, folder_fd, path, &facts, AT_SYMLINK_NOFOLLOW);
#else
    const long result = syscall(SYS_newfstatat, folder_fd, path, &facts, AT_SYMLINK_NOFOLLOW);
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
    struct kernel_time now;
    if (syscall(KERNEL_CLOCK_GETTIME, clock, &now) != 0) {
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
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_BTIME, &facts) == 0 &&
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
    const long flags = syscall(SYS_fcntl, fd, F_GETFL);
    return flags >= 0 && (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_RDONLY;
}

bool kernel_is_proc(int fd)
{
    struct statfs facts;
    return syscall(SYS_fstatfs, fd, &facts) == 0 && facts.f_type == PROC_SUPER_MAGIC;
}

bool kernel_thread_name(char name[KERNEL_NAME_SIZE])
{
    return syscall(SYS_prctl, PR_GET_NAME, name) == 0;
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

void kernel_sleep(int64_t milliseconds)
{
    struct kernel_time duration = {(long)(milliseconds / 1000),
                                   (long)(milliseconds % 1000) * 1000000};
    syscall(SYS_ppoll, NULL, 0, &duration, NULL, sizeof(struct kernel_signals));
}

void kernel_exit(int status)
{
    syscall(SYS_exit_group, status);
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

int kernel_socket(int family, int type, int protocol)
{
    return (int)syscall(SYS_socket, family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

bool kernel_connect(int fd, const void *address, unsigned int length)
{
    return syscall(SYS_connect, fd, address, length) == 0;
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
    return syscall(SYS_recvmsg, fd, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
}

bool kernel_drop(int fd)
{
    struct msghdr nothing = {0};
    return syscall(SYS_recvmsg, fd, &nothing, MSG_DONTWAIT) >= 0;
}

int kernel_open(const char *path)
{
    return kernel_open_in(AT_FDCWD, path);
}

int kernel_open_in(int folder_fd, const char *path)
{
    return kernel_open_as(folder_fd, path, O_RDONLY | O_NOCTTY, 0);
}

int kernel_open_as(int folder_fd, const char *path, int flags, unsigned int mode)
{
    return (int)syscall(SYS_openat, folder_fd, path, flags | O_CLOEXEC, mode);
}

void kernel_close(int fd)
{
    syscall(SYS_close, fd);
}

long kernel_read(int fd, void *buffer, size_t size)
{
    return syscall(SYS_read, fd, buffer, size);
}

long kernel_read_folder(int fd, void *buffer, size_t size)
{
    return syscall(SYS_getdents64, fd, buffer, size);
}

long kernel_read_link(int folder_fd, const char *name, char *buffer, size_t size)
{
    return syscall(SYS_readlinkat, folder_fd, name, buffer, size);
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

bool kernel_has_capability(unsigned int capability)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return syscall(SYS_capget, &header, data) == 0 && (data[0].effective >> capability & 1) != 0;
}

bool kernel_is_at_least(unsigned int major, unsigned int minor)
{
    struct utsname name;
    if (syscall(SYS_uname, &name) != 0) {
        return false;
    }
    const char *release = name.release;
    const unsigned int its_major = number_at(&release);
    if (*release == '.') {
        release++;
    }
    const unsigned int its_minor = number_at(&release);
    return its_major > major || (its_major == major && its_minor >= minor);
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

long kernel_send_to(int fd, const void *data, size_t length, const void *to, unsigned int to_length)
{
    return syscall(SYS_sendto, fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to_length);
}

long kernel_send(int fd, const void *data, size_t length)
{
    return kernel_send_to(fd, data, length, NULL, 0);
}
