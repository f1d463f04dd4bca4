/* cli/unit/systemctl.c: what systemctl prints, taken apart. */
#include "unit/systemctl.h"

#include <criterion/criterion.h>

/* Asserts that a text is these words; the list ends with NULL. */
static void expect_words(const char *text, const char *const expected[])
{
    struct words words;
    words_split(&words, text);
    size_t i = 0;
    for (; expected[i] != NULL; i++) {
        cr_assert_lt(i, words.count, "%s: there are only %zu words", text, words.count);
        cr_assert_str_eq(words.list[i], expected[i], "%s: \"%s\"", text, words.list[i]);
    }
    cr_assert_eq(words.count, i, "%s: %zu words", text, words.count);
    words_free(&words);
}
#define EXPECT_WORDS(text, ...) expect_words(text, (const char *const[]){__VA_ARGS__, NULL})

Test(systemctl, splits_words_as_systemd_quotes_them)
{
    EXPECT_WORDS("", NULL);
    EXPECT_WORDS("  ", NULL);
    EXPECT_WORDS(" a  b\tc\n", "a", "b", "c");
    EXPECT_WORDS("\"A=b c\" D=e", "A=b c", "D=e");
    EXPECT_WORDS("A=\"b c\"d", "A=b cd");
    EXPECT_WORDS("'a\"b' \"c'd\" \"\"", "a\"b", "c'd", "");
    EXPECT_WORDS("\"quo\\\"te\\\\back\" \\$x", "quo\"te\\back", "$x");
    EXPECT_WORDS("\"open", "open");
    EXPECT_WORDS("end\\", "end\\");
}

Test(systemctl, resolves_escapes)
{
    EXPECT_WORDS("a\\tb\\nc\\sd", "a\tb\nc d");
    EXPECT_WORDS("/a\\x20b\\x5cc", "/a b\\c"); /* as systemd 219 writes a blank */
    EXPECT_WORDS("X=\\001\\303\\244", "X=\001\xc3\xa4");
    EXPECT_WORDS("\\xg \\x2", "xg", "x2");
}

Test(systemctl, takes_the_last_value_of_a_variable)
{
    struct words words;
    words_split(&words, "A=1 AB=2 A=3 A B=4");
    cr_assert_str_eq(words_variable(&words, "A"), "3");
    cr_assert_str_eq(words_variable(&words, "AB"), "2");
    cr_assert_null(words_variable(&words, "C"));
    cr_assert(words_have(&words, "A"));
    cr_assert(!words_have(&words, "B"));
    words_free(&words);
}

Test(systemctl, knows_properties_from_other_lines)
{
    struct properties properties;
    properties_parse(&properties, "Warning: a file = has changed\nId=a=b\nExecStart={ x }\n"
                                  "\nExecStart={ y }\nEmpty=\nLast=no newline");
    cr_assert_eq(properties.count, 5);
    cr_assert_str_eq(property(&properties, "Id"), "a=b");
    cr_assert_str_eq(property(&properties, "ExecStart"), "{ x }");
    cr_assert_str_eq(properties.list[2].value, "{ y }");
    cr_assert_str_eq(property(&properties, "Empty"), "");
    cr_assert_str_eq(property(&properties, "Last"), "no newline");
    cr_assert_null(property(&properties, "Warning"));
    properties_free(&properties);
}
