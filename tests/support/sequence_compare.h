/*
 * Two records of one sequence, without and with the shim, compared: what is the same, what the shim
 * is allowed, and what it is not.
 */
#ifndef LIBREUSE_TESTS_SEQUENCE_COMPARE_H
#define LIBREUSE_TESTS_SEQUENCE_COMPARE_H

#include "sequence.h"

#include <stdbool.h>

/* The two runs that are compared. */
enum { LEFT, RIGHT, SIDES };

enum likeness {
    SAME,
    ARMED,   /* the same, but for SO_REUSEADDR on sockets that listen or were accepted */
    RESCUED, /* EADDRINUSE on the left, success on the right: allowed if the holders allow it */
    DIFFERENT
};

struct difference {
    enum likeness likeness;
    uint32_t operation; /* the length of the sequence: after the last one */
    char text[256];     /* of RESCUED and DIFFERENT */
};

/* Makes it DIFFERENT, with a text. */
__attribute__((format(printf, 3, 4))) void
difference_set(struct difference *difference, uint32_t operation, const char *format, ...);

/* The first difference that is more than ARMED; a descriptor left open is more than RESCUED. */
struct difference difference_between(const struct sequence *sequence, const struct record *left,
                                     const struct record *right);

/* Makes a RESCUED difference DIFFERENT where the holders of the port do not justify it. */
void difference_judge(struct difference *difference, const struct record *record,
                      bool kernel_remembers_binding);

/* Whether SO_REUSEADDR may be so: the shim arms sockets that listen or were accepted. */
bool difference_may_be_armed(int32_t left, int32_t right, int32_t history);

/* A refusal of a port that became a success. */
bool difference_is_rescue(const struct operation *operation, const struct outcome *left,
                          const struct outcome *right);

/* "success", "EADDRINUSE". Returns `text`. */
const char *outcome_text(const struct outcome *outcome, char *text, size_t size);

#endif
