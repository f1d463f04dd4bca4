#include "spelling.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { LONGEST = 31 };

static unsigned char least(unsigned char a, unsigned char b)
{
    return a < b ? a : b;
}

unsigned int spelling_distance(const char *one, const char *other)
{
    const size_t length = strnlen(other, LONGEST + 1);
    /* The distances of what is read of `one` to each beginning: now, and one and two letters ago.
     */
    unsigned char rows[3][LONGEST + 1];
    if (length > LONGEST || strnlen(one, LONGEST + 1) > LONGEST) {
        return SPELLING_FAR;
    }
    for (size_t i = 0; i <= length; i++) {
        rows[0][i] = (unsigned char)i;
    }
    size_t read = 0;
    for (; one[read] != '\0'; read++) {
        unsigned char *const now = rows[(read + 1) % 3];
        const unsigned char *const before = rows[read % 3];
        const unsigned char *const earlier = rows[(read + 2) % 3];
        now[0] = (unsigned char)(read + 1);
        for (size_t i = 1; i <= length; i++) {
            const bool is_same = one[read] == other[i - 1];
            now[i] = least((unsigned char)(before[i - 1] + (is_same ? 0 : 1)),
                           (unsigned char)(least(before[i], now[i - 1]) + 1));
            if (read > 0 && i > 1 && one[read] == other[i - 2] && one[read - 1] == other[i - 1]) {
                now[i] = least(now[i], (unsigned char)(earlier[i - 2] + 1));
            }
        }
    }
    return rows[read % 3][length];
}
