/*
 * Where the members of the running kernel's structures are: BTF, its own description of its types,
 * in /sys/kernel/btf/vmlinux (Documentation/bpf/btf.rst; CONFIG_DEBUG_INFO_BTF, which distributions
 * have set since about 2020).
 */
#ifndef LIBREUSE_BTF_H
#define LIBREUSE_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct btf {
    unsigned char *bytes;    /* the whole description */
    const char *strings;     /* its names... */
    uint32_t strings_length; /* ...which end with a NUL */
    const uint32_t **types;  /* of each number; the first is that of void, and NULL */
    uint32_t count;
};

/*
 * Reads the description of the running kernel, or takes one from memory, which must have been
 * allocated and then belongs to `btf`. False and errno: ENOENT where the kernel has none, EBADMSG
 * where it is not understood.
 */
bool btf_load(struct btf *btf);
bool btf_parse(struct btf *btf, unsigned char *bytes, size_t length);

void btf_free(struct btf *btf);

/* Where a member begins in its structure. */
struct btf_place {
    uint32_t offset; /* in bytes */
    uint32_t bit;    /* of a bit field: its first bit, in that byte... */
    uint32_t bits;   /* ...and how many it has; 0: it is none */
};

/*
 * Finds a member of "struct NAME", also where it is in a structure or union without a name there.
 * False where there is none.
 */
bool btf_find(const struct btf *btf, const char *structure, const char *member,
              struct btf_place *found);

/* The bits of a member that is a bit field of at most a byte, in that byte; else all eight. */
uint8_t btf_mask(const struct btf_place *place);

#endif
