/*
 * ELF files: whatever stands in one, it is read without leaving its bounds, and what is said of it
 * is one of the things that can be said. (bypass.c does the same for modules in memory.)
 */
#include "fuzz.h"

#include "program/elf.h"

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

static void check_read(const struct elf *elf)
{
    MUST(elf->use <= ELF_OTHER && elf->c_library <= C_LIBRARY_UNKNOWN);
    MUST(elf->platform.bits == 32 || elf->platform.bits == 64);
    MUST(memchr(elf->loader, '\0', sizeof elf->loader) != NULL);
    MUST((elf->use == ELF_PROGRAM) == (elf->loader[0] != '\0'));
    MUST(strlen(platform_name(&elf->platform)) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    struct elf elf;
    if (fd < 0) {
        fd = memfd_create("elf", MFD_CLOEXEC);
        MUST(fd >= 0);
    }
    MUST(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    const enum elf_result result = elf_read(fd, &elf);
    const bool has_magic = size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0;
    MUST(result == ELF_READ || result == ELF_NOT_ELF || result == ELF_DAMAGED);
    MUST((result == ELF_NOT_ELF) == !has_magic);
    MUST(lseek(fd, 0, SEEK_CUR) == 0);
    if (result == ELF_READ) {
        check_read(&elf);
    }
    return 0;
}
