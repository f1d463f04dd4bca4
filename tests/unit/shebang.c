/* cli/program/shebang.c: the first line of scripts, as load_script() in the kernel and env(1) read
 * it. */
#include "program/shebang.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct shebang parsed(const char *text)
{
    struct shebang shebang;
    cr_assert(shebang_parse(text, strlen(text), &shebang), "%s", text);
    return shebang;
}

static void expect_parts(const char *text, const char *interpreter, const char *argument)
{
    const struct shebang shebang = parsed(text);
    cr_assert_str_eq(shebang.interpreter, interpreter);
    cr_assert_str_eq(shebang.argument, argument);
}

Test(shebang, is_an_interpreter_and_one_argument)
{
    expect_parts("#!/bin/sh\necho", "/bin/sh", "");
    expect_parts("#!/bin/sh", "/bin/sh", "");
    expect_parts("#! \t/bin/sh \t \n", "/bin/sh", "");
    expect_parts("#!/bin/sh -e -u \n", "/bin/sh", "-e -u");
    expect_parts("#!/bin/sh\r\n", "/bin/sh\r", "");
    expect_parts("#!x\n", "x", "");
}

Test(shebang, needs_an_interpreter)
{
    struct shebang shebang;
    static const char *const others[] = {"", "#", "#!", "#!\n", "#! \t\n", "# /bin/sh\n", "!#"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        cr_assert(!shebang_parse(others[i], strlen(others[i]), &shebang), "%s", others[i]);
    }
}

Test(shebang, is_cut_off_after_256_bytes)
{
    char text[400];
    struct shebang shebang;
    memset(text, 'x', sizeof text);
    memcpy(text, "#!", 2);
    cr_assert(!shebang_parse(text, sizeof text, &shebang), "the path is cut off");
    text[100] = ' ';
    cr_assert(shebang_parse(text, sizeof text, &shebang));
    cr_assert_eq(strlen(shebang.interpreter), 98);
    cr_assert_eq(strlen(shebang.argument), SHEBANG_SIZE - 101);
}

static void expect_env(const char *text, const char *command, bool drops_preload)
{
    const struct shebang shebang = parsed(text);
    struct shebang_env env;
    cr_assert(shebang_is_env(&shebang, &env), "%s", text);
    cr_assert_str_eq(env.command, command, "%s: %s", text, env.command);
    cr_assert_eq(env.drops_preload, drops_preload, "%s", text);
}

Test(shebang, of_env_names_another_program)
{
    expect_env("#!/usr/bin/env python3\n", "python3", false);
    expect_env("#!/bin/env -S python3 -u\n", "python3", false);
    expect_env("#!/bin/env -Spython3 -u\n", "python3", false);
    expect_env("#!/bin/env -vS python3\n", "python3", false);
    expect_env("#!/bin/env --split-string=python3 -u\n", "python3", false);
    expect_env("#!/bin/env -S A=1 B=2 python3\n", "python3", false);
    expect_env("#!/bin/env -S -u A -C /tmp --unset=B -- python3\n", "python3", false);
    expect_env("#!/bin/env python3 -u\n", "python3 -u", false);
    expect_env("#!/bin/env\n", "", false);
    expect_env("#!/bin/env -S\n", "", false);
}

Test(shebang, of_env_may_drop_the_preload)
{
    expect_env("#!/bin/env -S -i sh\n", "sh", true);
    expect_env("#!/bin/env -iS sh\n", "sh", true);
    expect_env("#!/bin/env -S - sh\n", "sh", true);
    expect_env("#!/bin/env -S --ignore-environment sh\n", "sh", true);
    expect_env("#!/bin/env -S -u LD_PRELOAD sh\n", "sh", true);
    expect_env("#!/bin/env -S -uLD_PRELOAD sh\n", "sh", true);
    expect_env("#!/bin/env -S --unset LD_PRELOAD sh\n", "sh", true);
    expect_env("#!/bin/env -S LD_PRELOAD=x sh\n", "sh", true);
    expect_env("#!/bin/env -S -u LD_PRELOADS sh\n", "sh", false);
}

Test(shebang, is_only_envs_where_the_name_is_env)
{
    const struct shebang shebang = parsed("#!/usr/bin/environment -i\n");
    struct shebang_env env;
    cr_assert(!shebang_is_env(&shebang, &env));
}

Test(shebang, may_be_any_bytes)
{
    static const char common[] = "-iSuC=v \t/env\0LD_PRELOAD";
    for (unsigned int i = 0; i < 50000; i++) {
        unsigned int seed = i;
        char bytes[300] = "#!/bin/env ";
        const size_t length = (size_t)rand_r(&seed) % sizeof bytes;
        for (size_t at = 11; at < length; at++) {
            bytes[at] = common[(size_t)rand_r(&seed) % sizeof common];
        }
        struct shebang shebang;
        struct shebang_env env;
        if (shebang_parse(bytes, length, &shebang)) {
            shebang_is_env(&shebang, &env);
        }
    }
}
