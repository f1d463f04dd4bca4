/* cli/terminal/output.c: text of others made safe to show, tables, JSON. */
#include "terminal/output.h"
#include "terminal/text.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect_printable(const char *text, const char *expected)
{
    char *printable = output_printable(text);
    cr_assert_str_eq(printable, expected);
    free(printable);
}

Test(printable, text_is_left_alone)
{
    expect_printable("", "");
    expect_printable("/usr/bin/x y", "/usr/bin/x y");
    expect_printable("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
                     "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
}

Test(printable, control_bytes_are_escaped)
{
    expect_printable("a\033[31m\n\x7f", "a\\x1b[31m\\x0a\\x7f");
    expect_printable("\xc2\x9b", "\\xc2\\x9b");
}

Test(printable, bytes_that_are_no_utf_8_are_escaped)
{
    expect_printable("\xff\x80", "\\xff\\x80");
    expect_printable("\xc0\xaf", "\\xc0\\xaf");
    expect_printable("\xed\xa0\x80", "\\xed\\xa0\\x80");
    expect_printable("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
    expect_printable("\xe2\x82", "\\xe2\\x82");
}

static void expect_word(const char *text, const char *expected)
{
    char *word = text_shell_word(text);
    cr_assert_str_eq(word, expected);
    free(word);
}

Test(shell_word, is_what_it_was_where_nothing_in_it_means_anything)
{
    expect_word("server1", "server1");
    expect_word("/usr/bin/python3.11", "/usr/bin/python3.11");
    expect_word("foo@1.service", "foo@1.service");
}

Test(shell_word, is_quoted_where_a_shell_would_read_more_than_a_word)
{
    expect_word("", "''");
    expect_word("$(reboot);x", "'$(reboot);x'");
    expect_word("a b", "'a b'");
    expect_word("it's", "'it'\\''s'");
    expect_word("dev-disk\\x2dA.service", "'dev-disk\\x2dA.service'");
    expect_word("~", "'~'");
    expect_word("a\033'\\\xc3\xa4\n", "$'a\\x1b\\'\\\\\\xc3\\xa4\\x0a'");
}

Test(shell_word, is_read_by_a_shell_as_the_text)
{
    enum { BYTES = 255 };
    char text[BYTES + 1] = "";
    char read[BYTES + 1] = "";
    for (int i = 0; i < BYTES; i++) {
        text[i] = (char)(i + 1);
    }
    char *word = text_shell_word(text);
    char *command = output_format("printf %%s %s", word);
    setenv("COMMAND", command, 1);
    FILE *shell = popen("LC_ALL=C bash -c \"$COMMAND\"", "r");
    cr_assert_eq(fread(read, 1, sizeof read, shell), BYTES);
    pclose(shell);
    cr_assert_arr_eq(read, text, BYTES);
    free(command);
    free(word);
}

Test(error, is_one_line_that_names_the_command, .init = cr_redirect_stderr)
{
    output_error("%s: no\nsuch", "a\tb");
    cr_assert_stderr_eq_str("libreuse: a\\x09b: no\\x0asuch\n");
}

Test(table, has_columns_as_wide_as_their_cells, .init = cr_redirect_stdout)
{
    struct table *table = table_create(3);
    table_align_right(table, 0);
    static const char *const cells[] = {"PORT", "NAME", "STATE", "80",   "\xc3\xa4", "on",
                                        "8080", "",     "",      "9999", "long name"};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        table_cell(table, TONE_BAD, "%s", cells[i]);
    }
    table_print_and_free(table);
    fflush(stdout);
    cr_assert_stdout_eq_str("PORT  NAME       STATE\n"
                            "  80  \xc3\xa4          on\n"
                            "8080\n"
                            "9999  long name\n");
}

Test(json, is_nested_and_escaped, .init = cr_redirect_stdout)
{
    struct json json = {0};
    json_open_object(&json, NULL);
    json_string(&json, "a \"name\"", "q\"b\\s\n\x01\x7f\xc2\x80\xc3\xa4\xff");
    json_string(&json, "none", NULL);
    json_open_array(&json, "list");
    json_number(&json, NULL, -1);
    json_boolean(&json, NULL, true);
    json_open_object(&json, NULL);
    json_close(&json);
    json_close(&json);
    json_open_array(&json, "empty");
    json_close(&json);
    json_close(&json);
    fflush(stdout);
    cr_assert_stdout_eq_str("{\n"
                            "  \"a \\\"name\\\"\": \"q\\\"b\\\\s\\u000a\\u0001\\u007f\\u0080"
                            "\xc3\xa4\xef\xbf\xbd\",\n"
                            "  \"none\": null,\n"
                            "  \"list\": [\n"
                            "    -1,\n"
                            "    true,\n"
                            "    {}\n"
                            "  ],\n"
                            "  \"empty\": []\n"
                            "}\n");
}
