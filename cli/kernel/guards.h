/*
 * The guards of this host: each is a folder below /sys/fs/bpf/libreuse, where its programs (as
 * links to a control group) and maps are pinned. They live on without a process until the folder
 * is removed or the host ends; nothing but root's own rights reach into it.
 *
 * A guard's name is a unit ("server.service"), whose control group is made anew for each start, or
 * a control group's path ("/system.slice").
 */
#ifndef LIBREUSE_GUARDS_H
#define LIBREUSE_GUARDS_H

#include "guard_maps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUARDS_FOLDER "/sys/fs/bpf/libreuse"

/*
 * Whether this system can have guards: false, and a sentence with the next step, which the caller
 * frees.
 */
bool guards_are_possible(char **why);

/* Whether the kernel is one that can, which everybody may ask. */
bool guards_fit_the_kernel(void);

/*
 * Puts the guard on a control group, in place of what it was on; what its maps remember is kept.
 * False, and why, which the caller frees.
 */
bool guard_attach(const char *name, const char *group, char **why);

/* Whether there is one of this name, on or not: what root may see. */
bool guard_is_there(const char *name);

/* Takes it off, and forgets it. False with ENOENT where there is none. */
bool guard_remove(const char *name);

/* Notes the port of a listener that was armed from outside. False and errno. */
bool guard_note(const char *name, const struct guard_port *port);

struct guard {
    char *name;
    char *group; /* that it is on; NULL: there is none now, until the unit's next start */
    struct guard_counts counts;
    bool is_whole; /* all its programs are there */
};

/* All guards, in the order of their names. NULL and errno where they cannot be read. */
struct guard *guards_list(size_t *count);
void guards_free(struct guard *guards, size_t count);

/* The guard that a control group is under: its own, or that of a group above it. NULL. */
const struct guard *guards_over(const struct guard *guards, size_t count, const char *group);

/* The same for the control group of a process. NULL where that is not known, too. */
const struct guard *guards_over_process(const struct guard *guards, size_t count, int pid);

#endif
