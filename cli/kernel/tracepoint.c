#include "tracepoint.h"

#include "terminal/output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same numbers on every architecture; C libraries have no such functions before 2022. */
#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif
#ifndef SYS_fsconfig
#define SYS_fsconfig 431
#endif
#ifndef SYS_fsmount
#define SYS_fsmount 432
#endif

/* <linux/mount.h> cannot be included beside <sys/mount.h> of every C library. */
enum { CLOSE_ON_EXEC = 1, COMMAND_CREATE = 6 };

static int mount_for_us(void)
{
    const int context = (int)syscall(SYS_fsopen, "tracefs", CLOSE_ON_EXEC);
    if (context < 0) {
        return -1;
    }
    int folder = -1;
    if (syscall(SYS_fsconfig, context, COMMAND_CREATE, NULL, NULL, 0) == 0) {
        folder = (int)syscall(SYS_fsmount, context, CLOSE_ON_EXEC, 0);
    }
    const int error = errno;
    close(context);
    errno = error;
    return folder;
}

int tracefs_open(void)
{
    static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const int folder = open(places[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (folder >= 0 && faccessat(folder, "events", F_OK, 0) == 0) {
            return folder;
        }
        if (folder >= 0) {
            close(folder);
        }
    }
    return mount_for_us();
}

/* The number by which perf_event_open(2) knows it. */
static bool read_id(int tracefs_fd, const char *name, uint64_t *id)
{
    char text[24];
    char *path = output_format("events/%s/id", name);
    const int fd = openat(tracefs_fd, path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    const int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    free(path);
    errno = error;
    if (length <= 0) {
        return false;
    }
    text[length] = '\0';
    *id = strtoull(text, NULL, 10);
    return true;
}

/*
 * An event of one processor is enough: the program runs wherever the tracepoint is met. The first
 * processor that is online will do.
 */
static int open_event(uint64_t id)
{
    struct perf_event_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.type = PERF_TYPE_TRACEPOINT;
    attr.size = sizeof attr;
    attr.config = id;
    attr.sample_type = PERF_SAMPLE_RAW;
    attr.sample_period = 1;
    attr.wakeup_events = 1;
    const long processors = sysconf(_SC_NPROCESSORS_CONF);
    int fd = -1;
    errno = ENODEV;
    for (int processor = 0; fd < 0 && errno == ENODEV && processor < processors; processor++) {
        fd = (int)syscall(SYS_perf_event_open, &attr, -1, processor, -1, PERF_FLAG_FD_CLOEXEC);
    }
    return fd;
}

int tracepoint_attach(int tracefs_fd, const char *name, int program_fd)
{
    uint64_t id;
    if (!read_id(tracefs_fd, name, &id)) {
        return -1;
    }
    const int fd = open_event(id);
    if (fd >= 0 && (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program_fd) != 0 ||
                    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) != 0)) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}
