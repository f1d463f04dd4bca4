#include "bypass.h"

#include "sockets/processes.h"
#include "terminal/output.h"
#include "terminal/text.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than the largest of these tables is in any module: nobody's numbers are trusted. */
enum { TABLE_SIZE = 64 << 20, DYNAMIC_ENTRIES = 4096, SEGMENTS = 64 };

/* One line of /proc/PID/maps that has a file. */
struct mapping {
    uint64_t start;
    uint64_t end;
    uint64_t offset;
    char *path;
    bool is_shim;
};

struct memory {
    int fd;
    struct mapping *mappings;
    size_t count;
};

/* What of a module's dynamic section leads to the slots. Addresses, and sizes in bytes. */
struct module {
    const struct mapping *first;
    uint64_t bias; /* what is added to the addresses in the file */
    bool is_64;
    uint64_t symbols;
    uint64_t strings, strings_size;
    uint64_t plt, plt_size, plt_kind;
    uint64_t rela, rela_size;
    uint64_t rel, rel_size;
};

static void read_mappings(struct memory *memory, int pid)
{
    char *path = process_path(pid, "maps");
    FILE *maps = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    while (maps != NULL && getline(&line, &size, maps) >= 0) {
        unsigned long long start, end, offset;
        const char *file = strchr(line, '/');
        if (file == NULL || sscanf(line, "%llx-%llx %*s %llx", &start, &end, &offset) != 3) {
            continue;
        }
        memory->mappings =
            output_reallocate(memory->mappings, memory->count + 1, sizeof memory->mappings[0]);
        memory->mappings[memory->count++] = (struct mapping){
            .start = start,
            .end = end,
            .offset = offset,
            .path = output_format("%.*s", (int)strcspn(file, "\n"), file),
            .is_shim = process_maps_shim(line),
        };
    }
    free(line);
    free(path);
    if (maps != NULL) {
        fclose(maps);
    }
}

static bool read_memory(const struct memory *memory, uint64_t address, void *to, size_t size)
{
    return address <= INT64_MAX && pread(memory->fd, to, size, (off_t)address) == (ssize_t)size;
}

/* A whole table; NULL where it cannot be read. The caller frees it. */
static unsigned char *read_table(const struct memory *memory, uint64_t address, uint64_t size)
{
    if (size == 0 || size > TABLE_SIZE) {
        return NULL;
    }
    unsigned char *table = output_allocate(1, (size_t)size);
    if (!read_memory(memory, address, table, (size_t)size)) {
        free(table);
        return NULL;
    }
    return table;
}

/* An address or a size in the module's own class; a process has this machine's byte order. */
static uint64_t word_at(const struct module *module, const unsigned char *bytes)
{
    uint32_t small;
    uint64_t large;
    if (module->is_64) {
        memcpy(&large, bytes, sizeof large);
        return large;
    }
    memcpy(&small, bytes, sizeof small);
    return small;
}

/* A C library relocates the addresses in a dynamic section that it may write; others it leaves. */
static uint64_t address_of(const struct module *module, uint64_t value)
{
    return value < module->first->start ? value + module->bias : value;
}

static void take_dynamic(struct module *module, uint64_t tag, uint64_t value)
{
    switch (tag) {
    case DT_SYMTAB:
        module->symbols = address_of(module, value);
        break;
    case DT_STRTAB:
        module->strings = address_of(module, value);
        break;
    case DT_STRSZ:
        module->strings_size = value;
        break;
    case DT_JMPREL:
        module->plt = address_of(module, value);
        break;
    case DT_PLTRELSZ:
        module->plt_size = value;
        break;
    case DT_PLTREL:
        module->plt_kind = value;
        break;
    case DT_RELA:
        module->rela = address_of(module, value);
        break;
    case DT_RELASZ:
        module->rela_size = value;
        break;
    case DT_REL:
        module->rel = address_of(module, value);
        break;
    case DT_RELSZ:
        module->rel_size = value;
        break;
    default:
        break;
    }
}

static void read_dynamic(const struct memory *memory, struct module *module, uint64_t address)
{
    const size_t word = module->is_64 ? 8 : 4;
    unsigned char entry[16];
    for (size_t i = 0; i < DYNAMIC_ENTRIES; i++) {
        if (!read_memory(memory, address + i * 2 * word, entry, 2 * word)) {
            return;
        }
        const uint64_t tag = word_at(module, entry);
        if (tag == DT_NULL) {
            return;
        }
        take_dynamic(module, tag, word_at(module, entry + word));
    }
}

/* Takes the module whose ELF header is at the beginning of a mapping. */
static bool read_module(const struct memory *memory, const struct mapping *mapping,
                        struct module *module)
{
    Elf64_Ehdr large;
    Elf32_Ehdr small;
    *module = (struct module){.first = mapping};
    if (!read_memory(memory, mapping->start, &large, sizeof large) ||
        memcmp(large.e_ident, ELFMAG, SELFMAG) != 0) {
        return false;
    }
    memcpy(&small, &large, sizeof small);
    module->is_64 = large.e_ident[EI_CLASS] == ELFCLASS64;
    const uint64_t table = mapping->start + (module->is_64 ? large.e_phoff : small.e_phoff);
    const unsigned int count = module->is_64 ? large.e_phnum : small.e_phnum;
    uint64_t dynamic = 0;
    bool has_bias = false;
    for (unsigned int i = 0; i < count && i < SEGMENTS; i++) {
        Elf64_Phdr segment;
        Elf32_Phdr segment_32;
        if (!module->is_64) {
            if (!read_memory(memory, table + i * sizeof segment_32, &segment_32,
                             sizeof segment_32)) {
                return false;
            }
            segment = (Elf64_Phdr){.p_type = segment_32.p_type,
                                   .p_offset = segment_32.p_offset,
                                   .p_vaddr = segment_32.p_vaddr};
        } else if (!read_memory(memory, table + i * sizeof segment, &segment, sizeof segment)) {
            return false;
        }
        if (segment.p_type == PT_LOAD && segment.p_offset == 0 && !has_bias) {
            module->bias = mapping->start - segment.p_vaddr;
            has_bias = true;
        } else if (segment.p_type == PT_DYNAMIC) {
            dynamic = segment.p_vaddr;
        }
    }
    if (!has_bias || dynamic == 0) {
        return false;
    }
    read_dynamic(memory, module, dynamic + module->bias);
    return module->symbols != 0 && module->strings != 0;
}

static bool is_c_library(const char *path)
{
    const char *name = file_name(path);
    return starts_with(name, "libc.so") || starts_with(name, "libc-2.");
}

static bool leads_to_c_library(const struct memory *memory, uint64_t address)
{
    for (size_t i = 0; i < memory->count; i++) {
        const struct mapping *mapping = &memory->mappings[i];
        if (address >= mapping->start && address < mapping->end) {
            return is_c_library(mapping->path);
        }
    }
    return false;
}

static bool is_watched(const struct memory *memory, const struct module *module,
                       const unsigned char *strings, uint64_t symbol)
{
    uint32_t name; /* the first member in both classes */
    const size_t size = module->is_64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
    if (!read_memory(memory, module->symbols + symbol * size, &name, sizeof name) ||
        name >= module->strings_size) {
        return false;
    }
    const char *text = (const char *)strings + name;
    const size_t room = (size_t)(module->strings_size - name);
    return (room >= sizeof "bind" && memcmp(text, "bind", sizeof "bind") == 0) ||
           (room >= sizeof "listen" && memcmp(text, "listen", sizeof "listen") == 0);
}

/* Whether a slot that a table of relocations names for these calls leads to the C library. */
static bool table_goes_past(const struct memory *memory, const struct module *module,
                            const unsigned char *strings, uint64_t address, uint64_t size,
                            bool has_addend)
{
    const size_t word = module->is_64 ? 8 : 4;
    const size_t entry = (has_addend ? 3 : 2) * word;
    unsigned char *table = read_table(memory, address, size);
    bool goes_past = false;
    for (uint64_t at = 0; table != NULL && !goes_past && at + entry <= size; at += entry) {
        const uint64_t info = word_at(module, table + at + word);
        const uint64_t symbol = module->is_64 ? ELF64_R_SYM(info) : ELF32_R_SYM(info);
        unsigned char slot[8];
        goes_past = symbol != 0 && is_watched(memory, module, strings, symbol) &&
                    read_memory(memory, module->bias + word_at(module, table + at), slot, word) &&
                    leads_to_c_library(memory, word_at(module, slot));
    }
    free(table);
    return goes_past;
}

static bool goes_past(const struct memory *memory, const struct module *module)
{
    unsigned char *strings = read_table(memory, module->strings, module->strings_size);
    const bool answer =
        strings != NULL &&
        (table_goes_past(memory, module, strings, module->plt, module->plt_size,
                         module->plt_kind == DT_RELA) ||
         table_goes_past(memory, module, strings, module->rela, module->rela_size, true) ||
         table_goes_past(memory, module, strings, module->rel, module->rel_size, false));
    free(strings);
    return answer;
}

void bypass_find(struct bypass *bypass, int pid)
{
    char *path = process_path(pid, "mem");
    struct memory memory = {.fd = open(path, O_RDONLY | O_CLOEXEC)};
    *bypass = (struct bypass){0};
    if (memory.fd >= 0) {
        read_mappings(&memory, pid);
    }
    for (size_t i = 0; i < memory.count; i++) {
        const struct mapping *mapping = &memory.mappings[i];
        struct module module;
        if (mapping->offset == 0 && !mapping->is_shim && !is_c_library(mapping->path) &&
            read_module(&memory, mapping, &module) && goes_past(&memory, &module)) {
            bypass->modules =
                output_reallocate(bypass->modules, bypass->count + 1, sizeof bypass->modules[0]);
            bypass->modules[bypass->count++] = output_format("%s", mapping->path);
        }
    }
    for (size_t i = 0; i < memory.count; i++) {
        free(memory.mappings[i].path);
    }
    free(memory.mappings);
    free(path);
    if (memory.fd >= 0) {
        close(memory.fd);
    }
}

char *bypass_text(const struct bypass *bypass)
{
    const char *first = file_name(bypass->modules[0]);
    return bypass->count == 1 ? output_format("%s", first)
                              : output_format("%s and %zu more", first, bypass->count - 1);
}

void bypass_free(struct bypass *bypass)
{
    for (size_t i = 0; i < bypass->count; i++) {
        free(bypass->modules[i]);
    }
    free(bypass->modules);
    *bypass = (struct bypass){0};
}
