/*
 * What systemctl prints, and the files of units: any text is taken apart within its bounds; and
 * what libreuse writes into a drop-in is read as what it was, by the same rules.
 */
#include "fuzz.h"

#include "unit/systemctl.h"
#include "unit/unit_file.h"

#include <sys/mman.h>
#include <unistd.h>

static const char variable[] = "LD_PRELOAD";

static void check_properties(const char *text)
{
    struct properties properties;
    properties_parse(&properties, text);
    for (size_t i = 0; i < properties.count; i++) {
        const struct property *one = &properties.list[i];
        char *line = malloc(strlen(one->name) + strlen(one->value) + 2);
        MUST(line != NULL && one->name[0] != '\0' && strchr(one->value, '\n') == NULL);
        sprintf(line, "%s=%s", one->name, one->value);
        MUST(strstr(text, line) != NULL);
        MUST(property(&properties, one->name) != NULL);
        free(line);
    }
    properties_free(&properties);
}

static void check_words(const char *text)
{
    struct words words;
    size_t all = 0;
    words_split(&words, text);
    for (size_t i = 0; i < words.count; i++) {
        all += strlen(words.list[i]);
        MUST(words_have(&words, words.list[i]));
    }
    MUST(all <= strlen(text) && words.count <= strlen(text));
    MUST(words_variable(&words, variable) == NULL || words.count > 0);
    words_free(&words);
}

static const char *path_of(const char *text)
{
    static int fd = -1;
    static char path[32];
    const size_t size = strlen(text);
    if (fd < 0) {
        fd = memfd_create("unit", MFD_CLOEXEC);
        MUST(fd >= 0);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    MUST(ftruncate(fd, 0) == 0 && pwrite(fd, text, size, 0) == (ssize_t)size);
    return path;
}

static void check_file(const char *text,
                       bool (*look)(const char *path, const char *name, char **value))
{
    const char *path = path_of(text);
    char *value = NULL;
    const bool is_named = look(path, variable, &value);
    MUST(is_named || value == NULL);
    MUST(value == NULL || strlen(value) <= strlen(text));
    MUST(!is_named || strstr(text, "=") != NULL);
    free(value);
}

static void check_what_is_written(const char *text)
{
    char *escaped = unit_file_percent(text);
    char *word = unit_file_assignment(variable, escaped);
    char *file = malloc(strlen(word) + 64);
    char *value = NULL;
    MUST(file != NULL && strpbrk(word, "\n\r\t\177") == NULL);
    sprintf(file, "[Service]\nEnvironment=%s\n", word);
    MUST(unit_file_variable(path_of(file), variable, &value));
    MUST(value != NULL && strcmp(value, escaped) == 0);
    free(value);
    free(file);
    free(word);
    free(escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    MUST(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    check_properties(text);
    check_words(text);
    check_file(text, unit_file_variable);
    check_file(text, environment_file_variable);
    check_what_is_written(text);
    free(text);
    return 0;
}
