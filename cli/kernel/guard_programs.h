/*
 * The kernel's part of "libreuse guard": four programs on the sockets of a control group, and the
 * maps that they share. They do for every TCP server of the group what libreuse.so does for one:
 *
 * listen  SO_REUSEADDR is switched on for a socket that has begun to listen, and its port is noted.
 * bind    Where a noted port is to be bound and nobody listens there, the option is switched on
 *         before the kernel looks at it. That socket has the port's turn then: until it listens or
 *         is closed, no other is helped, and so none can bind the port beside it.
 * close   gives the turn back.
 *
 * They need Linux 6.1, the first that lets a program set SO_REUSEADDR.
 */
#ifndef LIBREUSE_GUARD_PROGRAMS_H
#define LIBREUSE_GUARD_PROGRAMS_H

#include "bpf.h"
#include "guard_maps.h"

#include <stdbool.h>

enum guard_map { GUARD_PORTS, GUARD_TURNS, GUARD_COUNTS, GUARD_MAPS };

/* Makes a map, empty. -1 and errno. */
int guard_map_create(enum guard_map map);

/* Whether a map that was pinned has the shape of this version's. */
bool guard_map_fits(enum guard_map map, int map_fd);

enum guard_program { GUARD_LISTEN, GUARD_BIND4, GUARD_BIND6, GUARD_CLOSE, GUARD_PROGRAMS };

/* Its name, of letters and digits; and on which event of a control group it belongs. */
const char *guard_program_name(enum guard_program program);
enum bpf_attach_type guard_program_place(enum guard_program program);

/*
 * The names of all programs that run on this one's event at a control group, in their order: "a,
 * b". NULL where there is no other, or they cannot be listed. The caller frees it.
 */
char *guard_programs_at(int group_fd, enum guard_program program);

/* Loads a program on these GUARD_MAPS maps. -1 as of bpf_program_load(). */
int guard_program_load(enum guard_program program, const int *maps, char **why);

#endif
