/* cli/kernel/btf.h: the kernel's description of its types, made by hand here. */
#include "kernel/btf.h"

#include <criterion/criterion.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_OUTER = 1, NAME_PLAIN = 7, NAME_INNER = 13, NAME_FLAG = 19 };
static const char names[] = "\0outer\0plain\0inner\0flag";

#define INFO(kind, fields, parts) ((uint32_t)(fields) << 31 | (uint32_t)(kind) << 24 | (parts))

/* struct outer { int plain; union { int inner; }; unsigned char : 5, flag : 1; } */
static const uint32_t types[] = {
    0,
    INFO(BTF_KIND_INT, 0, 0),
    4,
    32, /* 1 */
    0,
    INFO(BTF_KIND_UNION, 0, 1),
    4,
    NAME_INNER,
    1,
    0, /* 2 */
    NAME_OUTER,
    INFO(BTF_KIND_STRUCT, 1, 3),
    9,
    NAME_PLAIN,
    1,
    0,
    0,
    2,
    32, /* 3 */
    NAME_FLAG,
    1,
    1u << 24 | (64 + 5),
};

static unsigned char *made(size_t *length)
{
    const struct btf_header header = {.magic = BTF_MAGIC,
                                      .version = BTF_VERSION,
                                      .hdr_len = sizeof header,
                                      .type_len = sizeof types,
                                      .str_off = sizeof types,
                                      .str_len = sizeof names};
    *length = sizeof header + sizeof types + sizeof names;
    unsigned char *bytes = malloc(*length);
    cr_assert_not_null(bytes);
    memcpy(bytes, &header, sizeof header);
    memcpy(bytes + sizeof header, types, sizeof types);
    memcpy(bytes + sizeof header + sizeof types, names, sizeof names);
    return bytes;
}

static void expect_place(const struct btf *btf, const char *member, uint32_t offset, uint32_t bit,
                         uint32_t bits)
{
    struct btf_place place;
    cr_assert(btf_find(btf, "outer", member, &place), "%s is not found", member);
    cr_expect_eq(place.offset, offset, "%s is at %u", member, place.offset);
    cr_expect_eq(place.bit, bit, "%s is at bit %u", member, place.bit);
    cr_expect_eq(place.bits, bits, "%s has %u bits", member, place.bits);
}

Test(btf, a_member_is_found_where_it_is_in_a_union_without_a_name_and_as_a_bit_field)
{
    struct btf btf;
    size_t length;
    unsigned char *bytes = made(&length);
    cr_assert(btf_parse(&btf, bytes, length));
    expect_place(&btf, "plain", 0, 0, 0);
    expect_place(&btf, "inner", 4, 0, 0);
    expect_place(&btf, "flag", 8, 5, 1);
    btf_free(&btf);
}

Test(btf, what_is_not_there_is_not_found)
{
    struct btf btf;
    struct btf_place place;
    size_t length;
    unsigned char *bytes = made(&length);
    cr_assert(btf_parse(&btf, bytes, length));
    cr_expect_not(btf_find(&btf, "outer", "other", &place));
    cr_expect_not(btf_find(&btf, "other", "plain", &place));
    btf_free(&btf);
}

Test(btf, a_description_that_is_cut_anywhere_is_refused)
{
    size_t length;
    free(made(&length));
    for (size_t cut = 0; cut < length; cut++) {
        struct btf btf;
        unsigned char *bytes = made(&length);
        cr_expect_not(btf_parse(&btf, bytes, cut), "cut to %zu of %zu bytes", cut, length);
        btf_free(&btf);
    }
}
