/*
 * The examination that "libreuse run" makes before it starts a program and "libreuse check"
 * reports: which file is executed in the end, whether a preloaded library can reach it, and if not,
 * why, and what helps.
 */
#ifndef LIBREUSE_PROGRAM_H
#define LIBREUSE_PROGRAM_H

#include "elf.h"
#include "library.h"
#include "privilege.h"

#include <stdbool.h>
#include <stddef.h>

/* Why a preload does not reach a program. program_obstacle_name() has a word for each. */
enum obstacle {
    OBSTACLE_NONE,
    OBSTACLE_NOT_FOUND,      /* there is no such program */
    OBSTACLE_NOT_EXECUTABLE, /* it is a folder, or may not be executed */
    OBSTACLE_UNREADABLE,     /* it may be executed but not read, so nothing is known */
    OBSTACLE_NO_PROGRAM,     /* neither ELF nor a script */
    OBSTACLE_DAMAGED,        /* an ELF file that the kernel refuses */
    OBSTACLE_NO_INTERPRETER, /* a script whose interpreter is not there, or is a script too often */
    OBSTACLE_ENVIRONMENT,    /* a script that does not hand LD_PRELOAD on */
    OBSTACLE_STATIC,         /* statically linked */
    OBSTACLE_GO,             /* Go without libc */
    OBSTACLE_NO_LIBRARIES,   /* uses the loader, but no library */
    OBSTACLE_SET_USER_ID,    /* these three: secure execution, see privilege.h */
    OBSTACLE_SET_GROUP_ID,
    OBSTACLE_CAPABILITIES,
    OBSTACLE_OTHER_IDS,   /* the caller's own ids make it a secure execution */
    OBSTACLE_NO_LOADER,   /* its dynamic loader is not there */
    OBSTACLE_ASAN,        /* AddressSanitizer wants to be first */
    OBSTACLE_NO_LIBRARY,  /* no libreuse.so is there at all */
    OBSTACLE_PLATFORM,    /* none for its machine */
    OBSTACLE_C_LIBRARY,   /* none that its C library can load */
    OBSTACLE_LIBRARY_PATH /* LD_PRELOAD cannot say where the library is */
};

/* A file on the way from the name to the program: a script, then its interpreter, ... */
struct step {
    char *path;
    char *line; /* what follows #!; NULL where it is no script, empty for one without such a line */
};

struct program {
    struct step *steps; /* the first is what execvp(3) would find; none where it is not found */
    size_t count;
    bool has_elf; /* `elf` describes the last step */
    struct elf elf;
    enum obstacle obstacle;
    char *reason;  /* of an obstacle: what is said of the program, "is ..."; else NULL */
    char *way_out; /* of an obstacle: what to do about it; else NULL */
    char *notice;  /* reached, but: what should be known; else NULL */
    char *warning; /* reached, but a part of what it does is not: which; else NULL */
    const struct library *library; /* the one that is preloaded; NULL where none fits */
    char *preload; /* how that is written in LD_PRELOAD; NULL as in library_preload_path() */
};

/*
 * Examines the program that execvp(3) would execute, for the calling process and its environment.
 * The libraries must live as long. The caller frees it with program_free().
 */
void program_examine(struct program *program, const char *name, const struct libraries *libraries);

/* The same for another caller than this process, who has this process's PATH. */
void program_examine_for(struct program *program, const char *name,
                         const struct libraries *libraries, const struct caller *caller);

void program_free(struct program *program);

/* The same for a file of /proc that is a running program already, called `name`: no search, and no
   look at the rights, which /proc/PID/exe does not have. */
void program_examine_file(struct program *program, const char *file, const char *name,
                          const struct libraries *libraries);

/* The word for scripts: "static", "set-user-id". */
const char *program_obstacle_name(enum obstacle obstacle);

/*
 * The whole reason as a sentence without an end: "/bin/x: is statically linked, ...", or, through a
 * script, "start.sh: is a script for /bin/x, which is statically linked, ...". The caller frees it.
 */
char *program_reason(const struct program *program, const char *name);

#endif
