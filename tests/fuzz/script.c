/*
 * What starts a program indirectly: the first line of a script and env(1)'s words in it, the last
 * "exec" of a shell script, the command line of an interpreter.
 */
#include "fuzz.h"

#include "lookup/owner.h"
#include "program/script_target.h"
#include "program/shebang.h"
#include "sockets/script.h"

static bool is_within(const char *text, const uint8_t *data, size_t size)
{
    return memmem(data, size, text, strlen(text)) != NULL;
}

static void check_shebang(const uint8_t *data, size_t size)
{
    struct shebang shebang;
    struct shebang_env env;
    if (!shebang_parse((const char *)data, size, &shebang)) {
        return;
    }
    MUST(memchr(shebang.interpreter, '\0', SHEBANG_SIZE) != NULL);
    MUST(memchr(shebang.argument, '\0', SHEBANG_SIZE) != NULL);
    MUST(shebang.interpreter[0] != '\0' && strpbrk(shebang.interpreter, " \t\n") == NULL);
    MUST(is_within(shebang.interpreter, data, size) && is_within(shebang.argument, data, size));
    MUST(!shebang_is_env(&shebang, &env) || is_within("env", data, size));
    MUST(memchr(env.command, '\0', SHEBANG_SIZE) != NULL);
    MUST(strstr(shebang.argument, env.command) != NULL);
}

static void check_target(const uint8_t *data, size_t size)
{
    size_t line = 0;
    size_t lines = 1;
    char *target = script_target((const char *)data, size, &line);
    if (target == NULL) {
        return;
    }
    for (size_t i = 0; i < size; i++) {
        lines += data[i] == '\n';
    }
    MUST(line >= 1 && line <= lines);
    MUST(target[0] != '\0' && target[0] != '-' && is_within(target, data, size));
    MUST(strpbrk(target, "$`*?\\\n") == NULL);
    free(target);
}

static void check_arguments(const uint8_t *data, size_t size)
{
    enum { SHORTEST = 8 };
    char whole[SCRIPT_SIZE];
    char *small = malloc(SHORTEST);
    MUST(small != NULL);
    script_find(whole, sizeof whole, (const char *)data, size);
    script_find(small, SHORTEST, (const char *)data, size);
    MUST(memchr(whole, '\0', sizeof whole) != NULL && memchr(small, '\0', SHORTEST) != NULL);
    MUST((whole[0] == '\0') == (small[0] == '\0'));
    const size_t cut = strncmp(small, "...", 3) == 0 ? 3 : 0;
    MUST(is_within(small + cut, data, size));
    MUST(strlen(whole) >= SHORTEST || strcmp(whole, small) == 0);
    free(small);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        check_shebang(data, size);
        check_target(data, size);
        check_arguments(data, size);
    }
    return 0;
}
