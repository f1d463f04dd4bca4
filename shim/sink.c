#include "sink.h"

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
static bool open_at_load;
static atomic_bool prepared;

void sink_prepare(void)
{
    open_at_load = kernel_file(STDERR_FILENO, &at_load);
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

/* While a signal is blocked, SIGTTOU's write is even allowed, and the others can be taken back. */
static bool write_with_signals_held(int fd, const char *record, size_t length)
{
    struct kernel_signals ours = {{0}};
    for (size_t i = 0; i < RAISED; i++) {
        ours.bits[0] |= 1UL << (raised[i] - 1);
    }
    struct kernel_signals mask;
    if (!kernel_block_signals(&ours, &mask)) {
        return false;
    }
    struct kernel_signals before;
    kernel_pending_signals(&before);
    const bool written = kernel_writable(fd) && kernel_write(fd, record, length) == (long)length;
    if (!written) {
        struct kernel_signals new = {{ours.bits[0] & ~before.bits[0]}};
        kernel_consume_signal(&new);
    }
    kernel_restore_signals(&mask);
    return written;
}

bool sink_stderr(const char *record, size_t length)
{
    struct kernel_file then;
    struct kernel_file now;
    if (!sink_stderr_at_load(&then) || !kernel_file(STDERR_FILENO, &now) ||
        now.device != then.device || now.inode != then.inode) {
        return false;
    }
    if (S_ISSOCK(now.mode)) {
        return kernel_send(STDERR_FILENO, record, length) == (long)length;
    }
    return write_with_signals_held(STDERR_FILENO, record, length);
}

/*
 * Opens one step of a path. The folder that is open already cannot be exchanged for another by
 * somebody who may write to it; where everybody may, a symbolic link could be anybody's.
 */
static int open_step(int folder, const char *name, int flags)
{
    struct kernel_file file;
    const bool trusted = kernel_file(folder, &file) && (file.mode & S_IWOTH) == 0;
    return kernel_open_as(folder, name, trusted ? flags : flags | O_NOFOLLOW, 0640);
}

static int open_log(const char *path)
{
    int fd = kernel_open_as(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
    while (fd >= 0 && *path == '/') {
        path += strspn(path, "/");
        const size_t length = strcspn(path, "/");
        char name[NAME_MAX + 1];
        if (length == 0 || length >= sizeof name) {
            break;
        }
        memcpy(name, path, length);
        name[length] = '\0';
        path += length;
        const int how = *path == '/' ? O_PATH | O_DIRECTORY
                                     : O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY;
        const int next = open_step(fd, name, how);
        kernel_close(fd);
        fd = next;
        if (*path == '\0') {
            return fd;
        }
    }
    if (fd >= 0) {
        kernel_close(fd);
    }
    return -1;
}

bool sink_file(const char *path, const char *record, size_t length)
{
    const int fd = open_log(path);
    if (fd < 0) {
        return false;
    }
    struct kernel_file file;
    const bool written = kernel_file(fd, &file) && (S_ISREG(file.mode) || S_ISFIFO(file.mode)) &&
                         write_with_signals_held(fd, record, length);
    kernel_close(fd);
    return written;
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
