#include "syscalls.h"

#include "deadline.h"
#include "skip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
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

/* Most stops come at once, and there are many of them. */
static int wait_for_stop(pid_t pid)
{
    enum { IMPATIENT_TRIES = 200 };
    int status = 0;
    for (int i = 0; i < IMPATIENT_TRIES; i++) {
        if (waitpid(pid, &status, __WALL | WNOHANG) == pid) {
            cr_assert(WIFSTOPPED(status), "the traced process ended, wait status 0x%x",
                      (unsigned)status);
            return status;
        }
        sched_yield();
    }
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

static bool is_setsockopt(const struct __ptrace_syscall_info *info)
{
    bool is = false;
#ifdef SYS_setsockopt
    is = is || info->entry.nr == SYS_setsockopt;
#endif
#ifdef SYS_socketcall
    is = is || (info->entry.nr == SYS_socketcall && info->entry.args[0] == SOCKETCALL_SETSOCKOPT);
#endif
    return is;
}

void run_to_first_call(pid_t pid)
{
    struct __ptrace_syscall_info info;
    do {
        next_call(pid, &info);
    } while (info.entry.nr != SYS_getppid);
}

bool run_to_next_call(pid_t pid, uint64_t *number)
{
    struct __ptrace_syscall_info info;
    next_call(pid, &info);
    *number = info.entry.nr;
    return info.entry.nr != SYS_getppid;
}

void let_go(pid_t pid)
{
    cr_assert_eq(ptrace(PTRACE_DETACH, pid, NOTHING, NOTHING), 0, "PTRACE_DETACH: %s",
                 strerror(errno));
}

void end_trace(pid_t pid, struct system_calls *calls)
{
    struct __ptrace_syscall_info info;
    run_to_first_call(pid);
    calls->count = 0;
    calls->has_setsockopt = false;
    for (next_call(pid, &info); info.entry.nr != SYS_getppid; next_call(pid, &info)) {
        if (calls->count < SYSTEM_CALLS_SHOWN) {
            calls->numbers[calls->count] = info.entry.nr;
        }
        calls->has_setsockopt = calls->has_setsockopt || is_setsockopt(&info);
        calls->count++;
    }
    let_go(pid);
}

const char *describe_calls(const struct system_calls *calls)
{
    static char text[1024];
    text[0] = '\0';
    for (size_t i = 0; i < calls->count && i < SYSTEM_CALLS_SHOWN; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, " %" PRIu64, calls->numbers[i]);
    }
    return text;
}
