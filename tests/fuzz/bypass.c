/*
 * The memory of another process, as a module in it: that process may have written anything there.
 * The parts of the parser are called one by one, because the whole of it would read every module of
 * the fuzzer's own process for each input.
 */
#include "fuzz.h"

#include "program/bypass.c" // NOLINT: its static functions

#include <sys/mman.h>

enum { START = 4096, C_LIBRARY = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mapping mappings[] = {
        {.start = START, .end = START + size, .path = "/module.so"},
        {.start = C_LIBRARY, .end = 2 * C_LIBRARY, .path = "/usr/lib/libc.so.6"},
    };
    static struct memory memory = {.fd = -1, .count = sizeof mappings / sizeof mappings[0]};
    struct module module;
    if (memory.fd < 0) {
        memory.fd = memfd_create("memory", MFD_CLOEXEC);
        MUST(memory.fd >= 0);
    }
    memory.mappings = mappings;
    MUST(ftruncate(memory.fd, 0) == 0 && pwrite(memory.fd, data, size, START) == (ssize_t)size);
    const bool is_module = read_module(&memory, &mappings[0], &module);
    MUST(!is_module || (size >= sizeof(Elf64_Ehdr) && memcmp(data, ELFMAG, SELFMAG) == 0));
    if (is_module && goes_past(&memory, &module)) {
        MUST(memmem(data, size, "bind", sizeof "bind") != NULL ||
             memmem(data, size, "listen", sizeof "listen") != NULL);
    }
    return 0;
}
