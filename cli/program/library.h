/*
 * The installed libreuse.so, one for each platform: the one beside the command in the build folder,
 * else those in the library folders of the command's own prefix, of LIBDIR, of /usr/local and /usr.
 */
#ifndef LIBREUSE_LIBRARY_H
#define LIBREUSE_LIBRARY_H

#include "elf.h"

#include <stddef.h>

struct library {
    char *path; /* absolute, as it can stand in LD_PRELOAD */
    struct platform platform;
    enum c_library c_library; /* what it was built for */
};

/* In the order in which they are preferred; at most one for a platform and C library. */
struct libraries {
    struct library *list;
    size_t count;
};

/* The caller frees what is found with libraries_free(). */
void libraries_find(struct libraries *libraries);
void libraries_free(struct libraries *libraries);

/*
 * The library that this program's loader can load. NULL where there is none; `of_platform` is then
 * one that fits but for the C library, or NULL, too.
 */
const struct library *libraries_for(const struct libraries *libraries, const struct elf *program,
                                    const struct library **of_platform);

/*
 * What to write into LD_PRELOAD for this program: the library's path; or, where libraries of
 * several platforms are installed so that glibc's $LIB tells them apart, PREFIX/$LIB/libreuse.so,
 * for then the programs that it starts may be of the other platform. The caller frees it.
 *
 * NULL where the path cannot stand in LD_PRELOAD, where blanks and colons separate paths and $
 * begins a token. There is no way to quote them.
 */
char *library_preload_path(const struct libraries *libraries, const struct library *library,
                           const struct elf *program);

/*
 * The new value of LD_PRELOAD: the path before what is there. What is there is unchanged where the
 * library is in it already, by its path or by another path to the same file. NULL stands for an
 * unset variable. The caller frees it.
 */
char *library_add_to_preload(const char *preload, const char *path, const struct library *library,
                             const struct elf *program);

#endif
