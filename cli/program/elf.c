#include "elf.h"

#include "terminal/text.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the fields are that differ between the two classes, in bytes. */
struct layout {
    size_t header_size;
    size_t word; /* the size of an address or offset */
    size_t phoff, phentsize, phnum;
    size_t segment_size;
    size_t p_offset, p_vaddr, p_filesz;
};

static const struct layout layout_32 = {
    .header_size = sizeof(Elf32_Ehdr),
    .word = sizeof(Elf32_Addr),
    .phoff = offsetof(Elf32_Ehdr, e_phoff),
    .phentsize = offsetof(Elf32_Ehdr, e_phentsize),
    .phnum = offsetof(Elf32_Ehdr, e_phnum),
    .segment_size = sizeof(Elf32_Phdr),
    .p_offset = offsetof(Elf32_Phdr, p_offset),
    .p_vaddr = offsetof(Elf32_Phdr, p_vaddr),
    .p_filesz = offsetof(Elf32_Phdr, p_filesz),
};

static const struct layout layout_64 = {
    .header_size = sizeof(Elf64_Ehdr),
    .word = sizeof(Elf64_Addr),
    .phoff = offsetof(Elf64_Ehdr, e_phoff),
    .phentsize = offsetof(Elf64_Ehdr, e_phentsize),
    .phnum = offsetof(Elf64_Ehdr, e_phnum),
    .segment_size = sizeof(Elf64_Phdr),
    .p_offset = offsetof(Elf64_Phdr, p_offset),
    .p_vaddr = offsetof(Elf64_Phdr, p_vaddr),
    .p_filesz = offsetof(Elf64_Phdr, p_filesz),
};

/* The kernel takes no more program headers than this, fs/binfmt_elf.c. */
enum { SEGMENTS_SIZE = 65536 };

/* What is looked at of notes and dynamic sections: far more than real files have. */
enum { NOTES_SIZE = 4096, DYNAMIC_ENTRIES = 4096 };

struct segment {
    uint64_t offset;
    uint64_t address;
    uint64_t size; /* in the file */
};

struct file {
    int fd;
    const struct layout *layout;
    bool big_endian;
    unsigned char *segments;
    unsigned int count; /* of segments */
};

/* How many bytes could be read, at most `size`. Negative and errno where reading fails. */
static ssize_t read_some(int fd, uint64_t offset, void *to, size_t size)
{
    size_t done = 0;
    while (done < size && offset <= (uint64_t)INT64_MAX - size) {
        const ssize_t got = pread(fd, (char *)to + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (ssize_t)done;
}

static bool read_all(int fd, uint64_t offset, void *to, size_t size)
{
    return read_some(fd, offset, to, size) == (ssize_t)size;
}

/* A number of 2, 4 or 8 bytes in the file's byte order. */
static uint64_t number(bool big_endian, const unsigned char *bytes, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | bytes[big_endian ? i : size - 1 - i];
    }
    return value;
}

static struct segment segment_at(const struct file *file, unsigned int i)
{
    const struct layout *layout = file->layout;
    const unsigned char *bytes = file->segments + i * layout->segment_size;
    return (struct segment){
        .offset = number(file->big_endian, bytes + layout->p_offset, layout->word),
        .address = number(file->big_endian, bytes + layout->p_vaddr, layout->word),
        .size = number(file->big_endian, bytes + layout->p_filesz, layout->word),
    };
}

static uint32_t segment_type(const struct file *file, unsigned int i)
{
    return (uint32_t)number(file->big_endian, file->segments + i * file->layout->segment_size,
                            sizeof(uint32_t));
}

/* Finds the first segment of a type. */
static bool find_segment(const struct file *file, uint32_t type, struct segment *segment)
{
    for (unsigned int i = 0; i < file->count; i++) {
        if (segment_type(file, i) == type) {
            *segment = segment_at(file, i);
            return true;
        }
    }
    return false;
}

/* Where in the file the bytes are that will be at this address. */
static bool offset_of_address(const struct file *file, uint64_t address, uint64_t *offset)
{
    for (unsigned int i = 0; i < file->count; i++) {
        const struct segment segment = segment_at(file, i);
        if (segment_type(file, i) == PT_LOAD && address >= segment.address &&
            address - segment.address < segment.size) {
            *offset = segment.offset + (address - segment.address);
            return true;
        }
    }
    return false;
}

/* What the dynamic section says. */
struct dynamic {
    bool is_there;
    bool is_pie;   /* DF_1_PIE: a program, though it has the type of a library */
    char name[64]; /* DT_SONAME */
    unsigned int needed;
    bool needs_asan;
    enum c_library c_library;
};

static void read_name(const struct file *file, uint64_t strings, uint64_t at, char name[64])
{
    const ssize_t length =
        strings <= UINT64_MAX - at ? read_some(file->fd, strings + at, name, 63) : 0;
    name[length > 0 ? length : 0] = '\0';
}

/* Calls `take` for every entry. */
static void each_dynamic(const struct file *file, const struct segment *segment,
                         void (*take)(void *context, uint64_t tag, uint64_t value), void *context)
{
    const size_t word = file->layout->word;
    unsigned char bytes[2 * sizeof(uint64_t)];
    for (unsigned int i = 0; i < DYNAMIC_ENTRIES && i < segment->size / (2 * word); i++) {
        if (!read_all(file->fd, segment->offset + i * 2 * word, bytes, 2 * word)) {
            return;
        }
        const uint64_t tag = number(file->big_endian, bytes, word);
        if (tag == DT_NULL) {
            return;
        }
        take(context, tag, number(file->big_endian, bytes + word, word));
    }
}

struct dynamic_reader {
    const struct file *file;
    struct dynamic *dynamic;
    bool has_strings;
    uint64_t strings; /* where they are in the file */
};

static void find_strings(void *context, uint64_t tag, uint64_t value)
{
    struct dynamic_reader *reader = context;
    if (tag == DT_STRTAB) {
        reader->has_strings = offset_of_address(reader->file, value, &reader->strings);
    }
}

static void take_dynamic(void *context, uint64_t tag, uint64_t value)
{
    struct dynamic_reader *reader = context;
    struct dynamic *dynamic = reader->dynamic;
    char name[64];
    if (tag == DT_FLAGS_1) {
        dynamic->is_pie = (value & DF_1_PIE) != 0;
    } else if (tag == DT_SONAME && reader->has_strings) {
        read_name(reader->file, reader->strings, value, dynamic->name);
    } else if (tag == DT_NEEDED && reader->has_strings) {
        read_name(reader->file, reader->strings, value, name);
        dynamic->needed++;
        dynamic->needs_asan |=
            starts_with(name, "libasan.so") || starts_with(name, "libclang_rt.asan");
        if (dynamic->c_library == C_LIBRARY_NONE) {
            dynamic->c_library = c_library_of_needed(name);
        }
    }
}

static struct dynamic read_dynamic(const struct file *file)
{
    struct dynamic dynamic = {0};
    struct segment segment;
    dynamic.is_there = find_segment(file, PT_DYNAMIC, &segment);
    if (dynamic.is_there) {
        struct dynamic_reader reader = {.file = file, .dynamic = &dynamic};
        each_dynamic(file, &segment, find_strings, &reader);
        each_dynamic(file, &segment, take_dynamic, &reader);
    }
    return dynamic;
}

/* The sizes in notes are rounded up to this. */
static size_t note_padded(uint32_t size)
{
    return ((size_t)size + 3) & ~(size_t)3;
}

/* Looks for the note that holds Go's build id: the name "Go", the type 4. */
static bool has_go_note(const unsigned char *notes, size_t length, bool big_endian)
{
    enum { NOTE_HEADER = 12, GO_BUILD_ID = 4 };
    static const unsigned char go[4] = "Go\0";
    size_t at = 0;
    while (length - at >= NOTE_HEADER + sizeof go) {
        const unsigned char *note = notes + at;
        const uint32_t name_size = (uint32_t)number(big_endian, note, 4);
        const uint32_t size = (uint32_t)number(big_endian, note + 4, 4);
        const uint32_t type = (uint32_t)number(big_endian, note + 8, 4);
        if (name_size == sizeof go && type == GO_BUILD_ID &&
            memcmp(note + NOTE_HEADER, go, sizeof go) == 0) {
            return true;
        }
        const size_t left = length - at - NOTE_HEADER;
        if (note_padded(name_size) > left || note_padded(size) > left - note_padded(name_size)) {
            return false;
        }
        at += NOTE_HEADER + note_padded(name_size) + note_padded(size);
    }
    return false;
}

static bool is_go(const struct file *file)
{
    static unsigned char notes[NOTES_SIZE];
    for (unsigned int i = 0; i < file->count; i++) {
        if (segment_type(file, i) == PT_NOTE) {
            const struct segment segment = segment_at(file, i);
            const size_t size = segment.size < NOTES_SIZE ? (size_t)segment.size : NOTES_SIZE;
            const ssize_t length = read_some(file->fd, segment.offset, notes, size);
            if (length > 0 && has_go_note(notes, (size_t)length, file->big_endian)) {
                return true;
            }
        }
    }
    return false;
}

static enum elf_use use_without_loader(uint64_t type, const struct dynamic *dynamic)
{
    if (type == ET_EXEC) {
        return ELF_STATIC_PROGRAM;
    }
    if (starts_with(dynamic->name, "ld-") || starts_with(dynamic->name, "ld.so") ||
        starts_with(dynamic->name, "ld64.so")) {
        return ELF_LOADER;
    }
    const bool is_library = dynamic->name[0] != '\0' || dynamic->needed > 0;
    return is_library && !dynamic->is_pie ? ELF_LIBRARY : ELF_STATIC_PROGRAM;
}

/* The path of the dynamic loader. The conditions are those of the kernel. */
static enum elf_result read_loader(const struct file *file, struct elf *elf)
{
    struct segment segment;
    if (!find_segment(file, PT_INTERP, &segment)) {
        return ELF_READ;
    }
    if (segment.size < 2 || segment.size > sizeof elf->loader ||
        !read_all(file->fd, segment.offset, elf->loader, (size_t)segment.size) ||
        elf->loader[segment.size - 1] != '\0') {
        elf->loader[0] = '\0';
        return ELF_DAMAGED;
    }
    return ELF_READ;
}

static enum elf_result read_segments(struct file *file, struct elf *elf, uint64_t type)
{
    if (read_loader(file, elf) != ELF_READ) {
        return ELF_DAMAGED;
    }
    const struct dynamic dynamic = read_dynamic(file);
    elf->needed = dynamic.needed;
    elf->needs_asan = dynamic.needs_asan;
    elf->is_go = is_go(file);
    if (elf->loader[0] != '\0') {
        elf->use = ELF_PROGRAM;
        elf->c_library = c_library_of_loader(elf->loader);
    } else {
        elf->use = use_without_loader(type, &dynamic);
        elf->c_library =
            elf->use == ELF_LOADER ? c_library_of_loader(dynamic.name) : dynamic.c_library;
    }
    return ELF_READ;
}

/* Understands the header's first bytes: the class and the byte order. */
static bool read_ident(const unsigned char *header, struct file *file, struct elf *elf)
{
    elf->platform.bits = header[EI_CLASS] == ELFCLASS64 ? 64 : 32;
    elf->platform.big_endian = header[EI_DATA] == ELFDATA2MSB;
    file->layout = elf->platform.bits == 64 ? &layout_64 : &layout_32;
    file->big_endian = elf->platform.big_endian;
    return (header[EI_CLASS] == ELFCLASS32 || header[EI_CLASS] == ELFCLASS64) &&
           (header[EI_DATA] == ELFDATA2LSB || header[EI_DATA] == ELFDATA2MSB);
}

static enum elf_result read_file(struct file *file, const unsigned char *header, size_t length,
                                 struct elf *elf)
{
    if (!read_ident(header, file, elf) || length < file->layout->header_size) {
        return ELF_DAMAGED;
    }
    const struct layout *layout = file->layout;
    const uint64_t type = number(file->big_endian, header + offsetof(Elf64_Ehdr, e_type), 2);
    elf->platform.machine =
        (unsigned int)number(file->big_endian, header + offsetof(Elf64_Ehdr, e_machine), 2);
    if (type != ET_EXEC && type != ET_DYN) {
        elf->use = ELF_OTHER;
        return ELF_READ;
    }
    file->count = (unsigned int)number(file->big_endian, header + layout->phnum, 2);
    const size_t size = file->count * layout->segment_size;
    if (number(file->big_endian, header + layout->phentsize, 2) != layout->segment_size ||
        size == 0 || size > SEGMENTS_SIZE) {
        return ELF_DAMAGED;
    }
    file->segments = malloc(size);
    if (file->segments == NULL) {
        return ELF_ERROR;
    }
    enum elf_result result = ELF_DAMAGED;
    const uint64_t offset = number(file->big_endian, header + layout->phoff, layout->word);
    if (read_all(file->fd, offset, file->segments, size)) {
        result = read_segments(file, elf, type);
    }
    free(file->segments);
    return result;
}

enum elf_result elf_read(int fd, struct elf *elf)
{
    struct file file = {.fd = fd};
    unsigned char header[sizeof(Elf64_Ehdr)] = {0};
    *elf = (struct elf){.use = ELF_OTHER};
    const ssize_t length = read_some(fd, 0, header, sizeof header);
    if (length < 0) {
        return ELF_ERROR;
    }
    if (length < SELFMAG || memcmp(header, ELFMAG, SELFMAG) != 0) {
        return ELF_NOT_ELF;
    }
    return read_file(&file, header, (size_t)length, elf);
}
