/* cli/unit/unit_file.c: a variable in unit files and environment files, as systemd reads them. */
#include "unit/unit_file.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *written(const char *text)
{
    static char path[] = "/tmp/libreuse-unit-file-XXXXXX";
    strcpy(path + sizeof path - 7, "XXXXXX");
    const int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

/* What a file makes of LD_PRELOAD, which is "before" before. */
static void expect(bool (*read)(const char *path, const char *name, char **value), const char *text,
                   bool is_named, const char *expected)
{
    char *value = strdup("before");
    const char *path = written(text);
    cr_assert_eq(read(path, "LD_PRELOAD", &value), is_named, "%s", text);
    unlink(path);
    if (expected == NULL) {
        cr_assert_null(value, "%s: \"%s\"", text, value);
    } else {
        cr_assert_not_null(value, "%s", text);
        cr_assert_str_eq(value, expected, "%s: \"%s\"", text, value);
    }
    free(value);
}

Test(unit_file, finds_the_last_assignment)
{
    expect(unit_file_variable, "[Service]\nEnvironment=LD_PRELOAD=/a.so\n", true, "/a.so");
    expect(unit_file_variable, "[Service]\n Environment = A=1 \"LD_PRELOAD=/a b.so\" \n", true,
           "/a b.so");
    expect(unit_file_variable,
           "[Service]\nEnvironment=LD_PRELOAD=/a.so LD_PRELOAD=/b.so\n"
           "Environment=LD_PRELOAD=/c.so",
           true, "/c.so");
    expect(unit_file_variable, "[Service]\nEnvironment=LD_PRELOAD=%h/x%%y.so\n", true,
           "%h/x%%y.so");
    expect(unit_file_variable, "[Service]\nEnvironment=A=1 \\\n# no\n  LD_PRELOAD=/a.so\n", true,
           "/a.so");
}

Test(unit_file, leaves_alone_what_is_no_assignment)
{
    expect(unit_file_variable, "", false, "before");
    expect(unit_file_variable, "[Service]\nEnvironment=MY_LD_PRELOAD=/a.so\n", false, "before");
    expect(unit_file_variable, "[Service]\n#Environment=LD_PRELOAD=/a.so\n", false, "before");
    expect(unit_file_variable, "[Service]\nEnvironmentFile=LD_PRELOAD=/a.so\n", false, "before");
    expect(unit_file_variable, "[Unit]\nEnvironment=LD_PRELOAD=/a.so\n", false, "before");
}

Test(unit_file, an_empty_list_takes_it_back)
{
    expect(unit_file_variable, "[Service]\nEnvironment=\n", true, NULL);
    expect(unit_file_variable, "[Service]\nEnvironment=\nEnvironment=LD_PRELOAD=/a.so\n", true,
           "/a.so");
}

Test(unit_file, reads_environment_files)
{
    expect(environment_file_variable, "LD_PRELOAD=/a.so\n", true, "/a.so");
    expect(environment_file_variable, "A=1\nLD_PRELOAD=/a.so /b.so  \n", true, "/a.so /b.so");
    expect(environment_file_variable, " LD_PRELOAD = '/a.so'\n", true, "/a.so");
    expect(environment_file_variable, "LD_PRELOAD=\"/a b.so\"\n", true, "/a b.so");
    expect(environment_file_variable, "LD_PRELOAD=\n", true, "");
    expect(environment_file_variable, "#LD_PRELOAD=/a.so\n; LD_PRELOAD=/a.so\nX=LD_PRELOAD=/a\n",
           false, "before");
}

Test(unit_file, a_file_that_is_not_there_says_nothing)
{
    char *value = NULL;
    cr_assert(!unit_file_variable("/no/such/file", "LD_PRELOAD", &value));
    cr_assert(!environment_file_variable("/no/such/file", "LD_PRELOAD", &value));
    cr_assert(!environment_file_variable("/dev/zero", "LD_PRELOAD", &value));
    cr_assert_null(value);
}

/* What is written is read again as it was, and is one line. */
Test(unit_file, quotes_every_value)
{
    static const char *const values[] = {
        "",      "/a.so:/b.so", "a b", "q\"u\\o'te", "\\x41", "$LIB", "/a\nExecStartPre=/bin/evil",
        "\t\x7f"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        char *word = unit_file_assignment("LD_PRELOAD", values[i]);
        char text[256];
        snprintf(text, sizeof text, "[Service]\nEnvironment=%s\n", word);
        expect(unit_file_variable, text, true, values[i]);
        cr_assert_null(strpbrk(word, "\n\t\x7f"), "%s", word);
        free(word);
    }
    char *percent = unit_file_percent("100% %h%%");
    cr_assert_str_eq(percent, "100%% %%h%%%%");
    free(percent);
}
