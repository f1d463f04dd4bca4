#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *library;
static int record_fd;
static struct record *record;
static unsigned long code_start; /* of the library, in each run; addresses are not randomized */
static unsigned long code_end;

void trace_prepare(const char *path)
{
    library = path;
    record_fd = memfd_create("record", MFD_CLOEXEC);
    if (record_fd < 0 || ftruncate(record_fd, sizeof *record) != 0) {
        fail("the record of a run");
    }
    record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED, record_fd, 0);
    if (record == MAP_FAILED) {
        fail("the record of a run");
    }
}

/* ---- the program ------------------------------------------------------------------------- */

/* Stops at calls of this number, or at all. What stops is judged in meet_call(). */
static bool install_filter(long number)
{
    const uint32_t ip = offsetof(struct seccomp_data, instruction_pointer);
    const uint32_t upper = (uint32_t)(code_start >> 32);
    const bool is_any = number == ANY;
    const struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 8, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, is_any ? 0 : 8),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_bind, 6, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_listen, 5, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip + sizeof(uint32_t)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, upper, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ip),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)code_start, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)code_end, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {.len = sizeof steps / sizeof steps[0],
                                      .filter = (struct sock_filter *)steps};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

static void become_host(const struct scenario *scenario, bool preloads, unsigned int help,
                        const struct fault *fault)
{
    enum { RECORD_FD = 9 };
    char words[3][160];
    const char *environment[MOST_SETTINGS + 2] = {NULL};
    size_t count = 0;
    for (size_t i = 0; preloads && i < MOST_SETTINGS && scenario->settings[i] != NULL; i++) {
        environment[count++] = scenario->settings[i];
    }
    snprintf(words[0], sizeof words[0], "LD_PRELOAD=%s", library);
    if (preloads) {
        environment[count++] = words[0];
    }
    snprintf(words[1], sizeof words[1], "%d", (int)(scenario - scenarios));
    snprintf(words[2], sizeof words[2], "%u", help);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(stage_error_output(scenario), STDERR_FILENO);
    dup2(null, STDIN_FILENO);
    dup2(null, STDOUT_FILENO);
    dup2(record_fd, RECORD_FD);
    close_range(RECORD_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC);
    if (personality(ADDR_NO_RANDOMIZE) < 0) {
        _exit(3);
    }
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    raise(SIGSTOP);
    if (code_start != 0 && preloads && !install_filter(fault != NULL ? fault->kind.number : ANY)) {
        _exit(4);
    }
    char *const arguments[] = {"host", words[1], words[2], NULL};
    execve("/proc/self/exe", arguments, (char *const *)environment);
    _exit(5);
}

/* ---- the tracer -------------------------------------------------------------------------- */

static struct kind kind_of(const struct user_regs_struct *registers)
{
    const long number = (long)registers->orig_rax;
    const bool has_option = number == SYS_getsockopt || number == SYS_setsockopt;
    return (struct kind){.number = number, .option = has_option ? (long)registers->rdx : ANY};
}

static bool is_of(const struct kind *kind, const struct kind *call)
{
    return (kind->number == ANY || kind->number == call->number) &&
           (kind->option == ANY || kind->option == call->option);
}

static bool is_meant(const struct fault *fault, const struct outcome *outcome)
{
    const int index = outcome->count - 1;
    if (fault == NULL || index >= MOST_CALLS) {
        return false;
    }
    if (fault->which == THIS_ONE) {
        return fault->index == index;
    }
    if (!is_of(&fault->kind, &outcome->calls[index])) {
        return false;
    }
    for (int i = 0; i < index; i++) {
        if (is_of(&fault->kind, &outcome->calls[i])) {
            return true;
        }
    }
    return fault->which == ALL;
}

static void set_registers(pid_t pid, struct user_regs_struct *registers)
{
    if (ptrace(PTRACE_SETREGS, pid, NULL, registers) != 0) {
        fail("PTRACE_SETREGS");
    }
}

/* Lets the call be made. False where the program has ended meanwhile. */
static bool complete_call(pid_t pid, struct user_regs_struct *registers)
{
    int status;
    ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
    return waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) &&
           ptrace(PTRACE_GETREGS, pid, NULL, registers) == 0;
}

static void inject(pid_t pid, const struct fault *fault, const struct outcome *outcome,
                   struct user_regs_struct *registers)
{
    enum { MOST_DELAYS = 100 };
    switch (fault->how) {
    case REFUSED:
        registers->orig_rax = (unsigned long long)-1;
        registers->rax = (unsigned long long)fault->answer;
        set_registers(pid, registers);
        break;
    case CUT_BEFORE:
        registers->rdx /= 2;
        set_registers(pid, registers);
        break;
    case DONE:
        if (complete_call(pid, registers)) {
            registers->rax = (unsigned long long)fault->answer;
            set_registers(pid, registers);
        }
        break;
    case CUT_AFTER:
        if (complete_call(pid, registers) && (long long)registers->rax > 0) {
            registers->rax /= 2;
            set_registers(pid, registers);
        }
        break;
    case DELAYED:
        if (outcome->injected <= MOST_DELAYS) {
            nanosleep(&(struct timespec){.tv_nsec = 3000000}, NULL);
        }
        break;
    }
}

/* The program is stopped at a call. Within a step, its first bind() or listen() is its own. */
static void meet_call(pid_t pid, const struct fault *fault, struct outcome *outcome,
                      bool *awaits_own)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, pid, NULL, &registers) != 0) {
        return;
    }
    const bool is_inside = registers.rip > code_start && registers.rip <= code_end;
    struct kind call = kind_of(&registers);
    call.is_repeated = !is_inside;
    if (!is_inside) {
        const bool is_own = *awaits_own || call.number == SYS_getppid;
        *awaits_own = call.number == SYS_getppid;
        if (is_own) {
            return;
        }
    }
    if (outcome->count < MOST_CALLS) {
        outcome->calls[outcome->count] = call;
    }
    outcome->count++;
    if (is_meant(fault, outcome)) {
        outcome->injected++;
        inject(pid, fault, outcome, &registers);
    }
}

static volatile sig_atomic_t is_late;

static void note_late(int signal)
{
    (void)signal;
    is_late = 1;
}

/* Follows the program to its end. */
static int follow(pid_t pid, const struct fault *fault, struct outcome *outcome)
{
    const struct sigaction action = {.sa_handler = note_late};
    int status;
    bool awaits_own = false;
    sigaction(SIGALRM, &action, NULL);
    is_late = 0;
    alarm(8);
    for (int signal = 0;;) {
        const pid_t who = waitpid(pid, &status, 0);
        if (who < 0 && errno == EINTR) {
            kill(pid, SIGKILL);
            continue;
        }
        if (who != pid || !WIFSTOPPED(status)) {
            break;
        }
        if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
            meet_call(pid, fault, outcome, &awaits_own);
            signal = 0;
        } else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
            signal = 0;
        } else {
            signal = WSTOPSIG(status);
        }
        ptrace(PTRACE_CONT, pid, NULL, signal);
    }
    alarm(0);
    if (is_late) {
        return HUNG;
    }
    return WIFSIGNALED(status) ? WTERMSIG(status) : 1000 * WEXITSTATUS(status);
}

static void run(const struct scenario *scenario, bool preloads, unsigned int help,
                const struct fault *fault, struct outcome *outcome)
{
    stage_renew();
    memset(record, 0, offsetof(struct record, text) + 1);
    outcome->record = record;
    outcome->count = 0;
    outcome->injected = 0;
    const pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid == 0) {
        become_host(scenario, preloads, help, fault);
    }
    int status;
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, pid, NULL,
               PTRACE_O_EXITKILL | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC) != 0) {
        fail("tracing a program");
    }
    ptrace(PTRACE_CONT, pid, NULL, NULL);
    outcome->ended = follow(pid, fault, outcome);
}

void trace_native(const struct scenario *scenario, unsigned int help, struct outcome *outcome)
{
    run(scenario, false, help, NULL, outcome);
}

void trace_library(const struct scenario *scenario, const struct fault *fault,
                   struct outcome *outcome)
{
    if (code_start == 0) {
        run(scenario, true, 0, NULL, outcome);
        code_start = record->library_start;
        code_end = record->library_end;
    }
    run(scenario, true, 0, fault, outcome);
    if (record->is_complete && (record->library_start != code_start || code_start == 0)) {
        errno = 0;
        fail("the library is not where it was");
    }
}
