/* cli/program/script_target.c: the program of a script's last exec. */
#include "program/script_target.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

TestSuite(script_target);

static void expect(const char *text, const char *wanted)
{
    size_t line = 0;
    char *target = script_target(text, strlen(text), &line);
    if (wanted == NULL) {
        cr_assert_null(target, "%s in %s", target, text);
    } else {
        cr_assert_str_eq(target, wanted);
    }
    free(target);
}

Test(script_target, is_the_last_exec)
{
    expect("#!/bin/sh\nexec first\n  exec -a name second \"$@\"\n", "second");
    expect("exec \"/usr/bin/a server\" --port 80", "/usr/bin/a server");
    expect("exec /usr/bin/server;", "/usr/bin/server");
    expect("echo exec\n", NULL);
}

Test(script_target, is_not_guessed_where_a_quote_stays_open)
{
    expect("exec \"/usr/bin/server", NULL);
    expect("exec '/usr/bin/server\n--port' 80\n", NULL);
    expect("exec \"", NULL);
}
