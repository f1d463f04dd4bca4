/*
 * The line writer. Each function is called once on every line that there can be: a buffer of any
 * size up to SIZE, filled up to any place that leaves room for the newline. As each function keeps
 * that, so does every sequence of them, however long.
 */
#include "prove.h"

#include "guest/line.c"

/* Every code path of the writer is taken with these: an escape has four bytes, a quote in a shell's
 * word four. */
enum { SIZE = 12, SMALL = 8, TEXT = 5, BYTES = 2, BUFFER = 2 * SIZE + 1 };

static struct bytes {
    char at[BUFFER];
} memory, before; /* before: what it had before the call */
static size_t length_before;

/* In memory with more bytes behind it, all of any value. */
static struct line any_line(size_t most)
{
    struct line line = {.text = memory.at, .size = nondet_size(), .length = nondet_size()};
    GIVEN(line.size > 0 && line.size <= most && line.length < line.size);
    __CPROVER_havoc_object(&memory);
    before = memory;
    length_before = line.length;
    return line;
}

/* Of so many bytes at most. */
static char *any_text(size_t most)
{
    static char text[TEXT + 1];
    __CPROVER_havoc_object(text);
    text[most] = '\0'; /* or before */
    return text;
}

/* Byte by byte, which is followed much faster than CBMC's own. */
void *memcpy(void *to, const void *from, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        ((char *)to)[i] = ((const char *)from)[i];
    }
    return to;
}

/* CBMC has none of its own: any answer that there can be, more than really are. */
size_t strspn(const char *text, const char *set)
{
    const size_t length = nondet_size();
    (void)set;
    GIVEN(length <= strlen(text));
    return length;
}

/* What is there stays, up to `end`, and so does all behind the buffer; the newline has its room. */
static void check(const struct line *line, size_t end)
{
    const size_t at = nondet_size();
    MUST(line->text == memory.at && line->length >= end && line->length < line->size);
    GIVEN(at < BUFFER && (at < end || at >= line->size));
    MUST(memory.at[at] == before.at[at]);
}

void prove_text(void)
{
    struct line line = any_line(SIZE);
    line_text(&line, any_text(TEXT));
    check(&line, length_before);
}

void prove_escaped(void)
{
    struct line line = any_line(SMALL);
    const size_t length = nondet_size();
    const size_t at = nondet_size();
    GIVEN(length <= BYTES);
    char bytes[BYTES];
    line_escaped(&line, bytes, length);
    if (at >= length_before && at < line.length) {
        MUST(line.text[at] >= ' ' && line.text[at] <= '~');
        MUST(line.text[at] != '"' || (at > length_before && line.text[at - 1] == '\\'));
    }
    check(&line, length_before);
}

void prove_shell_word(void)
{
    struct line line = any_line(SMALL);
    line_shell_word(&line, any_text(BYTES));
    check(&line, length_before);
}

void prove_escape_json(void)
{
    struct line line = any_line(SMALL);
    const size_t start = nondet_size();
    GIVEN(start <= line.length);
    line_escape_json(&line, start);
    bool is_escaped = false; /* the byte at i is, by the backslash before it */
    for (size_t i = start; i < line.length; i++) {
        MUST(line.text[i] != '"' || is_escaped);
        is_escaped = !is_escaped && line.text[i] == '\\';
    }
    MUST(!is_escaped);
    check(&line, start);
}

void prove_number(void)
{
    struct line line = any_line(2 * SIZE);
    line_number(&line, nondet_number());
    check(&line, length_before);
}

void prove_signed(void)
{
    struct line line = any_line(2 * SIZE);
    line_signed(&line, nondet_signed());
    check(&line, length_before);
}

void prove_hex(void)
{
    struct line line = any_line(SIZE);
    line_hex(&line, nondet_unsigned());
    check(&line, length_before);
}

void prove_seconds(void)
{
    struct line line = any_line(SIZE);
    line_seconds(&line, nondet_number());
    check(&line, length_before);
}

void prove_end(void)
{
    struct line line = any_line(SIZE);
    MUST(line_is_full(&line) == (line.length + 1 == line.size));
    line_end(&line);
    MUST(line.length == length_before + 1 && line.length <= line.size);
    MUST(line.text[line.length - 1] == '\n');
}
