/*
 * One run of a scenario, in which the system calls that the shim makes for itself can be falsified.
 * A seccomp filter stops the program at them: at those whose instruction is in the library, and at
 * those bind() and listen() calls that are not the program's own.
 */
#ifndef LIBREUSE_INJECT_TRACE_H
#define LIBREUSE_INJECT_TRACE_H

#include "scenario.h"

/* A kind of call: its number, and of getsockopt() and setsockopt() the option; or any. */
enum { ANY = -1 };
struct kind {
    long number;
    long option;
    bool is_repeated; /* a bind() or listen() that the shim makes once more for the program */
};

enum how {
    REFUSED,    /* not made; the answer is `answer` */
    DONE,       /* made; the answer is `answer` all the same */
    CUT_BEFORE, /* with half of the length that is asked for */
    CUT_AFTER,  /* half of the answer */
    DELAYED,    /* by longer than the port's turn is waited for */
};

enum which { THIS_ONE, ALL, ALL_BUT_FIRST };

struct fault {
    enum which which;
    int index; /* THIS_ONE: of those of its number, counted from 0 */
    struct kind kind;
    enum how how;
    long answer; /* 0 or a negative errno */
};

enum { MOST_CALLS = 4096 };

struct outcome {
    const struct record *record;
    int ended; /* 0, a signal's number, or HUNG */
    int count; /* of own calls; with a fault, of those of its number */
    struct kind calls[MOST_CALLS];
    int injected;
};
enum { HUNG = -1 };

void trace_prepare(const char *library);

/* Natively, helped at the steps whose bits are set. */
void trace_native(const struct scenario *scenario, unsigned int help, struct outcome *outcome);

/* Under the library; without a fault where `fault` is NULL. */
void trace_library(const struct scenario *scenario, const struct fault *fault,
                   struct outcome *outcome);

#endif
