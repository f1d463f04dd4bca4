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
 * What no program can keep from being seen: the reason why the fault excuses that this line of the
 * record is another one, or EXCUSE_NONE.
 */
enum excuse {
    EXCUSE_NONE,
    EXCUSE_OPENED,   /* nobody knows the descriptor of a call that says it has opened none */
    EXCUSE_CLOSED,   /* close(2) says that it has closed */
    EXCUSE_ZERO,     /* fcntl(2) says that the descriptor 0 is not closed on exec: the program's */
    EXCUSE_RELEASE,  /* signals were blocked, and every call that would release them is refused */
    EXCUSE_REPEATED, /* a bind() or listen() that is repeated: the program's own would mislead it */
    EXCUSE_WAITED,   /* LIBREUSE_WAIT asks again, and passes on what the kernel says then */
    EXCUSES
};
enum excuse fault_excuse(const struct scenario *scenario, const struct fault *fault,
                         const char *line);

/* What happened, for a table. */
extern const char *const fault_excuses[EXCUSES];

#endif
