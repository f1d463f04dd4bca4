/*
 * For tests of libreuse guard: a control group of the test's own, and a BPF file system that nobody
 * else sees.
 */
#ifndef LIBREUSE_TESTS_GUARDS_H
#define LIBREUSE_TESTS_GUARDS_H

#include <sys/types.h>

#define PINS "/sys/fs/bpf/"

extern char group_folder[256]; /* where cgroup2 shows the group */
extern char group[64];         /* its path, as the command takes it */

/* The test ends as skipped where that cannot be had. */
void enter_private_guards(void);

/* libreuse guard on; the test ends as skipped, with what the command says, where it is refused. */
void guard_on(void);

void put_into_group(pid_t pid);

/* Which the end of the test does, too. */
void remove_group(void);

#endif
