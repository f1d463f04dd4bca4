/*
 * The system calls that a process makes between two getppid() system calls, seen by a tracer.
 */
#ifndef LIBREUSE_TESTS_SYSCALLS_H
#define LIBREUSE_TESTS_SYSCALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { SYSTEM_CALLS_SHOWN = 100 };

struct system_calls {
    size_t count;
    uint64_t numbers[SYSTEM_CALLS_SHOWN]; /* of the first ones */
    bool has_setsockopt;                  /* one of all of them is setsockopt() */
};

/*
 * Begins to trace a process of one thread that waits in a system call. The test ends here as
 * skipped, saying why, where the machine does not let a test trace its own child.
 */
void begin_trace(pid_t pid);

/* Lets the process run to its first getppid(). */
void run_to_first_call(pid_t pid);

/* Lets the process run to its second getppid(), with what it did since the first, and lets go. */
void end_trace(pid_t pid, struct system_calls *calls);

/*
 * The same in steps: lets the process run to its next call, which it has not made yet. False where
 * that is the second getppid(): then, or after any step, let_go() ends the trace.
 */
bool run_to_next_call(pid_t pid, uint64_t *number);
void let_go(pid_t pid);

/* The numbers of the first calls as text, for the message of a failed assertion; until the next
 * use. */
const char *describe_calls(const struct system_calls *calls);

#endif
