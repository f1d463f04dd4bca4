/*
 * Every system call that the shim makes for itself may be falsified: a short form of "make inject".
 */
#include "invoke.h"
#include "target.h"

#include <criterion/criterion.h>

#ifdef __x86_64__
Test(injection, into_calls_of_its_own_changes_nothing_that_a_program_sees)
{
    struct process process = call(0, (struct program){.path = BUILD_FOLDER "/tests/inject/inject",
                                                      .arguments = {SHIM_PATH, "150"}});
    expect_said(&process, "| TIME_WAIT, rescued |");
}
#endif
