/*
 * The facts of an event by name, for machines: JSON and the journal. Those that an event does not
 * have are left out.
 */
#ifndef LIBREUSE_FIELDS_H
#define LIBREUSE_FIELDS_H

#include "explain/event.h"
#include "guest/line.h"

#include <stdbool.h>
#include <stddef.h>

struct field {
    const char *json;    /* NULL: of the journal only */
    const char *journal; /* NULL: the journal knows it by itself, or by another name */
    bool is_bare;        /* a number, or true: without quotes in JSON */
    bool (*is_there)(const struct event *event);
    void (*write)(struct line *line, const struct event *event);
};

extern const struct field fields[];
extern const size_t fields_count;

#endif
