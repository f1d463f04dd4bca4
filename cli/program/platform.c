#include "platform.h"

#include "terminal/text.h"

#include <elf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum c_library c_library_of_loader(const char *path)
{
    const char *name = file_name(path);
    if (starts_with(name, "ld-musl-")) {
        return C_LIBRARY_MUSL;
    }
    if (starts_with(name, "ld-uClibc") || starts_with(name, "ld64-uClibc")) {
        return C_LIBRARY_UCLIBC;
    }
    if (strcmp(name, "linker") == 0 || strcmp(name, "linker64") == 0) {
        return C_LIBRARY_BIONIC;
    }
    if (starts_with(name, "ld-linux") || starts_with(name, "ld.so") ||
        starts_with(name, "ld64.so") || starts_with(name, "ld-2.")) {
        return C_LIBRARY_GLIBC;
    }
    return C_LIBRARY_UNKNOWN;
}

enum c_library c_library_of_needed(const char *name)
{
    static const struct {
        const char *name;
        enum c_library c_library;
    } libraries[] = {
        {"libc.so.6", C_LIBRARY_GLIBC},  {"libc.so.6.1", C_LIBRARY_GLIBC},
        {"libc.so", C_LIBRARY_MUSL},     {"libc.so.0", C_LIBRARY_UCLIBC},
        {"libc.so.1", C_LIBRARY_UCLIBC},
    };
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        if (strcmp(name, libraries[i].name) == 0) {
            return libraries[i].c_library;
        }
    }
    return starts_with(name, "libc.musl-") ? C_LIBRARY_MUSL : C_LIBRARY_NONE;
}

bool platform_is_same(const struct platform *one, const struct platform *other)
{
    return one->bits == other->bits && one->big_endian == other->big_endian &&
           one->machine == other->machine;
}

const char *platform_name(const struct platform *platform)
{
    static const struct {
        unsigned int machine;
        unsigned int bits; /* 0: the machine has only one class, or both have the same name */
        const char *name;
    } machines[] = {
        {EM_X86_64, 64, "x86-64"},  {EM_X86_64, 32, "x32"},          {EM_386, 0, "i386"},
        {EM_AARCH64, 64, "arm64"},  {EM_AARCH64, 32, "arm64 ilp32"}, {EM_ARM, 0, "ARM"},
        {EM_RISCV, 64, "riscv64"},  {EM_RISCV, 32, "riscv32"},       {EM_S390, 64, "s390x"},
        {EM_S390, 32, "s390"},      {EM_PPC64, 0, "ppc64"},          {EM_PPC, 0, "PowerPC"},
        {EM_MIPS, 64, "mips64"},    {EM_MIPS, 32, "mips"},           {EM_SPARC, 0, "SPARC"},
        {EM_SPARCV9, 0, "sparc64"}, {EM_IA_64, 0, "ia64"},           {EM_68K, 0, "m68k"},
        {EM_SH, 0, "SuperH"},       {EM_PARISC, 0, "PA-RISC"},       {258, 0, "LoongArch"},
    };
    static char text[64];
    for (size_t i = 0; i < sizeof machines / sizeof machines[0]; i++) {
        if (machines[i].machine == platform->machine &&
            (machines[i].bits == 0 || machines[i].bits == platform->bits)) {
            const bool usual_is_big =
                platform->machine == EM_S390 || platform->machine == EM_SPARC ||
                platform->machine == EM_SPARCV9 || platform->machine == EM_PPC ||
                platform->machine == EM_68K || platform->machine == EM_PARISC;
            snprintf(text, sizeof text, "%s%s", machines[i].name,
                     platform->big_endian == usual_is_big ? ""
                     : platform->big_endian               ? " big-endian"
                                                          : " little-endian");
            return text;
        }
    }
    snprintf(text, sizeof text, "%u-bit ELF machine %u", platform->bits, platform->machine);
    return text;
}

const char *c_library_name(enum c_library c_library)
{
    static const char *const names[] = {
        [C_LIBRARY_NONE] = "none",     [C_LIBRARY_GLIBC] = "glibc",
        [C_LIBRARY_MUSL] = "musl",     [C_LIBRARY_UCLIBC] = "uClibc",
        [C_LIBRARY_BIONIC] = "bionic", [C_LIBRARY_UNKNOWN] = "unknown",
    };
    return names[c_library];
}
