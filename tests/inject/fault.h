/*
 * What may be done to a system call: with which errors it is refused, and how else it is falsified.
 */
#ifndef LIBREUSE_INJECT_FAULT_H
#define LIBREUSE_INJECT_FAULT_H

#include "trace.h"

/* Calls `try` with each fault of one call of a kind; `which`, `index` and `kind` are left open. */
void fault_each(long number, void (*try)(struct fault fault, void *context), void *context);

/* What the fault is, as text, until the next use. */
const char *fault_describe(const struct fault *fault);

/*
 * What no program can keep from being seen: whether the fault excuses that this line of the record
 * is another one.
 *
 * - A call that opens a descriptor, and then says that it has not: nobody knows which one it is.
 * - close(2) that says that it has closed, and has not.
 * - Signals were blocked, and every call that would release them is refused.
 * - A bind() or listen(), repeated for the program, whose answer is false: the program's own would
 *   mislead it just so.
 */
bool fault_excuses(const struct fault *fault, const char *line);

#endif
