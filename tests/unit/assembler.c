#include "kernel/assembler.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const int maps[] = {7};
static const int32_t parameters[] = {4711};
static const struct names names = {maps, 1, parameters, 1};

/* Asserts that a program of these steps is refused, with a text that has these words. */
static void expect_mistake(const struct step *steps, size_t count, const char *words)
{
    const struct bpf_program program = {"wrong", steps, count};
    struct instructions instructions;
    char *why = NULL;
    cr_assert_not(assemble(&program, &names, &instructions, &why), "was not refused: %s", words);
    cr_assert_not_null(strstr(why, words), "\"%s\" does not say \"%s\"", why, words);
    cr_assert_not_null(strstr(why, "wrong"), "\"%s\" does not name the program", why);
    cr_assert_null(instructions.list);
    free(why);
}

#define EXPECT_MISTAKE(words, ...)                                                                 \
    expect_mistake((const struct step[]){__VA_ARGS__},                                             \
                   sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step), words)

Test(assembler, a_jump_passes_over_what_stands_between_it_and_its_label)
{
    enum { END };
    static const struct step steps[] = {
        IF_EQUAL(R1, 5, END), MAP(R1, 0), SET(R0, R1), LABEL(END), EXIT,
    };
    static const struct bpf_program program = PROGRAM("jumps", steps);
    struct instructions instructions;
    char *why = NULL;
    cr_assert(assemble(&program, &names, &instructions, &why), "%s", why);
    cr_assert_eq(instructions.count, 5, "a map takes two, a label none");
    cr_expect_eq(instructions.list[0].off, 3);
    cr_expect_eq(instructions.list[0].dst_reg, 1);
    cr_expect_eq(instructions.list[0].imm, 5);
    free(instructions.list);
}

Test(assembler, maps_and_parameters_are_put_in_by_number)
{
    static const struct step steps[] = {MAP(R3, 0), SET_PARAMETER(R4, 0), EXIT};
    static const struct bpf_program program = PROGRAM("numbers", steps);
    struct instructions instructions;
    char *why = NULL;
    cr_assert(assemble(&program, &names, &instructions, &why), "%s", why);
    cr_expect_eq(instructions.list[0].src_reg, BPF_PSEUDO_MAP_FD);
    cr_expect_eq(instructions.list[0].dst_reg, 3);
    cr_expect_eq(instructions.list[0].imm, 7);
    cr_expect_eq(instructions.list[1].imm, 0);
    cr_expect_eq(instructions.list[2].dst_reg, 4);
    cr_expect_eq(instructions.list[2].imm, 4711);
    free(instructions.list);
}

Test(assembler, what_is_wrong_with_a_program_is_said)
{
    EXPECT_MISTAKE("a label that is not there", GO(1), EXIT);
    EXPECT_MISTAKE("backwards", LABEL(1), SET_NUMBER(R0, 0), GO(1), EXIT);
    EXPECT_MISTAKE("twice", LABEL(1), SET_NUMBER(R0, 0), LABEL(1), EXIT);
    EXPECT_MISTAKE("no label of such a number", LABEL(LABELS), EXIT);
    EXPECT_MISTAKE("no such map", MAP(R1, 1), EXIT);
    EXPECT_MISTAKE("no such parameter", ADD_PARAMETER(R1, 1), EXIT);
    EXPECT_MISTAKE("no such register", SET(R0, R10 + 1), EXIT);
    EXPECT_MISTAKE("R10 cannot be set", ADD_NUMBER(R10, -8), EXIT);
    EXPECT_MISTAKE("does not end with EXIT", SET_NUMBER(R0, 0));
}
