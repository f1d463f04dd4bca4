/*
 * Whether libreuse.so can do its work in a service, by what systemd says of that: what a preload
 * cannot reach, and what the service's sandbox would take from it.
 */
#ifndef LIBREUSE_UNIT_CHECK_H
#define LIBREUSE_UNIT_CHECK_H

#include "program/library.h"
#include "terminal/output.h"
#include "unit.h"

#include <stddef.h>

/* Sentences for a person, without an end, about the unit: "its program ... is statically linked".
 */
struct sentences {
    char **list;
    size_t count;
};

OUTPUT_PRINTF(2, 3)
void add_sentence(struct sentences *sentences, const char *format, ...);

/* As an array. */
void sentences_json(const struct sentences *sentences, struct json *json, const char *name);
void sentences_free(struct sentences *sentences);

struct unit_check {
    struct sentences refusals; /* it would not work, or do harm */
    struct sentences notices;  /* it works, but should be known */
    char *preload;             /* LD_PRELOAD as it is to be written; NULL where it is refused */
};

/* The libraries must live as long. The caller frees it with unit_check_free(). */
void unit_check(struct unit_check *check, const struct unit *unit,
                const struct libraries *libraries);

/* The same for a variable of LIBREUSE_* that is to be written, too. */
void unit_check_variable(struct unit_check *check, const struct unit *unit, const char *name,
                         const char *value);

void unit_check_free(struct unit_check *check);

#endif
