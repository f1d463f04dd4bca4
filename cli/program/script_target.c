#include "script_target.h"

#include "terminal/output.h"
#include "terminal/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* These become another program, and hand LD_PRELOAD on whatever they are themselves. */
static bool is_handed_on(const char *name)
{
    static const char *const programs[] = {
        "env",     "nice",    "ionice",   "nohup",        "setsid",    "setpriv",   "taskset",
        "chrt",    "numactl", "stdbuf",   "timeout",      "chroot",    "unshare",   "nsenter",
        "gosu",    "su-exec", "tini",     "dumb-init",    "setuidgid", "softlimit", "chpst",
        "runuser", "flock",   "libreuse", "s6-setuidgid",
    };
    for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
        if (strcmp(file_name(name), programs[i]) == 0) {
            return true;
        }
    }
    return false;
}

static size_t blanks(const char *text)
{
    return strspn(text, " \t");
}

/* The first word of a command, without its quotes; NULL where that is not plain. */
static char *plain_word(const char *text)
{
    const char quote = text[0] == '"' || text[0] == '\'' ? text[0] : '\0';
    text += quote != '\0';
    const size_t length = strcspn(text, quote == '"' ? "\"" : quote == '\'' ? "'" : " \t;&|");
    const bool is_open = quote != '\0' && text[length] == '\0'; /* it ends in a later line */
    if (length == 0 || is_open || (quote != '\0' && strchr(" \t;&|", text[length + 1]) == NULL)) {
        return NULL;
    }
    char *word = output_format("%.*s", (int)length, text);
    const bool is_plain = strpbrk(word, "$`*?[]{}()<>\\'\"~#=!") == NULL && word[0] != '-' &&
                          (word[0] == '/' || strchr(word, '/') == NULL);
    if (!is_plain || is_handed_on(word)) {
        free(word);
        return NULL;
    }
    return word;
}

/* What follows "exec" and its options in a line; NULL where it is no such line. */
static const char *after_exec(const char *line)
{
    line += blanks(line);
    if (!starts_with(line, "exec") || blanks(line + 4) == 0) {
        return NULL;
    }
    line += 4 + blanks(line + 4);
    while (line[0] == '-') {
        const bool has_name = line[1] == 'a';
        line += strcspn(line, " \t");
        line += blanks(line);
        if (has_name) {
            line += strcspn(line, " \t");
            line += blanks(line);
        }
    }
    return strchr("0123456789<>&", line[0]) == NULL ? line : NULL; /* of descriptors only */
}

char *script_target(const char *text, size_t length, size_t *line)
{
    char *target = NULL;
    size_t number = 0;
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        const size_t size = newline != NULL ? (size_t)(newline - text) - at : length - at;
        char *copy = output_format("%.*s", (int)size, text + at);
        const char *command = after_exec(copy);
        number++;
        if (command != NULL) {
            free(target);
            target = plain_word(command);
            *line = number;
        }
        free(copy);
        at += size + 1;
    }
    return target;
}
