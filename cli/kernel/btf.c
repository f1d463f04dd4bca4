#include "btf.h"

#include "terminal/output.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Kinds that the headers of an older system do not have. */
enum { KIND_FLOAT = 16, KIND_DECL_TAG = 17, KIND_TYPE_TAG = 18, KIND_ENUM64 = 19 };

/* A type begins with its name, its kind and the count of its parts, its size: each 32 bits. */
enum { TYPE_NAME, TYPE_INFO, TYPE_SIZE, TYPE_WORDS };
enum { MEMBER_NAME, MEMBER_TYPE, MEMBER_OFFSET, MEMBER_WORDS };

enum { DEEPEST = 8 }; /* structures without a name, one in another */

static uint32_t kind_of(const uint32_t *type)
{
    return BTF_INFO_KIND(type[TYPE_INFO]);
}

static uint32_t parts_of(const uint32_t *type)
{
    return BTF_INFO_VLEN(type[TYPE_INFO]);
}

/* The words that follow the three of a type; SIZE_MAX for a kind that is not known. */
static size_t words_after(const uint32_t *type)
{
    const size_t parts = parts_of(type);
    switch (kind_of(type)) {
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FUNC:
    case KIND_FLOAT:
    case KIND_TYPE_TAG:
        return 0;
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case KIND_DECL_TAG:
        return 1;
    case BTF_KIND_ARRAY:
        return 3;
    case BTF_KIND_ENUM:
    case BTF_KIND_FUNC_PROTO:
        return 2 * parts;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_DATASEC:
    case KIND_ENUM64:
        return 3 * parts;
    default:
        return SIZE_MAX;
    }
}

/* A kind that is not known ends the list: what comes before it is understood. */
static void list_types(struct btf *btf, const uint32_t *words, size_t count)
{
    size_t room = 1024;
    btf->types = output_allocate(room, sizeof btf->types[0]);
    btf->count = 1;
    for (size_t at = 0; at + TYPE_WORDS <= count;) {
        const size_t after = words_after(&words[at]);
        if (after > count - at - TYPE_WORDS) {
            break;
        }
        if (btf->count == room) {
            room *= 2;
            btf->types = output_reallocate(btf->types, room, sizeof btf->types[0]);
        }
        btf->types[btf->count++] = &words[at];
        at += TYPE_WORDS + after;
    }
}

bool btf_parse(struct btf *btf, unsigned char *bytes, size_t length)
{
    *btf = (struct btf){.bytes = bytes};
    struct btf_header header;
    errno = EBADMSG;
    if (length < sizeof header) {
        return false;
    }
    memcpy(&header, bytes, sizeof header);
    const uint64_t types = (uint64_t)header.hdr_len + header.type_off;
    const uint64_t strings = (uint64_t)header.hdr_len + header.str_off;
    if (header.magic != BTF_MAGIC || types % sizeof(uint32_t) != 0 ||
        types + header.type_len > length || strings + header.str_len > length ||
        header.str_len == 0 || bytes[strings + header.str_len - 1] != '\0') {
        return false;
    }
    btf->strings = (const char *)bytes + strings;
    btf->strings_length = header.str_len;
    list_types(btf, (const uint32_t *)(const void *)(bytes + types),
               header.type_len / sizeof(uint32_t));
    return true;
}

/* A file of sysfs tells its size. */
bool btf_load(struct btf *btf)
{
    *btf = (struct btf){0};
    const int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    const off_t size = lseek(fd, 0, SEEK_END);
    unsigned char *bytes = output_allocate(size > 0 ? (size_t)size : 1, 1);
    size_t length = 0;
    ssize_t part = 0;
    while (size > 0 && length < (size_t)size &&
           (part = pread(fd, bytes + length, (size_t)size - length, (off_t)length)) > 0) {
        length += (size_t)part;
    }
    close(fd);
    return btf_parse(btf, bytes, length);
}

void btf_free(struct btf *btf)
{
    free(btf->types);
    free(btf->bytes);
    *btf = (struct btf){0};
}

static const char *name_at(const struct btf *btf, uint32_t place)
{
    return place < btf->strings_length ? btf->strings + place : "";
}

static bool is_composite(const uint32_t *type)
{
    return kind_of(type) == BTF_KIND_STRUCT || kind_of(type) == BTF_KIND_UNION;
}

/* `bits` before it: where the structure itself begins in the one that was asked about. */
static bool find_in(const struct btf *btf, const uint32_t *type, const char *member,
                    uint32_t bits_before, int depth, struct btf_place *found)
{
    for (uint32_t i = 0; i < parts_of(type); i++) {
        const uint32_t *part = type + TYPE_WORDS + i * MEMBER_WORDS;
        const bool has_fields = BTF_INFO_KFLAG(type[TYPE_INFO]);
        const uint32_t place = part[MEMBER_OFFSET];
        const uint32_t at = bits_before + (has_fields ? BTF_MEMBER_BIT_OFFSET(place) : place);
        const char *name = name_at(btf, part[MEMBER_NAME]);
        if (strcmp(name, member) == 0) {
            *found = (struct btf_place){at / 8, at % 8,
                                        has_fields ? BTF_MEMBER_BITFIELD_SIZE(place) : 0};
            return true;
        }
        const uint32_t inner = part[MEMBER_TYPE];
        if (name[0] == '\0' && depth < DEEPEST && inner > 0 && inner < btf->count &&
            is_composite(btf->types[inner]) &&
            find_in(btf, btf->types[inner], member, at, depth + 1, found)) {
            return true;
        }
    }
    return false;
}

bool btf_find(const struct btf *btf, const char *structure, const char *member,
              struct btf_place *found)
{
    for (uint32_t i = 1; i < btf->count; i++) {
        const uint32_t *type = btf->types[i];
        if (kind_of(type) == BTF_KIND_STRUCT && parts_of(type) > 0 &&
            strcmp(name_at(btf, type[TYPE_NAME]), structure) == 0 &&
            find_in(btf, type, member, 0, 0, found)) {
            return true;
        }
    }
    return false;
}

uint8_t btf_mask(const struct btf_place *place)
{
    if (place->bits == 0 || place->bits >= 8) {
        return 0xff;
    }
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    const unsigned int shift = 8 - place->bit - place->bits;
#else
    const unsigned int shift = place->bit;
#endif
    return (uint8_t)(((1u << place->bits) - 1) << shift);
}
