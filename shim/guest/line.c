#include "line.h"

#include <string.h>

/* Bytes that still fit, with one kept free for the newline. */
static size_t room(const struct line *line)
{
    return line->size - line->length - 1;
}

static void append(struct line *line, const char *bytes, size_t length)
{
    if (length > room(line)) {
        length = room(line);
    }
    memcpy(line->text + line->length, bytes, length);
    line->length += length;
}

void line_text(struct line *line, const char *text)
{
    append(line, text, strlen(text));
}

static bool is_unseen(unsigned char byte)
{
    return byte < ' ' || byte > '~';
}

static const char digits[] = "0123456789abcdef";

void line_escaped(struct line *line, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        char written[4] = {(char)byte};
        size_t size = 1;
        if (byte == '"' || byte == '\\') {
            written[0] = '\\';
            written[1] = (char)byte;
            size = 2;
        } else if (is_unseen(byte)) {
            written[0] = '\\';
            written[1] = 'x';
            written[2] = digits[byte >> 4];
            written[3] = digits[byte & 0xf];
            size = 4;
        }
        if (size > room(line)) {
            return; /* half an escape would mean something else */
        }
        append(line, written, size);
    }
}

static bool has_unseen(const char *text)
{
    while (*text != '\0' && !is_unseen((unsigned char)*text)) {
        text++;
    }
    return *text != '\0';
}

/* One byte within '...', or where some are not to be seen within $'...', as all later shells have
 * it. */
static void shell_byte(struct line *line, char byte, bool escapes)
{
    const char plain[] = {byte, '\0'};
    if (escapes && is_unseen((unsigned char)byte)) {
        line_escaped(line, &byte, 1);
    } else if (escapes && (byte == '\'' || byte == '\\')) {
        line_text(line, "\\");
        line_text(line, plain);
    } else {
        line_text(line, byte == '\'' ? "'\\''" : plain);
    }
}

void line_shell_word(struct line *line, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "@%+=:,./_-";
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        line_text(line, text);
        return;
    }
    const bool escapes = has_unseen(text);
    line_text(line, escapes ? "$'" : "'");
    for (; *text != '\0'; text++) {
        shell_byte(line, *text, escapes);
    }
    line_text(line, "'");
}

static size_t json_width(char byte)
{
    return byte == '"' || byte == '\\' ? 2 : 1;
}

/* In place: the text is moved apart from its end to its start. */
void line_escape_json(struct line *line, size_t start)
{
    size_t wide = 0;
    size_t end = start;
    while (end < line->length && wide + json_width(line->text[end]) <= line->size - 1 - start) {
        wide += json_width(line->text[end]);
        end++;
    }
    line->length = start + wide;
    for (size_t to = line->length; end > start;) {
        const char byte = line->text[--end];
        line->text[--to] = byte;
        if (json_width(byte) == 2) {
            line->text[--to] = '\\';
        }
    }
}

static void append_number(struct line *line, uint64_t number, unsigned int base)
{
    char written[20]; /* the digits of 2^64 */
    size_t start = sizeof written;
    do {
        written[--start] = digits[number % base];
        number /= base;
    } while (number > 0);
    append(line, written + start, sizeof written - start);
}

void line_number(struct line *line, uint64_t number)
{
    append_number(line, number, 10);
}

void line_signed(struct line *line, int64_t number)
{
    line_text(line, number < 0 ? "-" : "");
    line_number(line, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

void line_hex(struct line *line, unsigned int number)
{
    append_number(line, number, 16);
}

void line_seconds(struct line *line, uint64_t milliseconds)
{
    const unsigned int rest = (unsigned int)(milliseconds % 1000);
    const char decimals[] = {'.', digits[rest / 100], digits[rest / 10 % 10], digits[rest % 10]};
    line_number(line, milliseconds / 1000);
    append(line, decimals, sizeof decimals);
    line_text(line, " s");
}

bool line_is_full(const struct line *line)
{
    return room(line) == 0;
}

void line_end(struct line *line)
{
    line->text[line->length++] = '\n';
}
