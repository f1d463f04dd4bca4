/*
 * The modules of a running process whose calls go past the libreuse.so in it. The dynamic loader
 * binds a module that was opened with RTLD_DEEPBIND, or by dlmopen(3), to the C library before any
 * preload; which function it took stands in the module's relocated slots for bind() and listen().
 */
#ifndef LIBREUSE_BYPASS_H
#define LIBREUSE_BYPASS_H

#include <stddef.h>

struct bypass {
    char **modules; /* the paths of their files, in the order of their addresses */
    size_t count;
};

/*
 * Reads /proc/PID/maps and /proc/PID/mem, which needs the rights of ptrace(2); without them nothing
 * is found. Nor is a call that is bound at its first use, and has not been made yet. The caller
 * frees it with bypass_free().
 */
void bypass_find(struct bypass *bypass, int pid);

/* "sockets.so", "sockets.so and 2 more": the files' names. The caller frees it. */
char *bypass_text(const struct bypass *bypass);

void bypass_free(struct bypass *bypass);

#endif
