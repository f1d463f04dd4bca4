/*
 * Reading text that may hold any bytes, piece by piece. Each function moves the cursor over what it
 * has read; what is not there is false. Async-signal-safe.
 */
#ifndef LIBREUSE_CURSOR_H
#define LIBREUSE_CURSOR_H

#include <stdbool.h>
#include <stdint.h>

struct cursor {
    const char *next;
    const char *end;
};

bool cursor_char(struct cursor *cursor, char c);

/* One or more. */
bool cursor_spaces(struct cursor *cursor);

/* As many digits as there are, 19 at most. */
bool cursor_decimal(struct cursor *cursor, uint64_t *number);

/* Upper-case hexadecimal: exactly so many digits, or as many as there are, 16 at most. */
bool cursor_hex(struct cursor *cursor, int digits, uint64_t *number);
bool cursor_any_hex(struct cursor *cursor, uint64_t *number);

#endif
