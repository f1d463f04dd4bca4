/*
 * What an ELF file (elf(5)) says about itself that matters to a preload: what it runs on, which
 * dynamic loader and C library it asks for, whether it is a Go program. Any bytes will do: nothing
 * in the file is trusted.
 */
#ifndef LIBREUSE_ELF_H
#define LIBREUSE_ELF_H

#include <limits.h>
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

/* What a file is for. */
enum elf_use {
    ELF_PROGRAM, /* with a dynamic loader: dynamically linked */
    ELF_STATIC_PROGRAM,
    ELF_LOADER, /* a dynamic loader itself, which can be run as a command, too */
    ELF_LIBRARY,
    ELF_OTHER /* an object file, a core dump */
};

struct elf {
    struct platform platform;
    enum elf_use use;
    char loader[PATH_MAX];    /* of ELF_PROGRAM: the path of its dynamic loader */
    enum c_library c_library; /* by the loader's name; without a loader, by the libraries needed */
    unsigned int needed;      /* how many libraries it names */
    bool is_go;               /* it carries the build id that the Go linker writes */
    bool needs_asan;          /* it names AddressSanitizer's library */
};

enum elf_result {
    ELF_READ,
    ELF_NOT_ELF, /* it does not begin as such a file */
    ELF_DAMAGED, /* it does, but the kernel would refuse it */
    ELF_ERROR    /* it could not be read: errno */
};

/* Reads the file that is open as `fd`; its offset stays. */
enum elf_result elf_read(int fd, struct elf *elf);

bool platform_is_same(const struct platform *one, const struct platform *other);

/* "x86-64", "i386", "ARM big-endian": for a person. The text lives until the next call. */
const char *platform_name(const struct platform *platform);

const char *c_library_name(enum c_library c_library);

#endif
