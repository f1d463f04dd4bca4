#include "lookup/owner.h"

#include "guest/kernel.h"
#include "refuse.h"
#include "skip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(owner);

/* Far more time than a search needs. */
#define LONG_MS 10000

/* Where a child has the socket open. */
#define CHILDS_FD 77

static uint64_t inode_of(int fd)
{
    struct stat file;
    cr_assert_eq(fstat(fd, &file), 0);
    return file.st_ino;
}

static int new_socket(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_geq(fd, 0);
    return fd;
}

static struct owner search(uint64_t inode)
{
    struct owner owner;
    owner_find(inode, getuid(), kernel_milliseconds() + LONG_MS, &owner);
    return owner;
}

/* A process that has the socket as CHILDS_FD, until the test ends. This one has it no more. */
static pid_t give_to_child(int fd, const char *name, bool dumpable)
{
    int ready[2];
    char byte;
    cr_assert_eq(pipe(ready), 0);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_NAME, name);
        prctl(PR_SET_DUMPABLE, dumpable);
        if (dup2(fd, CHILDS_FD) != CHILDS_FD || close(fd) != 0 || write(ready[1], "", 1) != 1) {
            _exit(1);
        }
        while (getppid() == parent) {
            sleep(1);
        }
        _exit(0);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    close(fd);
    return child;
}

static void end(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

Test(owner, this_process_is_found_with_its_descriptor)
{
    const int fd = new_socket();
    prctl(PR_SET_NAME, "a server");
    const struct owner owner = search(inode_of(fd));
    cr_assert_eq(owner.search, OWNER_FOUND);
    cr_assert(owner.this_process);
    cr_assert_eq(owner.pid, getpid());
    cr_assert_eq(owner.fd, fd);
    cr_assert_str_eq(owner.program, "a server");
}

/* A copy of the descriptor beyond those that are looked at without /proc. */
static int high_copy(int fd)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const int copy = fcntl(fd, F_DUPFD_CLOEXEC, 1024);
    if (copy < 0) {
        skip_because("the limit of descriptors is too low: %s", strerror(errno));
    }
    return copy;
}

Test(owner, this_process_is_found_by_a_high_descriptor_too)
{
    const int first = new_socket();
    const int fd = high_copy(first);
    close(first);
    const struct owner owner = search(inode_of(fd));
    cr_assert_eq(owner.search, OWNER_FOUND);
    cr_assert(owner.this_process);
    cr_assert_eq(owner.pid, getpid());
    cr_assert_eq(owner.fd, fd);
}

Test(owner, another_process_is_found_with_its_name_and_descriptor)
{
    const int fd = new_socket();
    const uint64_t inode = inode_of(fd);
    const pid_t child = give_to_child(fd, "predecessor", true);
    const struct owner owner = search(inode);
    end(child);
    cr_assert_eq(owner.search, OWNER_FOUND);
    cr_assert_eq(owner.pid, child);
    cr_assert_eq(owner.fd, CHILDS_FD);
    cr_assert_str_eq(owner.program, "predecessor");
    cr_assert_not(owner.this_process);
}

/* Those that are called otherwise have a place of their own; this process is looked for apart. */
Test(owner, others_that_share_the_socket_are_counted)
{
    const int fd = new_socket();
    const uint64_t inode = inode_of(fd);
    const pid_t children[] = {give_to_child(dup(fd), "worker", true),
                              give_to_child(dup(fd), "worker", true),
                              give_to_child(dup(fd), "helper", true)};
    prctl(PR_SET_NAME, "worker");
    struct owner owner = search(inode);
    cr_assert(owner.this_process);
    cr_assert_eq(owner.sharers, 0);
    owner_find_sharers(inode, getuid(), kernel_milliseconds() + 10000, &owner);
    cr_assert_eq(owner.sharers, 3);
    cr_assert_eq(owner.named_count, 1);
    cr_assert_eq(owner.named[0].pid, children[2]);
    cr_assert_str_eq(owner.named[0].program, "helper");
    close(fd);
    owner = search(inode);
    cr_assert_not(owner.this_process);
    cr_assert_eq(owner.pid, children[0]);
    cr_assert_eq(owner.sharers, 2);
    cr_assert_eq(owner.named_count, 1);
    for (size_t i = 0; i < 3; i++) {
        end(children[i]);
    }
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

Test(owner, no_descriptor_is_left_open)
{
    const int fd = new_socket();
    const uint64_t inode = inode_of(fd);
    const pid_t child = give_to_child(fd, "predecessor", true);
    const int before = open_descriptors();
    struct owner owner = search(inode);
    cr_assert_eq(owner.pid, child);
    cr_assert_eq(open_descriptors(), before);
    owner_find(inode, getuid(), kernel_milliseconds(), &owner);
    cr_assert_eq(open_descriptors(), before);
    end(child);
    owner = search(inode);
    cr_assert_neq(owner.search, OWNER_FOUND);
    cr_assert_eq(open_descriptors(), before);
}

Test(owner, a_name_of_the_longest_length_is_whole)
{
    const int fd = new_socket();
    const uint64_t inode = inode_of(fd);
    const pid_t child = give_to_child(fd, "123456789012345", true);
    const struct owner owner = search(inode);
    end(child);
    cr_assert_str_eq(owner.program, "123456789012345");
}

Test(owner, inode_0_has_none)
{
    const struct owner owner = search(0);
    cr_assert_eq(owner.search, OWNER_NONE);
}

/* A socket that is on its way from one process to another, and open in neither. */
static void put_under_way(int fd)
{
    int pair[2];
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof fd)];
    } control = {.header = {.cmsg_level = SOL_SOCKET,
                            .cmsg_type = SCM_RIGHTS,
                            .cmsg_len = CMSG_LEN(sizeof fd)}};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    struct iovec byte = {"", 1};
    const struct msghdr message = {.msg_iov = &byte,
                                   .msg_iovlen = 1,
                                   .msg_control = &control,
                                   .msg_controllen = sizeof control};
    cr_assert_eq(sendmsg(pair[0], &message, 0), 1);
    close(fd);
}

/* With a /proc of its own, so that every process in it may be looked into. */
Test(owner, a_socket_in_no_process_that_can_be_seen_is_hidden)
{
    const int fd = new_socket();
    const uint64_t inode = inode_of(fd);
    put_under_way(fd);
    if (unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
        skip_because("no PID namespace of its own: %s", strerror(errno));
    }
    const int no_mount = 100;
    const pid_t child = fork();
    if (child == 0) {
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
        if (mount("proc", "/proc", "proc", 0, NULL) != 0) {
            _exit(no_mount);
        }
        _exit((int)search(inode).search);
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == no_mount) {
        skip_because("no /proc can be mounted");
    }
    cr_assert_eq(status, OWNER_HIDDEN << 8, "0x%x", (unsigned)status);
}

Test(owner, a_process_that_may_not_be_looked_into_is_told_as_forbidden)
{
    const int fd = new_socket();
    const uint64_t inode = inode_of(fd);
    const pid_t child = give_to_child(fd, "secret", false);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    const struct __user_cap_data_struct none[2] = {{0}};
    cr_assert_eq(syscall(SYS_capset, &header, none), 0);
    const struct owner owner = search(inode);
    end(child);
    cr_assert_eq(owner.search, OWNER_FORBIDDEN);
}

Test(owner, a_search_ends_when_its_time_is_up)
{
    const int fd = new_socket();
    const uint64_t inode = inode_of(fd);
    const pid_t child = give_to_child(fd, "predecessor", true);
    struct owner owner;
    owner_find(inode, getuid(), kernel_milliseconds(), &owner);
    end(child);
    cr_assert_eq(owner.search, OWNER_TIME_UP);
}

Test(owner, without_proc_this_process_is_found_all_the_same)
{
    const int fd = new_socket();
    hide_proc();
    const struct owner owner = search(inode_of(fd));
    cr_assert_eq(owner.search, OWNER_FOUND);
    cr_assert(owner.this_process);
    cr_assert_str_eq(owner.program, "");
}

Test(owner, without_proc_the_search_says_so)
{
    const int fd = new_socket();
    const uint64_t inode = inode_of(fd);
    const pid_t child = give_to_child(fd, "predecessor", true);
    hide_proc();
    const struct owner owner = search(inode);
    end(child);
    cr_assert_eq(owner.search, OWNER_NO_PROC);
}

Test(owner, an_empty_folder_is_no_proc)
{
    char folder[] = "/tmp/libreuse.XXXXXX";
    const int fd = new_socket();
    const uint64_t inode = inode_of(fd);
    put_under_way(fd);
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(chdir(folder), 0);
    cr_assert_eq(mkdir("proc", 0755), 0);
    const pid_t child = fork();
    if (child == 0) {
        _exit(chroot(".") == 0 ? (int)search(inode).search : 100);
    }
    int status;
    waitpid(child, &status, 0);
    rmdir("proc");
    rmdir(folder);
    cr_assert_eq(status, OWNER_NO_PROC << 8, "0x%x", (unsigned)status);
}

/* In a PID namespace of its own, with the outer /proc still mounted. */
Test(owner, numbers_are_those_of_proc_even_if_that_is_of_another_pid_namespace)
{
    const int fd = new_socket();
    const int high = high_copy(fd);
    if (unshare(CLONE_NEWPID) != 0) {
        skip_because("no PID namespace of its own: %s", strerror(errno));
    }
    const pid_t child = fork();
    if (child == 0) {
        close(fd);
        const struct owner owner = search(inode_of(high));
        _exit(owner.search == OWNER_FOUND && owner.this_process && owner.pid != getpid() ? 0 : 1);
    }
    close(fd);
    close(high);
    int status;
    waitpid(child, &status, 0);
    cr_assert_eq(status, 0, "0x%x", (unsigned)status);
}
