#include "output.h"

#include "exit_status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void out_of_memory(void)
{
    static const char message[] = "libreuse: there is not enough memory\n";
    const ssize_t ignored = write(STDERR_FILENO, message, sizeof message - 1);
    (void)ignored;
    _exit(STATUS_REFUSED);
}

void *output_allocate(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);
    if (memory == NULL) {
        out_of_memory();
    }
    return memory;
}

void *output_reallocate(void *memory, size_t count, size_t size)
{
    void *larger = reallocarray(memory, count, size);
    if (larger == NULL) {
        out_of_memory();
    }
    return larger;
}

char *output_format_list(const char *format, va_list arguments)
{
    char *text;
    if (vasprintf(&text, format, arguments) < 0) {
        out_of_memory();
    }
    return text;
}

char *output_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = output_format_list(format, arguments);
    va_end(arguments);
    return text;
}

/* The bytes of the UTF-8 character (RFC 3629) that a text begins with; 0 where it is none. */
static size_t character_length(const unsigned char *text)
{
    static const struct {
        unsigned char first, last;               /* of the first byte */
        unsigned char second_first, second_last; /* of the second one */
        size_t length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (text[0] < forms[i].first || text[0] > forms[i].last) {
            continue;
        }
        const size_t length = forms[i].length;
        size_t good = 1;
        if (length > 1 && text[1] >= forms[i].second_first && text[1] <= forms[i].second_last) {
            good = 2;
            while (good < length && (text[good] & 0xc0) == 0x80) {
                good++;
            }
        }
        return good == length ? length : 0;
    }
    return 0;
}

/* Whether a terminal would take the character for an order: the C0 and C1 sets, and DEL. */
static bool is_control(const unsigned char *character)
{
    return character[0] < ' ' || character[0] == 0x7f ||
           (character[0] == 0xc2 && character[1] < 0xa0);
}

char *output_printable(const char *text)
{
    enum { ESCAPED = sizeof "\\xNN" - 1 };
    char *printable = output_allocate(strlen(text) * ESCAPED + 1, 1);
    char *to = printable;
    const unsigned char *from = (const unsigned char *)text;
    while (*from != '\0') {
        const size_t length = character_length(from);
        if (length > 0 && !is_control(from)) {
            memcpy(to, from, length);
            to += length;
            from += length;
        } else {
            to += sprintf(to, "\\x%02x", (unsigned int)*from++);
        }
    }
    *to = '\0';
    return printable;
}

/* The columns of the terminal that a printable text takes: one a character. */
static size_t width(const char *text)
{
    size_t characters = 0;
    for (; *text != '\0'; text++) {
        characters += (*text & 0xc0) != 0x80;
    }
    return characters;
}

/* How wide standard error is; 0 where it is no terminal, whose lines nobody is to break. */
static size_t error_columns(void)
{
    struct winsize size;
    return isatty(STDERR_FILENO) && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* Writes a printable message, on a terminal in lines that end between two words. */
static void print_error(const char *message)
{
    static const char start[] = "libreuse:";
    enum { NARROWEST = 40, INDENT = 4 };
    const size_t columns = error_columns();
    size_t at = sizeof start - 1;
    fputs(start, stderr);
    while (*message != '\0') {
        const size_t length = strcspn(message, " ");
        char *word = output_format("%.*s", (int)length, message);
        if (columns >= NARROWEST && at > INDENT && at + 1 + width(word) > columns) {
            fprintf(stderr, "\n%*s%s", INDENT, "", word);
            at = INDENT + width(word);
        } else {
            fprintf(stderr, " %s", word);
            at += 1 + width(word);
        }
        free(word);
        message += length + (message[length] == ' ');
    }
    fputc('\n', stderr);
}

void output_error(const char *format, ...)
{
    const int error = errno;
    va_list arguments;
    va_start(arguments, format);
    char *message = output_format_list(format, arguments);
    va_end(arguments);
    char *printable = output_printable(message);
    fflush(stdout); /* in the order in which things were said */
    print_error(printable);
    free(printable);
    free(message);
    errno = error;
}

void output_line(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *line = output_format_list(format, arguments);
    va_end(arguments);
    char *printable = output_printable(line);
    printf("%s\n", printable);
    free(printable);
    free(line);
}

int output_finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return status;
    }
    output_error("standard output: %s; a part of what was to be said is missing", strerror(errno));
    return STATUS_REFUSED;
}

static bool in_colour(void)
{
    static int answer = -1;
    if (answer < 0) {
        const char *no_colour = getenv("NO_COLOR");
        const char *terminal = getenv("TERM");
        answer = isatty(STDOUT_FILENO) && (no_colour == NULL || no_colour[0] == '\0') &&
                 terminal != NULL && strcmp(terminal, "dumb") != 0;
    }
    return answer > 0;
}

/* SGR sequences, ECMA-48: the sixteen colours that the user has chosen. */
static const char *tone_start(enum tone tone)
{
    static const char *const sequences[] = {
        [TONE_PLAIN] = "",       [TONE_GOOD] = "\033[32m", [TONE_WARNING] = "\033[33m",
        [TONE_BAD] = "\033[31m", [TONE_FAINT] = "\033[2m", [TONE_HEADING] = "\033[1m",
    };
    return in_colour() ? sequences[tone] : "";
}

static const char *tone_end(enum tone tone)
{
    return in_colour() && tone != TONE_PLAIN ? "\033[m" : "";
}

void output_text(enum tone tone, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs(tone_start(tone), stdout);
    vprintf(format, arguments);
    fputs(tone_end(tone), stdout);
    va_end(arguments);
}

struct cell {
    char *text;
    enum tone tone;
};

struct table {
    size_t columns;
    size_t filled; /* cells */
    size_t room;
    struct cell *cells;
    bool *align_right;
    bool *optional;
};

struct table *table_create(size_t columns)
{
    struct table *table = output_allocate(1, sizeof *table);
    table->columns = columns;
    table->align_right = output_allocate(columns, sizeof table->align_right[0]);
    table->optional = output_allocate(columns, sizeof table->optional[0]);
    return table;
}

void table_align_right(struct table *table, size_t column)
{
    table->align_right[column] = true;
}

void table_make_optional(struct table *table, size_t column)
{
    table->optional[column] = true;
}

void table_cell(struct table *table, enum tone tone, const char *format, ...)
{
    if (table->filled == table->room) {
        table->room = table->room > 0 ? table->room * 2 : 64;
        table->cells = output_reallocate(table->cells, table->room, sizeof table->cells[0]);
    }
    va_list arguments;
    va_start(arguments, format);
    char *text = output_format_list(format, arguments);
    va_end(arguments);
    table->cells[table->filled++] = (struct cell){output_printable(text), tone};
    free(text);
}

static void print_blanks(size_t count)
{
    while (count-- > 0) {
        putchar(' ');
    }
}

static void print_row(const struct table *table, size_t first, const size_t *widths)
{
    enum { GAP = 2 };
    size_t owed = 0; /* blanks that stand before the next text, if there is one */
    for (size_t i = 0; i < table->columns && first + i < table->filled; i++) {
        const struct cell *cell = &table->cells[first + i];
        if (table->optional[i]) {
            continue;
        }
        const size_t padding = widths[i] - width(cell->text);
        owed += table->align_right[i] ? padding : 0;
        if (cell->text[0] != '\0') {
            print_blanks(owed);
            output_text(cell->tone, "%s", cell->text);
            owed = 0;
        }
        owed += (table->align_right[i] ? 0 : padding) + GAP;
    }
    putchar('\n');
}

void table_print_and_free(struct table *table)
{
    size_t *widths = output_allocate(table->columns, sizeof widths[0]);
    for (size_t i = 0; i < table->filled; i++) {
        const size_t wide = width(table->cells[i].text);
        size_t *column = &widths[i % table->columns];
        *column = wide > *column ? wide : *column;
    }
    for (size_t i = table->columns; i < table->filled; i++) {
        if (table->cells[i].text[0] != '\0') {
            table->optional[i % table->columns] = false; /* it is needed */
        }
    }
    for (size_t i = 0; i < table->filled; i += table->columns) {
        print_row(table, i, widths);
    }
    for (size_t i = 0; i < table->filled; i++) {
        free(table->cells[i].text);
    }
    free(widths);
    free(table->cells);
    free(table->align_right);
    free(table->optional);
    free(table);
}

static void json_quoted(const char *text)
{
    const unsigned char *from = (const unsigned char *)text;
    putchar('"');
    while (*from != '\0') {
        const size_t length = character_length(from);
        if (length == 0) {
            fputs("\xef\xbf\xbd", stdout); /* U+FFFD: JSON has no way to say a lone byte */
            from++;
        } else if (is_control(from)) {
            const unsigned int code = length == 1 ? from[0] : from[1]; /* U+0080 is C2 80 */
            printf("\\u%04x", code);
            from += length;
        } else {
            if (*from == '"' || *from == '\\') {
                putchar('\\');
            }
            fwrite(from, 1, length, stdout);
            from += length;
        }
    }
    putchar('"');
}

static void json_indent(unsigned int depth)
{
    putchar('\n');
    print_blanks(2 * (size_t)depth);
}

/* What stands before a value: the comma after its elder, its place, its name. */
static void json_begin_value(struct json *json, const char *name)
{
    if (json->depth > 0) {
        bool *has_members = &json->has_members[json->depth - 1];
        if (*has_members) {
            putchar(',');
        }
        *has_members = true;
        json_indent(json->depth);
    }
    if (name != NULL) {
        json_quoted(name);
        fputs(": ", stdout);
    }
}

static void json_open(struct json *json, const char *name, bool is_array)
{
    json_begin_value(json, name);
    putchar(is_array ? '[' : '{');
    if (json->depth == JSON_DEPTH) {
        abort(); /* nothing that is written here is nested so deeply */
    }
    json->is_array[json->depth] = is_array;
    json->has_members[json->depth] = false;
    json->depth++;
}

void json_open_object(struct json *json, const char *name)
{
    json_open(json, name, false);
}

void json_open_array(struct json *json, const char *name)
{
    json_open(json, name, true);
}

void json_close(struct json *json)
{
    json->depth--;
    if (json->has_members[json->depth]) {
        json_indent(json->depth);
    }
    putchar(json->is_array[json->depth] ? ']' : '}');
    if (json->depth == 0) {
        putchar('\n');
    }
}

void json_null(struct json *json, const char *name)
{
    json_begin_value(json, name);
    fputs("null", stdout);
}

void json_ternary(struct json *json, const char *name, int value)
{
    if (value < 0) {
        json_null(json, name);
    } else {
        json_boolean(json, name, value != 0);
    }
}

void json_string(struct json *json, const char *name, const char *value)
{
    if (value == NULL) {
        json_null(json, name);
        return;
    }
    json_begin_value(json, name);
    json_quoted(value);
}

void json_number(struct json *json, const char *name, int64_t value)
{
    json_begin_value(json, name);
    printf("%lld", (long long)value);
}

void json_boolean(struct json *json, const char *name, bool value)
{
    json_begin_value(json, name);
    fputs(value ? "true" : "false", stdout);
}
