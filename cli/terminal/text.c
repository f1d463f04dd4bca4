#include "text.h"

#include "guest/line.h"
#include "output.h"

#include <string.h>

bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

bool ends_with(const char *text, const char *end)
{
    const size_t length = strlen(text);
    return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

char *text_shell_word(const char *text)
{
    enum { WIDEST = 4, QUOTES = 5 }; /* of a byte; of the word, with its NUL and a newline's room */
    struct line line = {.size = strlen(text) * WIDEST + QUOTES};
    line.text = output_allocate(line.size, 1);
    line_shell_word(&line, text);
    return line.text;
}
