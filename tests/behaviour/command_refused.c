/*
 * A filter may refuse any system call that the command makes, as one around a container does.
 * Whichever it is: the command ends with a status of its own, and where that is not 0, with words.
 */
#include "deadline.h"
#include "guards.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "sockets.h"
#include "target.h"
#include "units.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the loader of the command needs is left to it: openat(2), read(2), mmap(2) and the like. */
static const struct {
    const char *name;
    long number;
} calls[] = {
#ifdef SYS_getsockopt
    {"socket", SYS_socket},
    {"connect", SYS_connect},
    {"getsockname", SYS_getsockname},
    {"getsockopt", SYS_getsockopt},
    {"setsockopt", SYS_setsockopt},
    {"recvmsg", SYS_recvmsg},
    {"sendto", SYS_sendto},
    {"bind", SYS_bind},
#endif
    {"getdents64", SYS_getdents64},
    {"readlinkat", SYS_readlinkat},
    {"ioctl", SYS_ioctl},
    {"capget", SYS_capget},
    {"uname", SYS_uname},
    {"setns", SYS_setns},
    {"pidfd_open", SYS_pidfd_open},
    {"clone", SYS_clone},
    {"kill", SYS_kill},
    {"wait4", SYS_wait4},
    {"bpf", SYS_bpf},
    {"mount", SYS_mount},
    {"geteuid", SYS_geteuid},
    {"getpid", SYS_getpid},
    {"mkdirat", SYS_mkdirat},
    {"sched_setaffinity", SYS_sched_setaffinity},
#ifdef SYS_pidfd_getfd
    {"pidfd_getfd", SYS_pidfd_getfd},
#endif
#ifdef SYS_readlink
    {"readlink", SYS_readlink},
    {"mkdir", SYS_mkdir},
    {"pipe2", SYS_pipe2},
#endif
#ifdef SYS_newfstatat
    {"statfs", SYS_statfs},
    {"fstatfs", SYS_fstatfs},
    {"lseek", SYS_lseek},
    {"clock_gettime", SYS_clock_gettime},
#endif
    {"process_vm_readv", SYS_process_vm_readv},
    {"prctl", SYS_prctl},
    {"unlinkat", SYS_unlinkat},
    {"statx", SYS_statx},
};
enum { CALLS = sizeof calls / sizeof calls[0] };

static struct host server;

/* A server without the shim, with a connection and a TIME_WAIT socket, and a service. */
static void serve(void)
{
    enter_private_network();
    enter_private_units();
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    leave_time_wait(WITHOUT_SHIM, "[::1]:7777");
    server = start_host(WITHOUT_SHIM);
    const int listener = host_serve(&server, "0.0.0.0:8888");
    connected_client("127.0.0.1:8888", 0);
    host_accept(&server, listener);
    show_unit("server.service", "");
}

TestSuite(command_refused, .init = serve);

/* Up to four arguments. */
static void refuse_each(const char *const arguments[])
{
    for (size_t i = 0; i < CALLS; i++) {
        struct process process = start(
            (struct program){.path = BUILD_FOLDER "/fixtures/refused",
                             .arguments = {text_of(calls[i].number), LIBREUSE_PATH, arguments[0],
                                           arguments[1], arguments[2], arguments[3]}});
        EVENTUALLY(has_ended(&process));
        const char *said = output_of(&process);
        const char *complained = errors_of(&process);
        cr_assert(WIFEXITED(process.status), "%s, %s() refused: killed by signal %d: %s%s",
                  arguments[0], calls[i].name, WTERMSIG(process.status), said, complained);
        const int status = WEXITSTATUS(process.status);
        cr_assert(status == 0 || status == 1 || status == 3, "%s, %s() refused: status %d: %s%s",
                  arguments[0], calls[i].name, status, said, complained);
        cr_assert(status == 0 || said[0] != '\0' || complained[0] != '\0',
                  "%s, %s() refused: status %d without a word", arguments[0], calls[i].name,
                  status);
        close(process.output);
        close(process.errors);
    }
}

#define REFUSE_EACH(...) refuse_each((const char *const[]){__VA_ARGS__, NULL, NULL, NULL, NULL})

Test(command_refused, why_ends_with_words)
{
    REFUSE_EACH("why", "8888");
    REFUSE_EACH("why", "9999");
}

Test(command_refused, audit_ends_with_words)
{
    REFUSE_EACH("audit");
    REFUSE_EACH("audit", "--json");
}

Test(command_refused, free_ends_with_words)
{
    REFUSE_EACH("free", "--yes", "9999");
    REFUSE_EACH("free", "--dry-run", "7777");
}

Test(command_refused, arm_ends_with_words)
{
    REFUSE_EACH("arm", "8888");
    REFUSE_EACH("arm", text_of(server.process.pid));
}

Test(command_refused, check_ends_with_words)
{
    REFUSE_EACH("check", text_of(server.process.pid));
    REFUSE_EACH("check", LIBREUSE_PATH);
    REFUSE_EACH("check", "server.service");
}

Test(command_refused, status_ends_with_words)
{
    REFUSE_EACH("status");
}

Test(command_refused, enable_and_disable_end_with_words)
{
    REFUSE_EACH("enable", "--dry-run", "server");
    REFUSE_EACH("enable", "server");
    REFUSE_EACH("disable", "server");
}

Test(command_refused, guard_ends_with_words)
{
    enter_private_guards();
    put_into_group(server.process.pid);
    REFUSE_EACH("guard", "on", group);
    REFUSE_EACH("guard");
    REFUSE_EACH("guard", "off", group);
}
