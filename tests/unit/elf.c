/* cli/program/elf.c on hand-made files and on files whose bytes are damaged at random. */
#include "program/elf.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A program of 64 bits with a loader, a dynamic section that names libraries, and a note. */
struct image {
    Elf64_Ehdr header;
    Elf64_Phdr segments[4];
    char loader[32];
    Elf64_Dyn dynamic[6];
    char strings[64];
    uint32_t note[5];
};

enum {
    BASE = 0x400000,
    OWN_ORDER = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? ELFDATA2MSB : ELFDATA2LSB,
};

static Elf64_Phdr segment(uint32_t type, size_t offset, size_t size)
{
    return (Elf64_Phdr){.p_type = type,
                        .p_offset = offset,
                        .p_vaddr = BASE + offset,
                        .p_filesz = size,
                        .p_memsz = size};
}

static struct image program(void)
{
    struct image image = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, OWN_ORDER, EV_CURRENT},
                   .e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_version = EV_CURRENT,
                   .e_phoff = offsetof(struct image, segments),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 4},
        .segments = {segment(PT_LOAD, 0, sizeof(struct image)),
                     segment(PT_INTERP, offsetof(struct image, loader), 28),
                     segment(PT_DYNAMIC, offsetof(struct image, dynamic), sizeof(Elf64_Dyn) * 6),
                     segment(PT_NOTE, offsetof(struct image, note), sizeof(uint32_t) * 5)},
        .loader = "/lib64/ld-linux-x86-64.so.2",
        .dynamic = {{.d_tag = DT_NEEDED, .d_un.d_val = 1},
                    {.d_tag = DT_NEEDED, .d_un.d_val = 11},
                    {.d_tag = DT_STRTAB, .d_un.d_ptr = BASE + offsetof(struct image, strings)},
                    {.d_tag = DT_FLAGS_1, .d_un.d_val = DF_1_PIE}},
        .strings = "\0libm.so.6\0libc.so.6",
        .note = {4, 4, 4, 0, 0},
    };
    return image;
}

static enum elf_result read_bytes(const void *bytes, size_t size, struct elf *elf)
{
    const int fd = memfd_create("elf", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    const enum elf_result result = elf_read(fd, elf);
    close(fd);
    return result;
}

static struct elf read_image(const struct image *image)
{
    struct elf elf;
    cr_assert_eq(read_bytes(image, sizeof *image, &elf), ELF_READ);
    return elf;
}

Test(elf, understands_a_dynamic_program)
{
    const struct image image = program();
    const struct elf elf = read_image(&image);
    cr_assert_eq(elf.use, ELF_PROGRAM);
    cr_assert_str_eq(elf.loader, "/lib64/ld-linux-x86-64.so.2");
    cr_assert_eq(elf.c_library, C_LIBRARY_GLIBC);
    cr_assert_eq(elf.needed, 2);
    cr_assert_str_eq(platform_name(&elf.platform),
                     OWN_ORDER == ELFDATA2LSB ? "x86-64" : "x86-64 big-endian");
    cr_assert(!elf.is_go);
}

Test(elf, knows_c_libraries_by_their_loaders)
{
    static const struct {
        const char *loader;
        enum c_library c_library;
    } loaders[] = {{"/lib/ld-linux.so.2", C_LIBRARY_GLIBC},
                   {"/lib/ld-linux-armhf.so.3", C_LIBRARY_GLIBC},
                   {"/lib/ld.so.1", C_LIBRARY_GLIBC},
                   {"/lib64/ld64.so.2", C_LIBRARY_GLIBC},
                   {"/lib/ld-musl-aarch64.so.1", C_LIBRARY_MUSL},
                   {"/lib/ld-uClibc.so.0", C_LIBRARY_UCLIBC},
                   {"/system/bin/linker64", C_LIBRARY_BIONIC},
                   {"/my/loader", C_LIBRARY_UNKNOWN}};
    for (size_t i = 0; i < sizeof loaders / sizeof loaders[0]; i++) {
        struct image image = program();
        strcpy(image.loader, loaders[i].loader);
        image.segments[1].p_filesz = strlen(image.loader) + 1;
        cr_assert_eq(read_image(&image).c_library, loaders[i].c_library, "%s", loaders[i].loader);
    }
}

Test(elf, takes_a_program_without_loader_for_static)
{
    struct image image = program();
    image.segments[1].p_type = PT_NULL;
    image.dynamic[0].d_tag = image.dynamic[1].d_tag = DT_DEBUG;
    cr_assert_eq(read_image(&image).use, ELF_STATIC_PROGRAM);
    image.header.e_type = ET_EXEC;
    cr_assert_eq(read_image(&image).use, ELF_STATIC_PROGRAM);
}

Test(elf, tells_libraries_and_loaders_from_programs)
{
    struct image image = program();
    image.segments[1].p_type = PT_NULL;
    image.dynamic[3].d_un.d_val = 0;
    struct elf elf = read_image(&image);
    cr_assert_eq(elf.use, ELF_LIBRARY);
    cr_assert_eq(elf.c_library, C_LIBRARY_GLIBC);

    image.dynamic[0].d_tag = DT_SONAME;
    strcpy(image.strings + 1, "ld-linux.so.2");
    cr_assert_eq(read_image(&image).use, ELF_LOADER);

    image.header.e_type = ET_REL;
    cr_assert_eq(read_image(&image).use, ELF_OTHER);
}

Test(elf, knows_go_programs_by_their_note)
{
    struct image image = program();
    memcpy(&image.note[3], "Go\0", 4);
    cr_assert(read_image(&image).is_go);
    image.note[2] = 1;
    cr_assert(!read_image(&image).is_go);
    image.note[2] = 4;
    memcpy(&image.note[3], "GNU", 4);
    cr_assert(!read_image(&image).is_go);
}

Test(elf, refuses_what_the_kernel_refuses)
{
    struct elf elf;
    struct image image = program();
    image.header.e_phentsize = 32;
    cr_assert_eq(read_bytes(&image, sizeof image, &elf), ELF_DAMAGED);
    image = program();
    image.header.e_phnum = 0;
    cr_assert_eq(read_bytes(&image, sizeof image, &elf), ELF_DAMAGED);
    image = program();
    image.header.e_phoff = UINT64_MAX - 8;
    cr_assert_eq(read_bytes(&image, sizeof image, &elf), ELF_DAMAGED);
    image = program();
    image.loader[27] = 'x';
    cr_assert_eq(read_bytes(&image, sizeof image, &elf), ELF_DAMAGED);
    image = program();
    image.segments[1].p_filesz = 100000;
    cr_assert_eq(read_bytes(&image, sizeof image, &elf), ELF_DAMAGED);
    image = program();
    cr_assert_eq(read_bytes(&image, 20, &elf), ELF_DAMAGED);
    cr_assert_eq(read_bytes("\177EL", 3, &elf), ELF_NOT_ELF);
    cr_assert_eq(read_bytes("", 0, &elf), ELF_NOT_ELF);
}

Test(elf, survives_endless_and_overflowing_sections)
{
    struct image image = program();
    image.segments[2].p_filesz = UINT64_MAX;
    image.segments[3].p_filesz = UINT64_MAX;
    image.segments[3].p_offset = UINT64_MAX;
    image.dynamic[0].d_un.d_val = UINT64_MAX;
    image.dynamic[1].d_un.d_val = UINT64_MAX - BASE;
    cr_assert_eq(read_image(&image).use, ELF_PROGRAM);
    image.note[0] = UINT32_MAX;
    image.note[1] = UINT32_MAX;
    image.segments[3] = segment(PT_NOTE, offsetof(struct image, note), 20);
    cr_assert(!read_image(&image).is_go);
}

/* Any bytes: a crash, an endless loop or a sanitizer's word would be the failure. */
Test(elf, survives_any_damage)
{
    const char *rounds = getenv("SEQUENCES");
    const unsigned int count = rounds != NULL ? (unsigned int)strtoul(rounds, NULL, 10) : 20000;
    const int fd = memfd_create("elf", MFD_CLOEXEC);
    cr_assert_geq(fd, 0);
    unsigned int read = 0;
    for (unsigned int i = 0; i < count; i++) {
        unsigned int seed = i;
        struct image image = program();
        unsigned char *bytes = (unsigned char *)&image;
        for (int flips = 1 + rand_r(&seed) % 6; flips > 0; flips--) {
            static const unsigned char values[] = {0, 1, 2, 4, 0x7f, 0x80, 0xff};
            const size_t at = EI_CLASS + (size_t)rand_r(&seed) % (sizeof image - EI_CLASS);
            bytes[at] = rand_r(&seed) % 2 == 0 ? (unsigned char)rand_r(&seed)
                                               : values[(size_t)rand_r(&seed) % sizeof values];
        }
        const size_t size =
            rand_r(&seed) % 4 == 0 ? (size_t)rand_r(&seed) % sizeof image : sizeof image;
        cr_assert_eq(ftruncate(fd, 0), 0);
        cr_assert_eq(pwrite(fd, bytes, size, 0), (ssize_t)size);
        struct elf elf;
        const enum elf_result result = elf_read(fd, &elf);
        cr_assert(memchr(elf.loader, '\0', sizeof elf.loader) != NULL, "seed %u", i);
        if (result == ELF_READ) {
            cr_assert_not_null(platform_name(&elf.platform));
            read++;
        }
    }
    cr_assert_gt(read, count / 10, "too few of the damaged files were read to the end");
    close(fd);
}
