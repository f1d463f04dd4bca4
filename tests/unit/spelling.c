#include "guest/spelling.h"

#include <criterion/criterion.h>

TestSuite(spelling);

Test(spelling, counts_what_must_be_added_left_out_changed_and_exchanged)
{
    cr_assert_eq(spelling_distance("", ""), 0);
    cr_assert_eq(spelling_distance("WAIT", "WAIT"), 0);
    cr_assert_eq(spelling_distance("WAIT", ""), 4);
    cr_assert_eq(spelling_distance("", "WAIT"), 4);
    cr_assert_eq(spelling_distance("WIT", "WAIT"), 1);
    cr_assert_eq(spelling_distance("WAITS", "WAIT"), 1);
    cr_assert_eq(spelling_distance("WEIT", "WAIT"), 1);
    cr_assert_eq(spelling_distance("kitten", "sitting"), 3);
    cr_assert_eq(spelling_distance("WIAT", "WAIT"), 1);
    cr_assert_eq(spelling_distance("AWTI", "WAIT"), 2);
}

Test(spelling, of_words_that_are_too_long_is_far)
{
    static const char longest[] = "1234567890123456789012345678901";
    cr_assert_eq(spelling_distance(longest, longest), 0);
    cr_assert_eq(spelling_distance("12345678901234567890123456789012", "1"), SPELLING_FAR);
    cr_assert_eq(spelling_distance("1", "12345678901234567890123456789012"), SPELLING_FAR);
}
