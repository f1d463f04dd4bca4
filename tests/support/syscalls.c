#include "syscalls.h"

#include "deadline.h"
#include "skip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* The number of setsockopt() for socketcall(2), on the machines that have that, <linux/net.h>. */
#define SOCKETCALL_SETSOCKOPT 14

/* The way of <sys/ptrace.h> to say "no argument". */
#define NOTHING ((void *)0)

/* The tracee is inside a system call or at its end; the signal is that of PTRACE_O_TRACESYSGOOD. */
#define SYSCALL_STOP (SIGTRAP | 0x80)

static int wait_for_stop(pid_t pid)
{
    int status = 0;
    EVENTUALLY(waitpid(pid, &status, __WALL | WNOHANG) == pid);
    cr_assert(WIFSTOPPED(status), "the traced process ended, wait status 0x%x", (unsigned)status);
    return status;
}

static void run_to_next_stop(pid_t pid, int signal_number)
{
    long result = ptrace(PTRACE_SYSCALL, pid, NOTHING, (void *)(intptr_t)signal_number);
    cr_assert_eq(result, 0, "PTRACE_SYSCALL: %s", strerror(errno));
}

void begin_trace(pid_t pid)
{
    if (ptrace(PTRACE_SEIZE, pid, NOTHING, (void *)PTRACE_O_TRACESYSGOOD) != 0) {
        skip_because("a test may not trace its own child: %s", strerror(errno));
    }
    cr_assert_eq(ptrace(PTRACE_INTERRUPT, pid, NOTHING, NOTHING), 0, "PTRACE_INTERRUPT: %s",
                 strerror(errno));
    wait_for_stop(pid);
}

/* Runs the process to the beginning of its next system call. */
static void next_call(pid_t pid, struct __ptrace_syscall_info *info)
{
    int signal_number = 0;
    do {
        run_to_next_stop(pid, signal_number);
        int status = wait_for_stop(pid);
        bool is_syscall = WSTOPSIG(status) == SYSCALL_STOP;
        bool is_event = status >> 16 != 0;
        signal_number = is_syscall || is_event ? 0 : WSTOPSIG(status);
        info->op = PTRACE_SYSCALL_INFO_NONE;
        if (is_syscall) {
            long size = ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof *info, info);
            if (size < 0) {
                skip_because("this kernel does not tell a tracer the system calls: %s",
                             strerror(errno));
            }
        }
    } while (info->op != PTRACE_SYSCALL_INFO_ENTRY);
}

void end_trace(pid_t pid, struct system_calls *calls)
{
    struct __ptrace_syscall_info info;
    do {
        next_call(pid, &info);
    } while (info.entry.nr != SYS_getppid);

    calls->count = 0;
    for (next_call(pid, &info); info.entry.nr != SYS_getppid; next_call(pid, &info)) {
        cr_assert_lt(calls->count, SYSTEM_CALLS_ROOM, "too many system calls between two marks");
        calls->calls[calls->count].number = info.entry.nr;
        memcpy(calls->calls[calls->count].arguments, info.entry.args, sizeof info.entry.args);
        calls->count++;
    }
    cr_assert_eq(ptrace(PTRACE_DETACH, pid, NOTHING, NOTHING), 0, "PTRACE_DETACH: %s",
                 strerror(errno));
}

bool has_setsockopt(const struct system_calls *calls)
{
    for (size_t i = 0; i < calls->count; i++) {
#ifdef SYS_setsockopt
        if (calls->calls[i].number == SYS_setsockopt) {
            return true;
        }
#endif
#ifdef SYS_socketcall
        if (calls->calls[i].number == SYS_socketcall &&
            calls->calls[i].arguments[0] == SOCKETCALL_SETSOCKOPT) {
            return true;
        }
#endif
    }
    return false;
}

const char *describe_calls(const struct system_calls *calls)
{
    static char text[1024];
    text[0] = '\0';
    for (size_t i = 0; i < calls->count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, " %" PRIu64, calls->calls[i].number);
    }
    return text;
}
