#include "sink.h"

#include "guest/kernel_sockets.h"
#include "log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

/* What descriptor 2 was at load. Written before `prepared` is set, and never again. */
static struct kernel_file at_load;
static uint64_t birth_at_load;
static bool open_at_load;
static atomic_bool prepared;

void sink_prepare(void)
{
    open_at_load = kernel_file(STDERR_FILENO, &at_load);
    birth_at_load = open_at_load ? kernel_birth(STDERR_FILENO) : 0;
    prepared = true;
}

static bool is_dev_null(const struct kernel_file *file)
{
    return S_ISCHR(file->mode) && file->special_device == makedev(1, 3);
}

bool sink_stderr_at_load(struct kernel_file *file)
{
    if (!prepared) { /* what descriptor 2 is now is what it will be at load */
        return kernel_file(STDERR_FILENO, file) && !is_dev_null(file);
    }
    *file = at_load;
    return open_at_load && !is_dev_null(file);
}

/* write(2) raises them: for a pipe without reader, a terminal's background, a file size limit. */
static const int raised[] = {SIGPIPE, SIGTTOU, SIGXFSZ};
enum { RAISED = sizeof raised / sizeof raised[0] };

/* As the result of a write that was not tried, because a filter refuses to block signals. */
#define NOT_HELD LONG_MIN

/*
 * While a signal is blocked, SIGTTOU's write is even allowed, and the others can be taken back. The
 * result is how many bytes were written, or a negative errno. A record that was cut short is ended.
 */
static long write_with_signals_held(int fd, const char *record, size_t length,
                                    void (*end_cut_line)(int fd))
{
    struct kernel_signals ours = {{0}};
    for (size_t i = 0; i < RAISED; i++) {
        ours.bits[0] |= 1UL << (raised[i] - 1);
    }
    struct kernel_signals mask;
    if (!kernel_hold_signals(&mask)) {
        return NOT_HELD;
    }
    struct kernel_signals before;
    kernel_pending_signals(&before);
    long written = -EAGAIN;
    if (kernel_writable(fd)) {
        written = kernel_write(fd, record, length);
        written = written < 0 ? -errno : written;
    }
    if (written > 0 && (size_t)written < length) {
        end_cut_line(fd);
    }
    if (written != (long)length) {
        struct kernel_signals new = {{ours.bits[0] & ~before.bits[0]}};
        kernel_consume_signal(&new);
    }
    kernel_release_signals(&mask);
    return written;
}

static bool is_same(const struct kernel_file *one, const struct kernel_file *other)
{
    return one->device == other->device && one->inode == other->inode;
}

/* A full disk has room for a newline in the place of the last byte that was written. */
static void replace_last(int fd, long end)
{
    if (end > 0 && kernel_seek(fd, end - 1)) {
        kernel_write(fd, "\n", 1);
    }
}

/* The offset is where the own write ended, wherever others have appended since. */
static void end_cut_line(int fd)
{
    const long end = kernel_position(fd);
    kernel_append_no_more(fd);
    replace_last(fd, end);
}

/* With a description of its own: the host's must stay as it is. */
static int open_stderr_again(void)
{
    return kernel_open_as(AT_FDCWD, "/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY, 0);
}

static bool is_file(int fd, const struct kernel_file *file)
{
    struct kernel_file opened;
    return kernel_file(fd, &opened) && is_same(&opened, file);
}

static void end_cut_stderr(int fd)
{
    struct kernel_file file;
    const int own_fd = open_stderr_again();
    if (own_fd < 0) {
        return;
    }
    if (kernel_file(fd, &file) && is_file(own_fd, &file)) {
        replace_last(own_fd, kernel_position(fd));
    }
    kernel_close(own_fd);
}

static bool write_whole(int fd, const char *record, size_t length)
{
    return write_with_signals_held(fd, record, length, end_cut_stderr) == (long)length;
}

/*
 * A terminal or a pipe that has room for one byte is writable, and makes a longer write wait for
 * the rest, or other writers take the room first. So it is opened once more, not to wait. Where
 * that is not possible, poll(2) must be enough. Only a descriptor for writing gets here: to open it
 * once more must not give the host a right that it was not given.
 */
static bool write_without_waiting(const struct kernel_file *file, const char *record, size_t length)
{
    const int fd = open_stderr_again();
    if (fd < 0) {
        return write_whole(STDERR_FILENO, record, length);
    }
    const bool written = is_file(fd, file) && write_whole(fd, record, length);
    kernel_close(fd);
    return written;
}

bool sink_stderr(const char *record, size_t length)
{
    struct kernel_file then;
    struct kernel_file now;
    if (!sink_stderr_at_load(&then) || !kernel_file(STDERR_FILENO, &now) || !is_same(&now, &then) ||
        !kernel_may_write(STDERR_FILENO)) {
        return false;
    }
    if (S_ISSOCK(now.mode)) {
        return kernel_send(STDERR_FILENO, record, length) == (long)length;
    }
    if (S_ISCHR(now.mode) || S_ISFIFO(now.mode)) {
        return write_without_waiting(&now, record, length);
    }
    /* A file that was deleted may have left its inode to another, which is younger. */
    return (!prepared || kernel_birth(STDERR_FILENO) == birth_at_load) &&
           write_whole(STDERR_FILENO, record, length);
}

bool sink_file(const char *path, const char *record, size_t length, struct log_failure *failure)
{
    const int fd = log_file_open(path, failure);
    if (fd < 0) {
        return false;
    }
    const long written = write_with_signals_held(fd, record, length, end_cut_line);
    if (written == NOT_HELD) {
        failure->trouble = LOG_TROUBLE_SIGNALS;
    } else if (written < 0) {
        failure->error = (int)-written;
    } else {
        failure->trouble = LOG_TROUBLE_CUT;
    }
    kernel_close(fd);
    return written == (long)length;
}

/* A full receive queue is EAGAIN: then the record is not sent. */
static bool send_datagram(const char *path, const char *record, size_t length)
{
    const int fd = kernel_socket(AF_UNIX, SOCK_DGRAM, 0);
    if (fd < 0) {
        return false;
    }
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memcpy(to.sun_path, path, strlen(path));
    const long sent = kernel_send_to(fd, record, length, &to, sizeof to);
    kernel_close(fd);
    return sent == (long)length;
}

bool sink_journal(const char *record, size_t length)
{
    return send_datagram("/run/systemd/journal/socket", record, length);
}

bool sink_syslog(const char *record, size_t length)
{
    return send_datagram("/dev/log", record, length);
}
