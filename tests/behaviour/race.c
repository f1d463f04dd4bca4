/*
 * Servers that start at the same moment: a short form of "make race".
 */
#include "invoke.h"
#include "target.h"

#include <criterion/criterion.h>

Test(race, leaves_one_bound_and_one_serving)
{
    struct process process = call(0, (struct program){.path = BUILD_FOLDER "/tests/race/race",
                                                      .arguments = {SHIM_PATH, "150"}});
    expect_said(&process, "TIME_WAIT");
}
