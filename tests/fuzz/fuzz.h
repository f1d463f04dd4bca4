/*
 * What the fuzz targets have in common: a claim that must hold whatever the input is, and numbers
 * taken from the input.
 */
#ifndef LIBREUSE_TESTS_FUZZ_H
#define LIBREUSE_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Called by libFuzzer for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(claim)                                                                                \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%s:%d: this does not hold: %s\n", __FILE__, __LINE__, #claim);        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct input {
    const uint8_t *next;
    size_t left;
};

/* Fills `size` bytes; with zeros, where there is no input any more. */
static inline void input_bytes(struct input *input, void *to, size_t size)
{
    const size_t there = size < input->left ? size : input->left;
    memset(to, 0, size);
    if (there > 0) {
        memcpy(to, input->next, there);
        input->next += there;
        input->left -= there;
    }
}

/* A number below `end`. */
static inline unsigned int input_below(struct input *input, unsigned int end)
{
    uint32_t number;
    input_bytes(input, &number, sizeof number);
    return number % end;
}

#endif
