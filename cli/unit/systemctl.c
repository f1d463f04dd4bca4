#include "systemctl.h"

#include "terminal/output.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What comes through a pipe, until its end. The caller frees it. */
static char *read_all(int fd)
{
    size_t length = 0;
    size_t room = 4096;
    char *text = output_allocate(room, 1);
    for (ssize_t got = 1; got > 0 || (got < 0 && errno == EINTR);) {
        if (length + 1 == room) {
            room *= 2;
            text = output_reallocate(text, room, 1);
        }
        got = read(fd, text + length, room - length - 1);
        length += got > 0 ? (size_t)got : 0;
    }
    text[length] = '\0';
    return text;
}

/* In the child. What systemctl writes shall be in no other language or colour. */
static _Noreturn void become_systemctl(char *const arguments[], int output)
{
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    setenv("LC_ALL", "C", 1);
    setenv("SYSTEMD_COLORS", "0", 1);
    setenv("SYSTEMD_PAGER", "", 1);
    execvp(arguments[0], arguments);
    _exit(errno == ENOENT ? 127 : 126);
}

/*
 * What systemctl prints, its errors included: a property never looks like one of those. NULL where
 * it fails, and why. The caller frees both.
 */
static char *run(char *const arguments[], char **why)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        *why = output_format("systemctl cannot be run: %s", strerror(errno));
        return NULL;
    }
    const pid_t child = fork();
    if (child == 0) {
        become_systemctl(arguments, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        *why = output_format("systemctl cannot be run: %s", strerror(errno));
        close(ends[0]);
        return NULL;
    }
    char *text = read_all(ends[0]);
    close(ends[0]);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        return text;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
        *why = output_format("there is no systemctl in PATH");
    } else {
        text[strcspn(text, "\n")] = '\0';
        *why = output_format("systemctl failed%s%s", text[0] != '\0' ? ": " : "", text);
    }
    free(text);
    return NULL;
}

bool systemctl_show(struct properties *properties, const char *unit, const char *const names[],
                    char **why)
{
    size_t count = 0;
    while (names[count] != NULL) {
        count++;
    }
    /* systemctl show -p NAME ... -- UNIT */
    const char **arguments = output_allocate(2 + 2 * count + 3, sizeof arguments[0]);
    size_t n = 0;
    arguments[n++] = "systemctl";
    arguments[n++] = "show";
    for (size_t i = 0; i < count; i++) {
        arguments[n++] = "-p";
        arguments[n++] = names[i];
    }
    if (unit != NULL) {
        arguments[n++] = "--";
        arguments[n++] = unit;
    }
    *properties = (struct properties){0};
    char *text = run((char *const *)arguments, why);
    free(arguments);
    if (text == NULL) {
        return false;
    }
    properties_parse(properties, text);
    free(text);
    return true;
}

bool systemctl_show_environment(struct properties *properties, char **why)
{
    static const char *const arguments[] = {"systemctl", "show-environment", NULL};
    *properties = (struct properties){0};
    char *text = run((char *const *)arguments, why);
    if (text == NULL) {
        return false;
    }
    properties_parse(properties, text);
    free(text);
    return true;
}

bool systemctl_reload(char **why)
{
    static const char *const arguments[] = {"systemctl", "daemon-reload", NULL};
    char *text = run((char *const *)arguments, why);
    free(text);
    return text != NULL;
}

void properties_parse(struct properties *properties, const char *text)
{
    *properties = (struct properties){0};
    for (const char *line = text; *line != '\0';) {
        const size_t length = strcspn(line, "\n");
        size_t name = 0;
        while (isalnum((unsigned char)line[name]) || line[name] == '_') {
            name++;
        }
        if (name > 0 && line[name] == '=') {
            properties->list = output_reallocate(properties->list, properties->count + 1,
                                                 sizeof properties->list[0]);
            properties->list[properties->count++] =
                (struct property){output_format("%.*s", (int)name, line),
                                  output_format("%.*s", (int)(length - name - 1), line + name + 1)};
        }
        line += length + (line[length] == '\n');
    }
}

void properties_free(struct properties *properties)
{
    for (size_t i = 0; i < properties->count; i++) {
        free(properties->list[i].name);
        free(properties->list[i].value);
    }
    free(properties->list);
    *properties = (struct properties){0};
}

const char *property(const struct properties *properties, const char *name)
{
    for (size_t i = 0; i < properties->count; i++) {
        if (strcmp(properties->list[i].name, name) == 0) {
            return properties->list[i].value;
        }
    }
    return NULL;
}

/* The character that these digits mean, and moves behind them. */
static char take_code(const char **text, int base, size_t digits)
{
    char code[4] = "";
    memcpy(code, *text, digits);
    *text += digits;
    return (char)strtoul(code, NULL, base);
}

/* What follows a backslash, as cunescape() of systemd and a shell's double quotes have it. */
static char unescape(const char **text)
{
    static const char letters[] = "abfnrtvs";
    static const char meanings[] = "\a\b\f\n\r\t\v ";
    const char *const at = *text;
    if (at[0] == 'x' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2])) {
        *text += 1;
        return take_code(text, 16, 2);
    }
    if (strspn(at, "01234567") >= 3) {
        return take_code(text, 8, 3);
    }
    *text += 1;
    const char *known = strchr(letters, at[0]);
    return known != NULL ? meanings[known - letters] : at[0];
}

/* Takes one word, and moves behind it. The caller frees it. */
static char *take_word(const char **text)
{
    char *word = output_allocate(strlen(*text) + 1, 1);
    size_t length = 0;
    char quote = '\0';
    for (const char *at = *text;; *text = at) {
        if (*at == '\0' || (quote == '\0' && isspace((unsigned char)*at))) {
            return word;
        }
        if (*at == quote || (quote == '\0' && (*at == '"' || *at == '\''))) {
            quote = *at == quote ? '\0' : *at;
            at++;
        } else if (*at == '\\' && at[1] != '\0') {
            at++;
            word[length++] = unescape(&at);
        } else {
            word[length++] = *at++;
        }
    }
}

void words_split(struct words *words, const char *text)
{
    *words = (struct words){0};
    while (isspace((unsigned char)*text)) {
        text++;
    }
    while (*text != '\0') {
        words->list = output_reallocate(words->list, words->count + 1, sizeof words->list[0]);
        words->list[words->count++] = take_word(&text);
        while (isspace((unsigned char)*text)) {
            text++;
        }
    }
}

void words_free(struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        free(words->list[i]);
    }
    free(words->list);
    *words = (struct words){0};
}

bool words_have(const struct words *words, const char *word)
{
    for (size_t i = 0; i < words->count; i++) {
        if (strcmp(words->list[i], word) == 0) {
            return true;
        }
    }
    return false;
}

const char *words_variable(const struct words *words, const char *name)
{
    const size_t length = strlen(name);
    const char *value = NULL;
    for (size_t i = 0; i < words->count; i++) {
        if (strncmp(words->list[i], name, length) == 0 && words->list[i][length] == '=') {
            value = words->list[i] + length + 1;
        }
    }
    return value;
}
