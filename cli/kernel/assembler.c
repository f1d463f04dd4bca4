#include "assembler.h"

#include "terminal/output.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>

enum { SLOTS_OF_MAP = 2 };
#define REGISTER_BITS 0xfu

struct assembly {
    const struct bpf_program *program;
    const struct names *names;
    size_t places[LABELS]; /* of each label, in instructions; UNPLACED */
    size_t at;             /* the step that is looked at */
    const char *mistake;   /* NULL while there is none */
};

#define UNPLACED SIZE_MAX

static bool is_wrong(struct assembly *assembly, bool wrong, const char *mistake)
{
    if (wrong && assembly->mistake == NULL) {
        assembly->mistake = mistake;
    }
    return assembly->mistake != NULL;
}

static size_t slots(const struct step *step)
{
    return step->kind == STEP_LABEL ? 0 : step->kind == STEP_MAP ? SLOTS_OF_MAP : 1;
}

/* Finds where the labels are. The result is the number of instructions. */
static size_t place_labels(struct assembly *assembly)
{
    size_t place = 0;
    for (size_t i = 0; i < LABELS; i++) {
        assembly->places[i] = UNPLACED;
    }
    for (assembly->at = 0; assembly->at < assembly->program->count; assembly->at++) {
        const struct step *step = &assembly->program->steps[assembly->at];
        if (step->kind == STEP_LABEL) {
            const size_t label = (size_t)step->number;
            if (is_wrong(assembly, label >= LABELS, "there is no label of such a number") ||
                is_wrong(assembly, assembly->places[label] != UNPLACED,
                         "the label is there twice")) {
                break;
            }
            assembly->places[label] = place;
        }
        place += slots(step);
    }
    return place;
}

/* Whether the step writes the register that it names first. */
static bool sets_register(const struct step *step)
{
    switch (BPF_CLASS(step->code)) {
    case BPF_ALU:
    case BPF_ALU64:
    case BPF_LDX:
    case BPF_LD:
        return true;
    default:
        return false;
    }
}

static int16_t jump_from(struct assembly *assembly, const struct step *step, size_t place)
{
    const size_t label = (size_t)step->offset;
    if (is_wrong(assembly, label >= LABELS || assembly->places[label] == UNPLACED,
                 "it jumps to a label that is not there")) {
        return 0;
    }
    const size_t target = assembly->places[label];
    is_wrong(assembly, target <= place, "it jumps backwards");
    is_wrong(assembly, target > place + INT16_MAX, "it jumps too far");
    return assembly->mistake == NULL ? (int16_t)(target - place - 1) : 0;
}

static int32_t number_of(struct assembly *assembly, const struct step *step)
{
    const struct names *names = assembly->names;
    const size_t index = (size_t)step->number;
    switch (step->kind) {
    case STEP_MAP:
        return is_wrong(assembly, index >= names->map_count, "there is no such map")
                   ? 0
                   : names->maps[index];
    case STEP_PARAMETER:
        return is_wrong(assembly, index >= names->parameter_count, "there is no such parameter")
                   ? 0
                   : names->parameters[index];
    default:
        return step->number;
    }
}

static void translate(struct assembly *assembly, struct bpf_insn *list)
{
    size_t place = 0;
    for (assembly->at = 0; assembly->at < assembly->program->count; assembly->at++) {
        const struct step *step = &assembly->program->steps[assembly->at];
        if (step->kind == STEP_LABEL) {
            continue;
        }
        is_wrong(assembly, step->to > R10 || step->from > R10, "there is no such register");
        is_wrong(assembly, sets_register(step) && step->to == R10, "R10 cannot be set");
        struct bpf_insn *instruction = &list[place];
        instruction->code = step->code;
        const unsigned int to = step->to;
        const unsigned int from = step->from;
        instruction->dst_reg = to & REGISTER_BITS;
        instruction->src_reg = from & REGISTER_BITS;
        instruction->off =
            step->kind == STEP_JUMP ? jump_from(assembly, step, place) : step->offset;
        instruction->imm = number_of(assembly, step);
        place += slots(step);
        if (assembly->mistake != NULL) {
            return;
        }
    }
}

static bool ends_with_exit(const struct bpf_program *program)
{
    return program->count > 0 && program->steps[program->count - 1].code == (BPF_JMP | BPF_EXIT);
}

bool assemble(const struct bpf_program *program, const struct names *names,
              struct instructions *instructions, char **why)
{
    struct assembly assembly = {.program = program, .names = names};
    *instructions = (struct instructions){.count = place_labels(&assembly)};
    if (assembly.mistake == NULL) {
        instructions->list = output_allocate(instructions->count, sizeof instructions->list[0]);
        translate(&assembly, instructions->list);
    }
    is_wrong(&assembly, !ends_with_exit(program), "it does not end with EXIT");
    if (assembly.mistake == NULL) {
        return true;
    }
    free(instructions->list);
    *instructions = (struct instructions){0};
    *why =
        output_format("BPF program %s, step %zu: %s", program->name, assembly.at, assembly.mistake);
    return false;
}
