/*
 * What is to be said of a running process: whether libreuse.so is in it, and why not, whether its
 * listeners are armed, and what helps.
 */
#ifndef LIBREUSE_PROCESS_VERDICT_H
#define LIBREUSE_PROCESS_VERDICT_H

#include "bypass.h"
#include "library.h"
#include "sockets/running.h"
#include "terminal/output.h"

struct process_verdict {
    int status;
    enum tone tone;
    char *text;
    char *way_out;
    int restarts_cleanly; /* 1, 0; -1: not known */
    char *heirs;          /* unit/heirs.h: who would keep its listeners; NULL */
    struct bypass bypass; /* what goes past the libreuse.so in it */
};

struct process_verdict process_judge(const struct running *running,
                                     const struct libraries *libraries);

void process_verdict_free(struct process_verdict *verdict);

#endif
