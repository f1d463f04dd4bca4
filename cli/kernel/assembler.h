/*
 * A small assembler for the kernel's BPF programs: a program is a constant table of steps, one
 * macro a step, with labels for its jumps. assemble() makes instructions of it and checks what a
 * person gets wrong; the kernel's verifier checks the rest.
 *
 *     enum { DONE };                              labels: numbers below LABELS
 *     static const struct step steps[] = {
 *         CALL(BPF_FUNC_get_current_pid_tgid),    the result is in R0; R1 to R5 are lost
 *         STORE64(R10, -8, R0),                   R10 - 512 to R10 is the stack
 *         MAP(R1, 0),                             the first of the maps given to assemble()
 *         SET(R2, R10),
 *         ADD_NUMBER(R2, -8),
 *         CALL(BPF_FUNC_map_lookup_elem),
 *         IF_EQUAL(R0, 0, DONE),
 *         ...
 *         LABEL(DONE),
 *         SET_NUMBER(R0, 0),
 *         EXIT,
 *     };
 *
 * Registers: R0 is a call's result and the program's; R1 to R5 are a call's arguments, and R1 at
 * the start is the context; R6 to R9 last over calls; R10 is the end of the stack, and cannot be
 * set. See Documentation/bpf/standardization/instruction-set.rst of the kernel.
 */
#ifndef LIBREUSE_ASSEMBLER_H
#define LIBREUSE_ASSEMBLER_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum step_kind {
    STEP_PLAIN,     /* one instruction, as it is */
    STEP_LABEL,     /* none: `number` is the place's name */
    STEP_JUMP,      /* to the label that `offset` is */
    STEP_MAP,       /* two: the address of map `number` */
    STEP_PARAMETER, /* with parameter `number` as the immediate number */
};

struct step {
    enum step_kind kind;
    uint8_t code;
    uint8_t to;
    uint8_t from;
    int16_t offset;
    int32_t number;
};

enum { R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 };
enum { LABELS = 64 };

#define STEP(kind_, code_, to_, from_, offset_, number_)                                           \
    {                                                                                              \
        .kind = (kind_), .code = (code_), .to = (to_), .from = (from_), .offset = (offset_),       \
        .number = (number_)                                                                        \
    }
#define PLAIN(code_, to_, from_, offset_, number_)                                                 \
    STEP(STEP_PLAIN, code_, to_, from_, offset_, number_)

/* Arithmetic, with 64 bits. A number has 32 bits and a sign. */
#define SET(to, from)                PLAIN(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
#define SET_NUMBER(to, value)        PLAIN(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value)
#define ADD(to, from)                PLAIN(BPF_ALU64 | BPF_ADD | BPF_X, to, from, 0, 0)
#define ADD_NUMBER(to, value)        PLAIN(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value)
#define SUBTRACT(to, from)           PLAIN(BPF_ALU64 | BPF_SUB | BPF_X, to, from, 0, 0)
#define AND_NUMBER(to, value)        PLAIN(BPF_ALU64 | BPF_AND | BPF_K, to, 0, 0, value)
#define AND(to, from)                PLAIN(BPF_ALU64 | BPF_AND | BPF_X, to, from, 0, 0)
#define OR(to, from)                 PLAIN(BPF_ALU64 | BPF_OR | BPF_X, to, from, 0, 0)
#define XOR(to, from)                PLAIN(BPF_ALU64 | BPF_XOR | BPF_X, to, from, 0, 0)
#define SHIFT_LEFT(to, bits)         PLAIN(BPF_ALU64 | BPF_LSH | BPF_K, to, 0, 0, bits)
#define SHIFT_RIGHT(to, bits)        PLAIN(BPF_ALU64 | BPF_RSH | BPF_K, to, 0, 0, bits)
#define SHIFT_RIGHT_SIGNED(to, bits) PLAIN(BPF_ALU64 | BPF_ARSH | BPF_K, to, 0, 0, bits)
#define TO_BIG_ENDIAN(to, bits)      PLAIN(BPF_ALU | BPF_END | BPF_TO_BE, to, 0, 0, bits)

/* Numbers that are known when the program is loaded: the table of parameters given to assemble().
 */
#define SET_PARAMETER(to, parameter)                                                               \
    STEP(STEP_PARAMETER, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, parameter)
#define ADD_PARAMETER(to, parameter)                                                               \
    STEP(STEP_PARAMETER, BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, parameter)

/* Memory at register + offset. Loads extend with zeros. */
#define LOAD64(to, from, offset)          PLAIN(BPF_LDX | BPF_MEM | BPF_DW, to, from, offset, 0)
#define LOAD32(to, from, offset)          PLAIN(BPF_LDX | BPF_MEM | BPF_W, to, from, offset, 0)
#define LOAD16(to, from, offset)          PLAIN(BPF_LDX | BPF_MEM | BPF_H, to, from, offset, 0)
#define LOAD8(to, from, offset)           PLAIN(BPF_LDX | BPF_MEM | BPF_B, to, from, offset, 0)
#define STORE64(to, offset, from)         PLAIN(BPF_STX | BPF_MEM | BPF_DW, to, from, offset, 0)
#define STORE32(to, offset, from)         PLAIN(BPF_STX | BPF_MEM | BPF_W, to, from, offset, 0)
#define STORE16(to, offset, from)         PLAIN(BPF_STX | BPF_MEM | BPF_H, to, from, offset, 0)
#define STORE8(to, offset, from)          PLAIN(BPF_STX | BPF_MEM | BPF_B, to, from, offset, 0)
#define STORE64_NUMBER(to, offset, value) PLAIN(BPF_ST | BPF_MEM | BPF_DW, to, 0, offset, value)
#define STORE32_NUMBER(to, offset, value) PLAIN(BPF_ST | BPF_MEM | BPF_W, to, 0, offset, value)

/* Adds a register to the number in memory, so that no other processor's addition is lost. */
#define ADD_IN_MEMORY64(to, offset, from) PLAIN(BPF_STX | BPF_XADD | BPF_DW, to, from, offset, 0)

/* Jumps. "Above" is without, "greater" with a sign. They go forwards only. */
#define LABEL(label)                STEP(STEP_LABEL, 0, 0, 0, 0, label)
#define GO(label)                   STEP(STEP_JUMP, BPF_JMP | BPF_JA, 0, 0, label, 0)
#define IF_EQUAL(reg, value, label) STEP(STEP_JUMP, BPF_JMP | BPF_JEQ | BPF_K, reg, 0, label, value)
#define IF_NOT_EQUAL(reg, value, label)                                                            \
    STEP(STEP_JUMP, BPF_JMP | BPF_JNE | BPF_K, reg, 0, label, value)
#define IF_ABOVE(reg, value, label) STEP(STEP_JUMP, BPF_JMP | BPF_JGT | BPF_K, reg, 0, label, value)
#define IF_GREATER(reg, value, label)                                                              \
    STEP(STEP_JUMP, BPF_JMP | BPF_JSGT | BPF_K, reg, 0, label, value)
#define IF_NOT_LESS(reg, value, label)                                                             \
    STEP(STEP_JUMP, BPF_JMP | BPF_JSGE | BPF_K, reg, 0, label, value)
#define IF_DIFFERENT(reg, other, label)                                                            \
    STEP(STEP_JUMP, BPF_JMP | BPF_JNE | BPF_X, reg, other, label, 0)
#define IF_SAME(reg, other, label) STEP(STEP_JUMP, BPF_JMP | BPF_JEQ | BPF_X, reg, other, label, 0)
#define IF_NOT_BELOW_REGISTER(reg, other, label)                                                   \
    STEP(STEP_JUMP, BPF_JMP | BPF_JGE | BPF_X, reg, other, label, 0)

#define MAP(to, map)   STEP(STEP_MAP, BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_FD, 0, map)
#define CALL(function) PLAIN(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define EXIT           PLAIN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

struct bpf_program {
    const char *name; /* at most 15 letters, digits and '_': bpftool shows it */
    const struct step *steps;
    size_t count;
};

/* The program of a table of steps. */
#define PROGRAM(name_, steps_)                                                                     \
    {                                                                                              \
        (name_), (steps_), sizeof(steps_) / sizeof((steps_)[0])                                    \
    }

/* What a program's steps name by number. */
struct names {
    const int *maps; /* descriptors */
    size_t map_count;
    const int32_t *parameters;
    size_t parameter_count;
};

/* The instructions, made in memory that the caller frees. */
struct instructions {
    struct bpf_insn *list;
    size_t count;
};

/*
 * Makes instructions of a program. False where it is wrong (a label that is missing, there twice,
 * or behind its jump; a register, map or parameter that there is not; no EXIT at the end): `*why`
 * says so and where, and the caller frees it.
 */
bool assemble(const struct bpf_program *program, const struct names *names,
              struct instructions *instructions, char **why);

#endif
