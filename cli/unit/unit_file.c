#include "unit_file.h"

#include "systemctl.h"
#include "terminal/output.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *trimmed(char *text)
{
    text += strspn(text, " \t\r\n");
    for (size_t length = strlen(text); length > 0 && isspace((unsigned char)text[length - 1]);) {
        text[--length] = '\0';
    }
    return text;
}

/*
 * The next line that is neither empty nor a comment, with the lines that continue it, which is what
 * a backslash at the end asks for. NULL at the end of the file. The caller frees it.
 */
static char *next_line(FILE *file)
{
    char *whole = NULL;
    char *line = NULL;
    size_t size = 0;
    while (getline(&line, &size, file) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        const char first = line[strspn(line, " \t")];
        const size_t length = strlen(line);
        const bool goes_on = length > 0 && line[length - 1] == '\\';
        if (first == '#' || first == ';' || (first == '\0' && whole == NULL)) {
            continue;
        }
        if (goes_on) {
            line[length - 1] = ' ';
        }
        char *longer = output_format("%s%s", whole != NULL ? whole : "", line);
        free(whole);
        whole = longer;
        if (!goes_on) {
            break;
        }
    }
    free(line);
    return whole;
}

/* The value of "KEY = VALUE", trimmed; NULL where the line is another one. */
static char *value_of(char *line, const char *key)
{
    char *equals = strchr(line, '=');
    if (equals == NULL) {
        return NULL;
    }
    *equals = '\0';
    const bool is_it = strcmp(trimmed(line), key) == 0;
    *equals = '=';
    return is_it ? trimmed(equals + 1) : NULL;
}

static void replace(char **value, const char *text)
{
    free(*value);
    *value = text != NULL ? output_format("%s", text) : NULL;
}

bool unit_file_variable(const char *path, const char *name, char **value)
{
    bool is_named = false;
    bool is_service = false;
    FILE *file = fopen(path, "re");
    for (char *line; file != NULL && (line = next_line(file)) != NULL; free(line)) {
        const char *start = trimmed(line);
        if (start[0] == '[') {
            is_service = strcmp(start, "[Service]") == 0;
            continue;
        }
        const char *list = is_service ? value_of(line, "Environment") : NULL;
        if (list == NULL) {
            continue;
        }
        struct words words;
        words_split(&words, list);
        const char *found = words_variable(&words, name);
        if (found != NULL || words.count == 0) { /* an empty list takes back what was set */
            is_named = is_named || found != NULL || *value != NULL;
            replace(value, found);
        }
        words_free(&words);
    }
    if (file != NULL) {
        fclose(file);
    }
    return is_named;
}

/* NULL where it is no regular file: a FIFO has no end. */
static FILE *open_regular(const char *path)
{
    struct stat status;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    FILE *file = NULL;
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        file = fdopen(fd, "r");
    }
    if (fd >= 0 && file == NULL) {
        close(fd);
    }
    return file;
}

bool environment_file_variable(const char *path, const char *name, char **value)
{
    bool is_named = false;
    FILE *file = open_regular(path);
    for (char *line; file != NULL && (line = next_line(file)) != NULL; free(line)) {
        char *found = value_of(line, name);
        if (found == NULL) {
            continue;
        }
        const size_t length = strlen(found);
        if (length >= 2 && (found[0] == '"' || found[0] == '\'') && found[length - 1] == found[0]) {
            found[length - 1] = '\0';
            found++;
        }
        replace(value, found);
        is_named = true;
    }
    if (file != NULL) {
        fclose(file);
    }
    return is_named;
}

/* Writes `before` in front of every character of the set. */
static char *marked(const char *text, const char *set, char before)
{
    char *result = output_allocate(2 * strlen(text) + 1, 1);
    for (char *to = result; *text != '\0'; text++) {
        if (strchr(set, *text) != NULL) {
            *to++ = before;
        }
        *to++ = *text;
    }
    return result;
}

/* Writes control bytes as \xNN, which systemd reads within quotes: a line's end stays in its line.
 */
static char *without_control_bytes(const char *text)
{
    enum { LONGEST = sizeof "\\xNN" - 1 };
    char *result = output_allocate(LONGEST * strlen(text) + 1, 1);
    for (char *to = result; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f) {
            to += sprintf(to, "\\x%02x", byte);
        } else {
            *to++ = *text;
        }
    }
    return result;
}

char *unit_file_percent(const char *text)
{
    return marked(text, "%", '%');
}

char *unit_file_assignment(const char *name, const char *value)
{
    char *quoted = marked(value, "\"\\", '\\');
    char *escaped = without_control_bytes(quoted);
    char *word = output_format("\"%s=%s\"", name, escaped);
    free(escaped);
    free(quoted);
    return word;
}
