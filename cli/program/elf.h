/*
 * What an ELF file (elf(5)) says about itself that matters to a preload: what it runs on, which
 * dynamic loader and C library it asks for, whether it is a Go program. Any bytes will do: nothing
 * in the file is trusted.
 */
#ifndef LIBREUSE_ELF_H
#define LIBREUSE_ELF_H

#include "platform.h"

#include <limits.h>
#include <stdbool.h>

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

#endif
