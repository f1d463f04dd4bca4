/* shim/explain/explain_in_use.c: what is said of who has a socket, also where that is not known. */
#include "explain/explain.h"
#include "lookup/holders.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

TestSuite(explain_owner);

static void expect(const struct owner *owner, const char *wanted)
{
    char text[256];
    struct line line = {.text = text, .size = sizeof text};
    const struct holder holder = {.uid = 33, .owner = *owner};
    explain_owner(&line, &holder);
    text[line.length] = '\0';
    cr_assert_str_eq(text, wanted);
}

Test(explain_owner, is_named_where_it_was_found)
{
    expect(&(struct owner){.search = OWNER_FOUND, .pid = 811, .program = "nginx"}, "nginx[811]");
    expect(&(struct owner){.search = OWNER_FOUND, .this_process = true}, "this very process");
}

Test(explain_owner, is_not_guessed_where_it_was_not_found)
{
    expect(&(struct owner){.search = OWNER_NONE}, "no process any more");
    expect(&(struct owner){.search = OWNER_FORBIDDEN},
           "a process that may not be looked into (uid 33)");
    expect(&(struct owner){.search = OWNER_HIDDEN},
           "a socket of no process that can be seen from here (uid 33)");
    expect(&(struct owner){.search = OWNER_TIME_UP},
           "a process that was not found in time (uid 33)");
    expect(&(struct owner){.search = OWNER_NO_PROC},
           "a process that cannot be looked up, without /proc (uid 33)");
    expect(&(struct owner){.search = OWNER_REFUSED, .error = EPERM},
           "a process that cannot be looked up here (uid 33, EPERM)");
}
