/*
 * What the libreuse command writes: errors, coloured words, aligned tables, and JSON.
 *
 * Text that came from somebody else (paths, program names, environment variables) is made safe to
 * show: in tables and errors control bytes and invalid UTF-8 become \xNN, in JSON they are escaped
 * as RFC 8259 asks. Text that the command itself writes with printf(3) goes through
 * output_printable() first.
 */
#ifndef LIBREUSE_OUTPUT_H
#define LIBREUSE_OUTPUT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OUTPUT_PRINTF(text, first) __attribute__((format(printf, text, first)))

/*
 * Writes "libreuse: MESSAGE" and a newline to standard error. The message names the thing, the
 * reason and the next step: "PROGRAM: is statically linked; ...". The whole message is made
 * printable, so what it quotes need not be, and on a terminal in lines as wide as that. errno is
 * kept.
 */
OUTPUT_PRINTF(1, 2) void output_error(const char *format, ...);

/*
 * Ends the output: flushes standard output. Where something could not be written (a full disk, a
 * closed pipe), says so and returns STATUS_REFUSED, else the given status.
 */
int output_finish(int status);

/* How a word looks on a terminal. Elsewhere, and where NO_COLOR is set, all look the same. */
enum tone { TONE_PLAIN, TONE_GOOD, TONE_WARNING, TONE_BAD, TONE_FAINT, TONE_HEADING };

/* Writes to standard output, in that tone. */
OUTPUT_PRINTF(2, 3) void output_text(enum tone tone, const char *format, ...);

/* Writes a line to standard output, made printable as a whole, like an error. */
OUTPUT_PRINTF(1, 2) void output_line(const char *format, ...);

/*
 * malloc(3)'s memory, zeroed where it is new; where there is none, the process ends with an error.
 * The caller frees it. output_format() is asprintf(3), output_format_list() vasprintf(3),
 * output_printable() a copy of a text that is safe to show.
 */
void *output_allocate(size_t count, size_t size);
void *output_reallocate(void *memory, size_t count, size_t size);
OUTPUT_PRINTF(1, 2) char *output_format(const char *format, ...);
OUTPUT_PRINTF(1, 0) char *output_format_list(const char *format, va_list arguments);
char *output_printable(const char *text);

/*
 * A table: columns as wide as their widest cell, two blanks between them, no blanks at line ends.
 * Cells are copied. Used like this:
 *
 *     struct table *table = table_create(3);
 *     table_cell(table, TONE_HEADING, "PORT");          fills rows from left to right
 *     table_align_right(table, 0);                      numbers
 *     ...
 *     table_print_and_free(table);
 */
struct table;

struct table *table_create(size_t columns);
void table_align_right(struct table *table, size_t column);

/* A column that is left out, heading and all, where it has nothing below the heading. */
void table_make_optional(struct table *table, size_t column);

OUTPUT_PRINTF(3, 4) void table_cell(struct table *table, enum tone tone, const char *format, ...);
void table_print_and_free(struct table *table);

/*
 * JSON to standard output, indented by two blanks, ended by a newline. `name` is the member's name
 * within an object, and NULL within an array and at the top. json_string() takes NULL for null.
 *
 *     struct json json = {0};
 *     json_open_object(&json, NULL);
 *     json_string(&json, "program", path);
 *     json_open_array(&json, "listeners");
 *     ...
 *     json_close(&json);     the innermost object or array that is open
 *     json_close(&json);
 */
enum { JSON_DEPTH = 16 };

struct json {
    unsigned int depth;
    bool is_array[JSON_DEPTH];
    bool has_members[JSON_DEPTH];
};

void json_open_object(struct json *json, const char *name);
void json_open_array(struct json *json, const char *name);
void json_close(struct json *json);
void json_string(struct json *json, const char *name, const char *value);
void json_number(struct json *json, const char *name, int64_t value);
void json_boolean(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);

/* true, false; null for a negative value, which is not known. */
void json_ternary(struct json *json, const char *name, int value);

#endif
