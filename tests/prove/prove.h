/*
 * What the proofs have in common. CBMC follows every path at once: a function without a body whose
 * name begins with nondet_ gives every value of its type, GIVEN() leaves those for which it holds,
 * and MUST() holds for all that are left, or there is an example.
 */
#ifndef LIBREUSE_TESTS_PROVE_H
#define LIBREUSE_TESTS_PROVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define GIVEN(claim) __CPROVER_assume(claim)
#define MUST(claim)  __CPROVER_assert(claim, #claim)

size_t nondet_size(void);
unsigned int nondet_unsigned(void);
int nondet_int(void);
int64_t nondet_signed(void);
uint64_t nondet_number(void);
bool nondet_bool(void);
char nondet_char(void);

#endif
