#include "guest/line.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(line);

Test(line, numbers_are_written_in_decimal_and_hexadecimal)
{
    char text[128];
    struct line line = {.text = text, .size = sizeof text};
    line_number(&line, 0);
    line_text(&line, " ");
    line_number(&line, UINT64_MAX);
    line_text(&line, " ");
    line_hex(&line, 0x2001);
    line_text(&line, " ");
    line_signed(&line, INT64_MIN);
    line_text(&line, " ");
    line_seconds(&line, 61007);
    line_end(&line);
    cr_assert_arr_eq(text, "0 18446744073709551615 2001 -9223372036854775808 61.007 s\n",
                     line.length);
    cr_assert_eq(line.length,
                 strlen("0 18446744073709551615 2001 -9223372036854775808 61.007 s\n"));
}

Test(line, what_is_not_printable_ascii_is_escaped)
{
    char text[128];
    struct line line = {.text = text, .size = sizeof text};
    const char bytes[] = "a\"b\\c\nd\x1b[0m\0e\xc3\xa9 ~\x7f";
    line_escaped(&line, bytes, sizeof bytes - 1);
    const char expected[] = "a\\\"b\\\\c\\x0ad\\x1b[0m\\x00e\\xc3\\xa9 ~\\x7f";
    cr_assert_eq(line.length, sizeof expected - 1);
    cr_assert_arr_eq(text, expected, line.length);
}

Test(line, what_does_not_fit_is_left_out_and_the_end_always_fits)
{
    char text[9] = "........";
    struct line line = {.text = text, .size = 8};
    line_text(&line, "0123456789");
    line_number(&line, 42);
    line_escaped(&line, "\n", 1);
    line_end(&line);
    cr_assert_eq(line.length, 8);
    cr_assert_arr_eq(text, "0123456\n", 8);
    cr_assert_eq(text[8], '\0', "written behind the buffer");
}

Test(line, an_escape_is_never_cut_in_half)
{
    char text[8];
    struct line line = {.text = text, .size = sizeof text};
    line_escaped(&line, "abcdef\n", 7);
    line_end(&line);
    cr_assert_eq(line.length, 7);
    cr_assert_arr_eq(text, "abcdef\n", 7);
}
