/*
 * Whatever the arguments are, the subcommands that look at ports end with one of the statuses that
 * libreuse(1) lists. SEQUENCES=n for more tries, SEED=n for the same ones again.
 */
#include "deadline.h"
#include "invoke.h"
#include "namespace.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(command_arguments, .init = enter_private_network);

static unsigned int number_from(const char *variable, unsigned int otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? (unsigned int)strtoul(text, NULL, 10) : otherwise;
}

static const char *const known[] = {
    "--json",   "--udp",      "--wait",   "--yes",     "--dry-run",
    "--pid",    "--port",     "--",       "-",         "-n",
    "-y",       "-h",         "-V",       "--help",    "0",
    "1",        "80",         "9999",     "65535",     "65536",
    "*:80",     "[::]:1",     "[::1]:5",  "0.0.0.0:9", "--pid=1",
    "--port=9", "4294967297", "",         "%s%n",      "[",
    "]:1",      "[fe80::1%]", "[%%%]:80", "--j",       "--p",
    ":",        "::::",       "-1",       "1.2.3.4:",  "999999999999999999999999999",
    "--json=1"};
enum { KNOWN = sizeof known / sizeof known[0] };

/* A word that is known, or a few bytes; never with a zero byte, which no argument can have. */
static const char *any_argument(unsigned int *seed, char bytes[64])
{
    if (rand_r(seed) % 4 != 0) {
        return known[(unsigned int)rand_r(seed) % KNOWN];
    }
    const size_t length = (size_t)rand_r(seed) % 63;
    static const char common[] = "0123456789.:[]*%-=/";
    for (size_t i = 0; i < length; i++) {
        const unsigned int choice = (unsigned int)rand_r(seed);
        bytes[i] = choice % 2 == 0 ? common[choice / 2 % (sizeof common - 1)]
                                   : (char)(1 + choice / 2 % 255);
    }
    bytes[length] = '\0';
    return bytes;
}

Test(command_arguments, any_arguments_give_one_of_the_statuses)
{
    static const char *const commands[] = {"why", "audit", "arm", "free"};
    const unsigned int tries = number_from("SEQUENCES", 200);
    const unsigned int first = number_from("SEED", (unsigned int)time(NULL));
    for (unsigned int i = 0; i < tries; i++) {
        unsigned int seed = first + i;
        char bytes[3][64];
        struct program program = {.path = LIBREUSE_PATH};
        program.arguments[0] = commands[(unsigned int)rand_r(&seed) % 4];
        const unsigned int count = (unsigned int)rand_r(&seed) % 4;
        for (unsigned int j = 0; j < count; j++) {
            program.arguments[j + 1] = any_argument(&seed, bytes[j]);
        }
        struct process process = start(program);
        EVENTUALLY(has_ended(&process));
        cr_assert(WIFEXITED(process.status) && WEXITSTATUS(process.status) <= 3,
                  "SEED=%u: %s \"%s\" \"%s\" \"%s\": status %#x; it wrote:\n%s%s", first + i,
                  program.arguments[0], count > 0 ? program.arguments[1] : "",
                  count > 1 ? program.arguments[2] : "", count > 2 ? program.arguments[3] : "",
                  (unsigned int)process.status, output_of(&process), errors_of(&process));
        close(process.output);
        close(process.errors);
    }
}

Test(command_arguments, the_option_that_is_wrong_is_named)
{
    static const struct {
        const char *const arguments[5];
        int status;
        const char *complaint;
    } wrong[] = {
        {{"why", "-hx", "9"}, 0, ""}, /* what comes first counts */
        {{"why", "-xh", "9"}, 2, "why: -x: no such option\n"},
        {{"free", "--yes", "-nq", "9"}, 2, "free: -q: no such option\n"},
        {{"free", "--yes=1", "9"}, 2, "free: --yes=1: this option takes no value\n"},
        {{"arm", "--dry-run=no", "9"}, 2, "arm: --dry-run=no: this option takes no value\n"},
        {{"arm", "9", "--prot=9"}, 2, "arm: --prot=9: no such option\n"},
        {{"arm", "--port"}, 2, "arm: --port needs a value\n"},
        {{"enable", "-qn", "unit"}, 2, "enable: -q: no such option\n"},
        {{"enable", "--wait"}, 2, "enable: --wait needs a value\n"},
        {{"run", "-nq", "true"}, 125, "run: -q: no such option\n"},
        {{"run", "--no-such", "true"}, 125, "run: --no-such: no such option\n"},
        {{"run", "--json=1", "true"}, 125, "run: --json=1: this option takes no value\n"},
        {{"run", "--wait"}, 125, "run: --wait needs a value\n"},
        {{"version", "why"}, 2, "version: why: no argument was expected\n"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct process process = invoke(wrong[i].status, wrong[i].arguments);
        expect_complaint(&process, wrong[i].complaint);
    }
}

Test(command_arguments, every_help_fits_a_screen)
{
    enum { LINES = 24, COLUMNS = 80 };
    static const char *const commands[] = {"why", "audit", "arm", "free"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct process process =
            start((struct program){.path = LIBREUSE_PATH, .arguments = {commands[i], "--help"}});
        expect_exit(&process, 0);
        unsigned int lines = 0;
        for (const char *line = output_of(&process); *line != '\0'; lines++) {
            const size_t length = strcspn(line, "\n");
            cr_assert_leq(length, (size_t)COLUMNS, "%s: %.*s", commands[i], (int)length, line);
            line += length + 1;
        }
        cr_assert_lt(lines, (unsigned int)LINES, "%s: a line is left for the prompt", commands[i]);
        cr_assert_str_empty(errors_of(&process));
    }
}
