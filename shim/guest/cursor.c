#include "cursor.h"

bool cursor_char(struct cursor *cursor, char c)
{
    if (cursor->next == cursor->end || *cursor->next != c) {
        return false;
    }
    cursor->next++;
    return true;
}

bool cursor_spaces(struct cursor *cursor)
{
    bool any = false;
    while (cursor_char(cursor, ' ')) {
        any = true;
    }
    return any;
}

/* 16 for what is no digit. */
static unsigned int digit_of(char c)
{
    if (c >= '0' && c <= '9') {
        return (unsigned int)(c - '0');
    }
    return c >= 'A' && c <= 'F' ? (unsigned int)(c - 'A' + 10) : 16;
}

/* The result is how many digits there were, of at most so many. */
static int read_number(struct cursor *cursor, unsigned int base, int most_digits, uint64_t *number)
{
    *number = 0;
    int digits = 0;
    while (digits < most_digits && cursor->next < cursor->end && digit_of(*cursor->next) < base) {
        *number = *number * base + digit_of(*cursor->next++);
        digits++;
    }
    return digits;
}

/* The most digits that fit into 64 bits, whichever they are. */
enum { DECIMAL_DIGITS = 19, HEX_DIGITS = 16 };

bool cursor_decimal(struct cursor *cursor, uint64_t *number)
{
    return read_number(cursor, 10, DECIMAL_DIGITS, number) > 0;
}

bool cursor_hex(struct cursor *cursor, int digits, uint64_t *number)
{
    return read_number(cursor, 16, digits, number) == digits;
}

bool cursor_any_hex(struct cursor *cursor, uint64_t *number)
{
    return read_number(cursor, 16, HEX_DIGITS, number) > 0;
}
