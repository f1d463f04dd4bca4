/*
 * server1 and server2 stay the legacy programs that they are: they know nothing of SO_REUSEADDR and
 * of libreuse, and they do not look at what bind() and listen() return.
 */
#include "process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* "make test" runs in the project's folder. */
#ifndef SOURCE_FOLDER
#define SOURCE_FOLDER "."
#endif

static const char *const names[] = {"server1", "server2"};
#define NAMES (sizeof names / sizeof names[0])

static int open_file(const char *folder, const char *name, const char *extension)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, extension);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
    return fd;
}

/* The program text without its comments. */
static char *code_of(const char *name)
{
    int fd = open_file(SOURCE_FOLDER "/testapps", name, ".c");
    char *text = content_of(fd);
    close(fd);
    for (char *start = strstr(text, "/*"); start != NULL; start = strstr(start, "/*")) {
        char *end = strstr(start, "*/");
        cr_assert_not_null(end, "%s.c: a comment without an end", name);
        memmove(start, end + 2, strlen(end + 2) + 1);
    }
    return text;
}

Test(testapps, do_not_mention_the_option_or_the_shim)
{
    static const char *const words[] = {"SO_REUSE", "setsockopt", "fcntl",  "ioctl",
                                        "libreuse", "LD_PRELOAD", "linger", "LINGER"};
    for (size_t n = 0; n < NAMES; n++) {
        const char *code = code_of(names[n]);
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            cr_assert_null(strstr(code, words[w]), "%s.c contains %s", names[n], words[w]);
        }
    }
}

/* A call whose result is not looked at is a statement of its own. */
static void expect_lonely_statement(const char *name, const char *call)
{
    char *code = code_of(name);
    unsigned calls = 0;
    for (char *line = strtok(code, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *found = strstr(line, call);
        if (found == NULL) {
            continue;
        }
        calls++;
        cr_assert_eq(strspn(line, " "), (size_t)(found - line), "%s.c uses the result of %s): %s",
                     name, call, line);
        cr_assert_str_eq(found + strlen(found) - 2, ");");
    }
    cr_assert_eq(calls, 1, "%s.c calls %s) %u times", name, call, calls);
}

Test(testapps, do_not_look_at_the_results_of_bind_and_listen)
{
    for (size_t n = 0; n < NAMES; n++) {
        expect_lonely_statement(names[n], "bind(");
        expect_lonely_statement(names[n], "listen(");
    }
}

/* An ELF file of this machine, see elf(5). */
struct binary {
    const char *bytes;
    size_t size;
    const ElfW(Ehdr) * header;
    const ElfW(Shdr) * sections;
};

static struct binary open_binary(const char *name)
{
    int fd = open_file(BUILD_FOLDER, name, "");
    struct stat facts;
    cr_assert_eq(fstat(fd, &facts), 0);
    size_t size = (size_t)facts.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    cr_assert_neq(bytes, MAP_FAILED, "mmap: %s", strerror(errno));
    close(fd);
    const ElfW(Ehdr) *header = bytes;
    cr_assert_eq(memcmp(header->e_ident, ELFMAG, SELFMAG), 0, "%s: not an ELF file", name);
    return (struct binary){bytes, size, header, (const void *)((char *)bytes + header->e_shoff)};
}

static const ElfW(Shdr) * find_section(const struct binary *binary, ElfW(Word) type)
{
    for (size_t i = 0; i < binary->header->e_shnum; i++) {
        if (binary->sections[i].sh_type == type) {
            return &binary->sections[i];
        }
    }
    cr_assert_fail("the program has no section of type %u", type);
    return NULL;
}

/* The text at an offset of the string table that belongs to a section. */
static const char *text_at(const struct binary *binary, const ElfW(Shdr) * section, size_t offset)
{
    return binary->bytes + binary->sections[section->sh_link].sh_offset + offset;
}

static bool imports(const struct binary *binary, const char *name)
{
    const ElfW(Shdr) *section = find_section(binary, SHT_DYNSYM);
    const ElfW(Sym) *symbols = (const void *)(binary->bytes + section->sh_offset);
    for (size_t i = 0; i < section->sh_size / sizeof *symbols; i++) {
        if (strcmp(text_at(binary, section, symbols[i].st_name), name) == 0) {
            return true;
        }
    }
    return false;
}

Test(testapps, import_bind_and_listen_and_not_setsockopt)
{
    for (size_t n = 0; n < NAMES; n++) {
        struct binary binary = open_binary(names[n]);
        cr_assert(imports(&binary, "bind"), "%s", names[n]);
        cr_assert(imports(&binary, "listen"), "%s", names[n]);
        cr_assert(!imports(&binary, "setsockopt"), "%s", names[n]);
        cr_assert(!imports(&binary, "syscall"), "%s", names[n]);
    }
}

Test(testapps, need_no_library_but_the_c_library)
{
    for (size_t n = 0; n < NAMES; n++) {
        struct binary binary = open_binary(names[n]);
        const ElfW(Shdr) *section = find_section(&binary, SHT_DYNAMIC);
        const ElfW(Dyn) *entries = (const void *)(binary.bytes + section->sh_offset);
        unsigned needed = 0;
        for (size_t i = 0; i < section->sh_size / sizeof *entries; i++) {
            if (entries[i].d_tag == DT_NEEDED) {
                const char *library = text_at(&binary, section, entries[i].d_un.d_val);
                cr_assert_eq(strncmp(library, "libc.", strlen("libc.")), 0, "%s needs %s", names[n],
                             library);
                needed++;
            }
        }
        cr_assert_eq(needed, 1, "%s needs %u libraries", names[n], needed);
    }
}
