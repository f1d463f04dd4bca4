/*
 * Switches SO_REUSEADDR on, from outside, for the listeners of several processes and for the
 * connections on their ports, in whatever network namespaces they are: what "libreuse guard" does
 * once for those that have begun to listen before.
 */
#ifndef LIBREUSE_GROUP_ARMING_H
#define LIBREUSE_GROUP_ARMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A TCP listener that has the option now, or would have it after a dry run. */
struct group_listener {
    unsigned long long inode;
    char *address;
    unsigned int port;
    uint64_t network; /* SO_NETNS_COOKIE; 0 where the kernel does not tell */
    int pid;          /* a process that has it */
    bool was_armed;
    size_t time_wait; /* where it was not armed: sockets of its port that cannot be armed, ... */
    uint32_t time_wait_ms; /* ... and the longest time that one of them has left */
};

struct group_arming {
    struct group_listener *listeners; /* each socket once */
    size_t count;
    size_t armed;   /* listeners that were armed now, or would be */
    size_t refused; /* listeners that could not be reached or armed */
    int error;      /* why the first of them could not */
    bool dry_run;   /* nothing is changed */
};

/* Looks through these processes. The caller frees the result with group_arming_free(). */
void group_arm(struct group_arming *arming, const int *pids, size_t count, bool dry_run);

void group_arming_free(struct group_arming *arming);

#endif
