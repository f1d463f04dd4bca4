#include "remote.h"

#include "guest/kernel.h"
#include "processes.h"
#include "terminal/output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same number on every architecture; C libraries have no such functions before 2022. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* Of a thread that is not its process's first: of Linux 6.9 on, EINVAL before. */
#define PIDFD_OF_THREAD O_EXCL

static void open_process(struct remote *remote, int pid)
{
    const int thread = process_thread(pid);
    remote_close(remote);
    remote->pid = pid;
    remote->pidfd = (int)syscall(SYS_pidfd_open, thread, thread != pid ? PIDFD_OF_THREAD : 0);
    remote->error = remote->pidfd < 0 ? errno : 0;
}

int remote_socket(struct remote *remote, int pid, int fd, uint64_t inode)
{
    if (remote->pid != pid) {
        open_process(remote, pid);
    }
    if (remote->error != 0) {
        errno = remote->error;
        return -1;
    }
    const int copy = (int)syscall(SYS_pidfd_getfd, remote->pidfd, fd, 0);
    if (copy < 0) {
        return -1;
    }
    struct stat file;
    if (fstat(copy, &file) != 0 || !S_ISSOCK(file.st_mode) || file.st_ino != inode) {
        close(copy);
        errno = EBADF;
        return -1;
    }
    return copy;
}

void remote_close(struct remote *remote)
{
    if (remote->pidfd >= 0) {
        close(remote->pidfd);
    }
    *remote = REMOTE_NONE;
}

/* What the caller could do to get the capability. */
static const char *way_to_capability(void)
{
    return geteuid() == 0 ? "root has not got it here; in a container: --cap-add=SYS_PTRACE"
                          : "run this as root";
}

static char *explain_eperm(int pid)
{
    char path[32];
    struct stat process;
    unsigned int scope = 0;
    kernel_read_number("/proc/sys/kernel/yama/ptrace_scope", &scope);
    snprintf(path, sizeof path, "/proc/%d", pid);
    if (scope >= 3) {
        return output_format("kernel.yama.ptrace_scope=%u forbids it to everybody until the next "
                             "boot",
                             scope);
    }
    if (kernel_has_capability(CAP_SYS_PTRACE)) {
        return output_format("not permitted, although CAP_SYS_PTRACE is there: a security module "
                             "or a filter (seccomp) refuses it, or the process is in another user "
                             "namespace");
    }
    if (stat(path, &process) != 0 || process.st_uid != geteuid()) {
        return output_format("needs CAP_SYS_PTRACE, or the process's own user; %s",
                             way_to_capability());
    }
    if (scope >= 1) {
        return output_format("kernel.yama.ptrace_scope=%u asks for CAP_SYS_PTRACE even of the "
                             "process's own user; %s",
                             scope, way_to_capability());
    }
    return output_format("needs CAP_SYS_PTRACE, because the process has, or had, other rights than "
                         "its user; %s",
                         way_to_capability());
}

char *remote_explain(int pid, int error)
{
    switch (error) {
    case EPERM:
        return explain_eperm(pid);
    case ENOSYS:
        return output_format(kernel_is_at_least(5, 6)
                                 ? "pidfd_getfd(2) is refused by a filter (seccomp)"
                                 : "needs pidfd_getfd(2), which Linux has since 5.6");
    case ESRCH:
    case EBADF:
        return output_format("it is gone by now: run this again");
    case EINVAL:
        return output_format("its first thread has ended, and the sockets of the others can be "
                             "reached from Linux 6.9 on");
    default:
        return output_format("pidfd_getfd(2): %s", strerror(error));
    }
}
