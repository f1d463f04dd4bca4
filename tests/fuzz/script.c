/*
 * Command lines, which every process can write over: what is found ends within its room, and is one
 * of the arguments or, where that is too long, ends as it does.
 */
#include "fuzz.h"

#include "lookup/script.h"

#include <stdbool.h>

static bool is_end_of_argument(const char *arguments, size_t size, const char *found)
{
    const size_t length = strlen(found);
    for (size_t start = 0; start < size; start += strnlen(arguments + start, size - start) + 1) {
        const size_t whole = strnlen(arguments + start, size - start);
        if (whole == length && memcmp(arguments + start, found, length) == 0) {
            return true;
        }
        if (whole > length && strncmp(found, "...", 3) == 0 &&
            memcmp(arguments + start + whole - (length - 3), found + 3, length - 3) == 0) {
            return true;
        }
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    const size_t room = 8 + data[0] % 64;
    char *script = malloc(room);
    MUST(script != NULL);
    script_find(script, room, (const char *)data + 1, size - 1);
    MUST(strnlen(script, room) < room);
    MUST(script[0] == '\0' || is_end_of_argument((const char *)data + 1, size - 1, script));
    free(script);
    return 0;
}
