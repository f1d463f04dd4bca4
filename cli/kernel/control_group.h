/*
 * Control groups of the second version (cgroup2), the only one that BPF programs can be attached
 * to. In a hybrid system it is mounted beside those of the first.
 */
#ifndef LIBREUSE_CONTROL_GROUP_H
#define LIBREUSE_CONTROL_GROUP_H

#include <stddef.h>
#include <stdint.h>

/* Where cgroup2 is mounted; NULL where it is not. The caller frees it. */
char *control_groups_mount(void);

/* The group of a process, "/system.slice/server.service", or NULL. The caller frees it. */
char *control_group_of(int pid);

/* Opens the folder of a group. -1 and errno; ENODEV where cgroup2 is not mounted. */
int control_group_open(const char *group);

/* The group with this ID, of which a BPF link tells; NULL where it is gone. The caller frees it. */
char *control_group_by_id(uint64_t id);

/* The processes of a group and of all groups below it. The caller frees the list. */
int *control_group_processes(const char *group, size_t *count);

#endif
