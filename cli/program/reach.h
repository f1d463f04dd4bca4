/*
 * Whether a preload reaches an ELF program: how it is linked, with whose rights it starts, which
 * loader and which library it needs. The part of the examination (program.h) behind the scripts.
 */
#ifndef LIBREUSE_REACH_H
#define LIBREUSE_REACH_H

#include "program.h"

/* Notes why it is not reached; `reason` is the program's from now on, `way_out` is copied. */
void set_obstacle(struct program *program, enum obstacle obstacle, char *reason,
                  const char *way_out);

/* The file that is being examined. */
struct step *last_step(const struct program *program);

/*
 * Examines what was read of the last step, an ELF file. Without a caller it is running already, and
 * its rights are not looked at.
 */
void examine_elf(struct program *program, const struct libraries *libraries,
                 const struct caller *caller);

#endif
