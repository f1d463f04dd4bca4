#include "script.h"

#include <stdbool.h>
#include <string.h>

/*
 * Interpreters, by how their names begin (python3.11, perl5.36), and their options: those that an
 * argument follows which is not the script, and the letters that say that the program itself
 * follows on the command line, alone or among others ("-lc"): that may have a password in it, and
 * is not shown. What follows any other option, "-m MODULE" and "-jar FILE", say, is what is run.
 */
static const struct interpreter {
    const char *name;
    const char *with_argument;
    const char *text_letters;
} interpreters[] = {
    {"python", " -W -X ", "c"},
    {"pypy", " -W -X ", "c"},
    {"perl", " -I ", "eE"},
    {"ruby", " -I -r -C ", "e"},
    {"node", " -r --require --import --loader -C --env-file --env-file-if-exists ", "ep"},
    {"java", " -cp -classpath --class-path -p --module-path --add-modules ", ""},
    {"php", " -c -d -z -S -t ", "rBRE"},
    {"bash", " -O --rcfile --init-file ", "c"},
    {"dash", "", "c"},
    {"sh", "", "c"},
    {"lua", " -l ", "e"},
    {"tclsh", " -encoding ", ""},
    {"dotnet", " --additionalprobingpath --depsfile --runtimeconfig ", ""},
    {"mono", "", ""},
};

/* One argument; `text` is NULL behind the last one. */
struct argument {
    const char *text;
    size_t length;
};

static struct argument next_argument(const char **rest, const char *end)
{
    struct argument argument = {NULL, 0};
    if (*rest < end) {
        argument = (struct argument){*rest, strnlen(*rest, (size_t)(end - *rest))};
        *rest += argument.length + 1;
    }
    return argument;
}

/* Whether a word stands in a list, between blanks. */
static bool is_listed(const char *list, const struct argument *word)
{
    for (const char *at = strchr(list, ' '); at != NULL; at = strchr(at + 1, ' ')) {
        if (strncmp(at + 1, word->text, word->length) == 0 && at[1 + word->length] == ' ') {
            return word->length > 0;
        }
    }
    return false;
}

/* Rather one time too often: "--eval" and "-lc" as well as "-e" and "-c". */
static bool gives_text(const struct interpreter *interpreter, const struct argument *option)
{
    static const char *const words[] = {"--eval", "--print", "--run"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const size_t length = strlen(words[i]);
        if (option->length >= length && memcmp(option->text, words[i], length) == 0) {
            return true;
        }
    }
    const bool is_cluster = option->length > 1 && option->text[1] != '-';
    for (size_t i = 1; is_cluster && i < option->length; i++) {
        if (strchr(interpreter->text_letters, option->text[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* "-euo pipefail" of a shell. */
static bool takes_option_name(const struct interpreter *interpreter, const struct argument *option)
{
    static const char shell[] = "sh";
    const char *name = interpreter->name;
    return strcmp(name + strlen(name) - (sizeof shell - 1), shell) == 0 && option->length > 1 &&
           option->text[1] != '-' && option->text[option->length - 1] == 'o';
}

/* "/usr/bin/python3" and "-bash", which is a login shell. */
static const struct interpreter *find_interpreter(const struct argument *program)
{
    const char *name = program->text;
    const char *const end = program->text + program->length;
    for (const char *at = name; at < end; at++) {
        name = *at == '/' || (at == program->text && *at == '-') ? at + 1 : name;
    }
    for (size_t i = 0; i < sizeof interpreters / sizeof interpreters[0]; i++) {
        const size_t length = strlen(interpreters[i].name);
        if ((size_t)(end - name) >= length && memcmp(name, interpreters[i].name, length) == 0 &&
            (name + length == end || strchr("0123456789.-w", name[length]) != NULL)) {
            return &interpreters[i];
        }
    }
    return NULL;
}

static void copy(char *script, size_t size, const struct argument *argument)
{
    static const char cut[] = "...";
    const size_t room = size - 1;
    if (argument->length <= room) {
        memcpy(script, argument->text, argument->length);
        script[argument->length] = '\0';
        return;
    }
    const size_t kept = room - (sizeof cut - 1);
    memcpy(script, cut, sizeof cut - 1);
    memcpy(script + sizeof cut - 1, argument->text + argument->length - kept, kept);
    script[room] = '\0';
}

void script_find(char *script, size_t size, const char *arguments, size_t length)
{
    const char *rest = arguments;
    const char *const end = arguments + length;
    struct argument argument = next_argument(&rest, end);
    const struct interpreter *interpreter =
        argument.text != NULL ? find_interpreter(&argument) : NULL;
    script[0] = '\0';
    if (interpreter == NULL) {
        return;
    }
    while ((argument = next_argument(&rest, end)).text != NULL) {
        if (argument.length == 1 && argument.text[0] == '-') {
            return; /* its standard input */
        }
        if (argument.length == 0 || argument.text[0] != '-') {
            copy(script, size, &argument);
            return;
        }
        if (is_listed(interpreter->with_argument, &argument)) {
            next_argument(&rest, end);
        } else if (gives_text(interpreter, &argument)) {
            return;
        } else if (takes_option_name(interpreter, &argument)) {
            next_argument(&rest, end);
        }
    }
}
