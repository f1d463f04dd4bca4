#include "shebang.h"

#include "terminal/text.h"

#include <string.h>

static bool is_blank(char character)
{
    return character == ' ' || character == '\t';
}

static bool is_end(char character)
{
    return is_blank(character) || character == '\0';
}

static void copy(char to[SHEBANG_SIZE], const char *from, size_t length)
{
    memcpy(to, from, length);
    to[length] = '\0';
}

bool shebang_parse(const char *bytes, size_t length, struct shebang *shebang)
{
    char line[SHEBANG_SIZE] = {0};
    memcpy(line, bytes, length < SHEBANG_SIZE ? length : SHEBANG_SIZE);
    if (line[0] != '#' || line[1] != '!') {
        return false;
    }
    const char *newline = memchr(line, '\n', SHEBANG_SIZE);
    size_t end = newline != NULL ? (size_t)(newline - line) : strnlen(line, SHEBANG_SIZE);
    size_t name = 2;
    while (name < end && is_blank(line[name])) {
        name++;
    }
    size_t name_end = name;
    while (name_end < end && !is_end(line[name_end])) {
        name_end++;
    }
    if (name == name_end || name_end == SHEBANG_SIZE) {
        return false; /* there is no path, or it is cut off */
    }
    while (is_end(line[end - 1])) {
        end--;
    }
    size_t argument = name_end;
    while (argument < end && is_blank(line[argument])) {
        argument++;
    }
    copy(shebang->interpreter, line + name, name_end - name);
    copy(shebang->argument, line + argument, argument < end ? end - argument : 0);
    return true;
}

/* The words of env's arguments. The kernel passes one; env splits it with -S only. */
struct words {
    char text[SHEBANG_SIZE];
    char *next;
};

/* The next word, or NULL. */
static char *next_word(struct words *words)
{
    char *word = words->next + strspn(words->next, " \t");
    if (*word == '\0') {
        return NULL;
    }
    words->next = word + strcspn(word, " \t");
    if (*words->next != '\0') {
        *words->next++ = '\0';
    }
    return word;
}

/* A short option's value: the rest of the word, or the next word. */
static const char *option_value(const char *rest, struct words *words)
{
    return *rest != '\0' ? rest : next_word(words);
}

static bool is_preload(const char *name)
{
    return name != NULL && strcmp(name, "LD_PRELOAD") == 0;
}

/* Takes a word like -i, -u NAME, -C FOLDER, or several of these letters together. */
static void take_short_options(const char *letters, struct words *words, struct shebang_env *env)
{
    env->drops_preload |= *letters == '\0'; /* a lone - is -i */
    for (; *letters != '\0'; letters++) {
        if (*letters == 'i') {
            env->drops_preload = true;
        } else if (*letters == 'u') {
            env->drops_preload |= is_preload(option_value(letters + 1, words));
            return;
        } else if (*letters == 'C') {
            option_value(letters + 1, words);
            return;
        }
    }
}

static void take_long_option(const char *option, struct words *words, struct shebang_env *env)
{
    static const char unset[] = "--unset=";
    if (strcmp(option, "--ignore-environment") == 0) {
        env->drops_preload = true;
    } else if (strncmp(option, unset, sizeof unset - 1) == 0) {
        env->drops_preload |= is_preload(option + sizeof unset - 1);
    } else if (strcmp(option, "--unset") == 0) {
        env->drops_preload |= is_preload(next_word(words));
    } else if (strcmp(option, "--chdir") == 0) {
        next_word(words);
    }
}

static void take_words(struct words *words, struct shebang_env *env)
{
    static const char preload[] = "LD_PRELOAD=";
    bool options_end = false;
    for (const char *word = next_word(words); word != NULL; word = next_word(words)) {
        if (!options_end && strcmp(word, "--") == 0) {
            options_end = true;
        } else if (!options_end && strncmp(word, "--", 2) == 0) {
            take_long_option(word, words, env);
        } else if (!options_end && word[0] == '-') {
            take_short_options(word + 1, words, env);
        } else if (strchr(word, '=') != NULL) {
            options_end = true;
            env->drops_preload |= strncmp(word, preload, sizeof preload - 1) == 0;
        } else {
            copy(env->command, word, strlen(word));
            return;
        }
    }
}

/* The text after -S or --split-string= in env's argument, or NULL where it is not split. */
static const char *text_to_split(const char *argument)
{
    static const char option[] = "--split-string=";
    if (strncmp(argument, option, sizeof option - 1) == 0) {
        return argument + sizeof option - 1;
    }
    const size_t letters = argument[0] == '-' ? 1 + strspn(argument + 1, "iv0") : 0;
    return letters > 0 && argument[letters] == 'S' ? argument + letters + 1 : NULL;
}

bool shebang_is_env(const struct shebang *shebang, struct shebang_env *env)
{
    *env = (struct shebang_env){0};
    if (strcmp(file_name(shebang->interpreter), "env") != 0) {
        return false;
    }
    const char *split = text_to_split(shebang->argument);
    if (split == NULL && strchr(shebang->argument, ' ') == NULL) {
        split = shebang->argument;
    }
    if (split == NULL) { /* one word with blanks in it: a command that is not there */
        copy(env->command, shebang->argument, strlen(shebang->argument));
        return true;
    }
    struct words words;
    copy(words.text, split, strlen(split));
    words.next = words.text;
    const char *letters = shebang->argument;
    env->drops_preload = split > shebang->argument && letters[0] == '-' && letters[1] != '-' &&
                         memchr(letters, 'i', (size_t)(split - letters)) != NULL;
    take_words(&words, env);
    return true;
}
