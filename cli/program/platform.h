/*
 * What a program runs on: the machine that an ELF file is for, and the C library that it is built
 * with, and what a person calls them.
 */
#ifndef LIBREUSE_PLATFORM_H
#define LIBREUSE_PLATFORM_H

#include <stdbool.h>

/* What the kernel and the dynamic loader compare before they load a file. */
struct platform {
    unsigned int bits; /* 32 or 64 */
    bool big_endian;
    unsigned int machine; /* EM_..., elf.h */
};

/* C libraries, told apart by the dynamic loader or the library that a file names. */
enum c_library {
    C_LIBRARY_NONE, /* nothing is named */
    C_LIBRARY_GLIBC,
    C_LIBRARY_MUSL,
    C_LIBRARY_UCLIBC,
    C_LIBRARY_BIONIC, /* Android's */
    C_LIBRARY_UNKNOWN
};

bool platform_is_same(const struct platform *one, const struct platform *other);

/* "x86-64", "i386", "ARM big-endian": for a person. The text lives until the next call. */
const char *platform_name(const struct platform *platform);

const char *c_library_name(enum c_library c_library);

/* By the names that the C libraries give their loaders. */
enum c_library c_library_of_loader(const char *path);

/* By the name of a library that is needed; C_LIBRARY_NONE where that is no C library. */
enum c_library c_library_of_needed(const char *name);

#endif
