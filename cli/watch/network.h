/*
 * The network namespace of a record's socket, which the calling thread enters for the time of a
 * question.
 */
#ifndef LIBREUSE_NETWORK_H
#define LIBREUSE_NETWORK_H

#include "kernel/watch_programs.h"

#include <stdbool.h>

struct visit {
    int home_fd; /* of the namespace that was left; -1: none was */
    char *path; /* a file that is the namespace of the record; NULL: there is none, or it is ours */
};

/* False where it cannot be entered. network_leave() ends the visit, whatever the result. */
bool network_enter(struct visit *visit, const struct watch_record *record);

/* How to run a command there: "nsenter --net=/proc/4250/ns/net "; NULL: here. To be freed. */
char *network_leave(struct visit *visit);

#endif
