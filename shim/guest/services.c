#include "services.h"

#include "cursor.h"
#include "kernel.h"

#include <stdbool.h>
#include <string.h>

/* Moves over the next word, which ends at a blank. False at the end of the line, or of its text. */
static bool next_word(struct cursor *cursor, struct cursor *word)
{
    while (cursor_char(cursor, ' ') || cursor_char(cursor, '\t')) {
    }
    word->next = cursor->next;
    while (cursor->next < cursor->end && strchr(" \t#", *cursor->next) == NULL) {
        cursor->next++;
    }
    word->end = cursor->next;
    return word->next < word->end;
}

static bool is_word(const struct cursor *word, const char *text, size_t length)
{
    return (size_t)(word->end - word->next) == length && memcmp(word->next, text, length) == 0;
}

/* http 80/tcp www */
static unsigned int port_in(struct cursor line, const char *name, size_t length)
{
    struct cursor word;
    uint64_t port;
    bool is_it = next_word(&line, &word) && is_word(&word, name, length);
    if (!next_word(&line, &word) || !cursor_decimal(&word, &port) || port > 65535 ||
        !is_word(&word, "/tcp", strlen("/tcp"))) {
        return 0;
    }
    while (!is_it && next_word(&line, &word)) {
        is_it = is_word(&word, name, length);
    }
    return is_it ? (unsigned int)port : 0;
}

/* A part of the file: its whole lines are searched, and what is left of it stays. */
struct part {
    char text[512]; /* longer lines are none of a service */
    size_t length;
};

static unsigned int port_in_lines(struct part *part, const char *name, size_t length)
{
    unsigned int port = 0;
    char *line = part->text;
    char *const end = part->text + part->length;
    for (char *newline; port == 0 && (newline = memchr(line, '\n', (size_t)(end - line))) != NULL;
         line = newline + 1) {
        port = port_in((struct cursor){line, newline}, name, length);
    }
    part->length =
        line == part->text && part->length == sizeof part->text ? 0 : (size_t)(end - line);
    memmove(part->text, line, part->length);
    return port;
}

unsigned int services_port(const char *name, size_t length)
{
    struct part part = {.length = 0};
    unsigned int port = 0;
    const int fd = kernel_open("/etc/services");
    if (fd < 0) {
        return 0;
    }
    for (long more; port == 0 && (more = kernel_read(fd, part.text + part.length,
                                                     sizeof part.text - part.length)) > 0;) {
        part.length += (size_t)more;
        port = port_in_lines(&part, name, length);
    }
    kernel_close(fd);
    return port;
}
