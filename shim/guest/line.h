/*
 * One line of text, put together piece by piece in a buffer of fixed size. What does not fit is
 * left out; the line end always fits. Async-signal-safe; no stdio, no locale.
 */
#ifndef LIBREUSE_LINE_H
#define LIBREUSE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest line in bytes, its end included. No more than PIPE_BUF, so that it is written whole.
 */
enum { LINE_SIZE = 1024 };

struct line {
    char *text; /* the caller's buffer */
    size_t size;
    size_t length;
};

/* Appends a text of our own, as it is. */
void line_text(struct line *line, const char *text);

/* Appends somebody else's bytes: quotes, backslashes and all but printable ASCII are escaped. */
void line_escaped(struct line *line, const char *bytes, size_t length);

/*
 * Appends somebody else's text as one word of a command that a person may copy into a shell: as it
 * is where no byte of it means something there, else quoted.
 */
void line_shell_word(struct line *line, const char *text);

/*
 * Escapes what was appended from `start` on, printable ASCII, as the inside of a JSON string. What
 * does not fit then is cut off at the end.
 */
void line_escape_json(struct line *line, size_t start);

/* Appends a number, in decimal or in lower-case hexadecimal. */
void line_number(struct line *line, uint64_t number);
void line_hex(struct line *line, unsigned int number);

/* Appends a number that may be negative, in decimal. */
void line_signed(struct line *line, int64_t number);

/* Appends milliseconds as seconds with three decimals: 1.250 s. */
void line_seconds(struct line *line, uint64_t milliseconds);

/* Whether something may have been left out. */
bool line_is_full(const struct line *line);

/* Ends the line with a newline, for which room is always kept. */
void line_end(struct line *line);

#endif
