/*
 * The kernel's description of its types: any bytes are taken apart within their bounds, and in an
 * acceptable time.
 */
#include "fuzz.h"

#include "kernel/btf.h"

#include <linux/btf.h>

static void look_for(const struct btf *btf, const char *structure, const char *member)
{
    struct btf_place place;
    if (btf_find(btf, structure, member, &place)) {
        MUST(place.bit < 8 && btf_mask(&place) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct btf btf;
    unsigned char *bytes = malloc(size > 0 ? size : 1);
    MUST(bytes != NULL);
    memcpy(bytes, data, size);
    if (btf_parse(&btf, bytes, size)) {
        MUST(btf.count >= 1 && btf.strings_length > 0);
        look_for(&btf, "sock", "skc_reuse");
        look_for(&btf, "", "");
        look_for(&btf, "sock", "none");
    }
    btf_free(&btf);
    return 0;
}

/* "struct sock", whose member skc_reuse is a bit field in a structure without a name. */
static size_t write_description(uint8_t *data, size_t room)
{
    static const char strings[] = "\0sock\0skc_reuse";
    enum { SOCK = 1, MEMBER = 6 };
    struct {
        struct btf_header header;
        struct btf_type inner;
        struct btf_member reuse;
        struct btf_type sock;
        struct btf_member common;
        char strings[sizeof strings];
    } all = {
        .header = {.magic = BTF_MAGIC,
                   .version = 1,
                   .hdr_len = sizeof all.header,
                   .type_len = offsetof(__typeof__(all), strings) - sizeof all.header,
                   .str_off = offsetof(__typeof__(all), strings) - sizeof all.header,
                   .str_len = sizeof strings},
        .inner = {.info = 1u << 31 | BTF_KIND_STRUCT << 24 | 1, .size = 1},
        .reuse = {.name_off = MEMBER, .offset = 4 << 24 | 2},
        .sock = {.name_off = SOCK, .info = BTF_KIND_STRUCT << 24 | 1, .size = 8},
        .common = {.type = 1, .offset = 32},
    };
    memcpy(all.strings, strings, sizeof strings);
    const size_t size = sizeof all < room ? sizeof all : room;
    memcpy(data, &all, size);
    return size;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t room);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned int seed)
{
    if (size < sizeof(struct btf_header) || seed % 64 == 0) {
        size = write_description(data, room);
    }
    return LLVMFuzzerMutate(data, size, room);
}
