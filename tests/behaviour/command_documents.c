/*
 * What is written about the command: every option that --help shows is in the man page and in both
 * completions, and the completion of bash completes.
 */
#include "invoke.h"
#include "skip.h"
#include "target.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMPLETIONS SOURCE_FOLDER "/packaging/completions/"

static char *read_document(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s", path);
    char *text = content_of(fd);
    close(fd);
    return text;
}

static void expect_option(const char *document, const char *text, const char *prefix,
                          const char *option)
{
    char *words;
    cr_assert_geq(asprintf(&words, "%s%s", prefix, option), 0);
    cr_assert_not_null(strstr(text, words), "%s does not have \"%s\"", document, words);
    free(words);
}

Test(documents, have_every_option)
{
    static const char *const commands[] = {"run",  "check",  "why",     "audit", "arm",
                                           "free", "enable", "disable", "status"};
    const char *page = read_document(SOURCE_FOLDER "/docs/libreuse.1");
    const char *bash = read_document(COMPLETIONS "libreuse.bash");
    const char *zsh = read_document(COMPLETIONS "_libreuse");
    unsigned int options = 0;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct process process = LIBREUSE(0, commands[i], "--help");
        for (const char *at = output_of(&process); (at = strstr(at, " --")) != NULL;) {
            char option[32] = "";
            at += 3;
            for (size_t n = 0; n < sizeof option - 1 && (islower(at[n]) || at[n] == '-'); n++) {
                option[n] = at[n];
            }
            if (option[0] != '\0') {
                expect_option("libreuse.1", page, "-", option);
                expect_option("libreuse.bash", bash, "--", option);
                expect_option("_libreuse", zsh, "--", option);
                options++;
            }
        }
    }
    cr_assert_gt(options, 20, "the help texts have only %u options", options);
}

Test(documents, have_every_variable)
{
    static const char *const variables[] = {"LOG",  "FORMAT",    "LEVEL",   "PORTS",
                                            "WAIT", "SWALLOWED", "EXPLAIN", "DRY_RUN"};
    const char *page = read_document(SOURCE_FOLDER "/docs/libreuse.so.8");
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        expect_option("libreuse.so.8", page, ".It Ev LIBREUSE_", variables[i]);
    }
}

/* Lets bash complete a command line whose last word is the one to complete. */
static char *complete(const char *words)
{
    char *script;
    if (access("/bin/bash", X_OK) != 0) {
        skip_because("/bin/bash is not here");
    }
    cr_assert_geq(asprintf(&script,
                           "source " COMPLETIONS "libreuse.bash; COMP_WORDS=(libreuse %s);"
                           " COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _libreuse;"
                           " printf '%%s\\n' \"${COMPREPLY[@]}\"",
                           words),
                  0);
    struct process process =
        call(0, (struct program){.path = "/bin/bash", .arguments = {"-c", script}});
    cr_assert_str_empty(errors_of(&process), "%s", errors_of(&process));
    return output_of(&process);
}

Test(completion, knows_commands_options_and_values)
{
    cr_assert_str_eq(complete("a"), "audit\narm\n");
    cr_assert_str_eq(complete("run --lo"), "--log\n");
    cr_assert_str_eq(complete("run --dry-run --level = e"), "err\n");
    cr_assert_str_eq(complete("run --level = ''"), "err\nwarning\nnotice\ninfo\ndebug\n");
    cr_assert_str_eq(complete("run --swallowed ="), "log\nfail\nexit\n");
    cr_assert_str_eq(complete("check --j"), "--json\n");
    cr_assert_str_eq(complete("why --"), "--udp\n--wait\n--json\n--help\n--version\n");
    cr_assert_str_eq(complete("free --y"), "--yes\n");
    cr_assert_str_eq(complete("enable --r"), "--report-only\n");
    cr_assert_str_eq(complete("enable --show --level = e"), "err\n");
    cr_assert_str_eq(complete("status --j"), "--json\n");
}

Test(completion, completes_programs_and_their_arguments)
{
    const char *in = new_folder();
    cr_assert_eq(chdir(in), 0);
    write_file(path_in(in, "some-file"), "", 0644);
    cr_assert_str_eq(complete("run --wait = 5 -- sh some-"), "some-file\n");
    cr_assert_str_eq(complete("run --dry-run sh --some-"), "\n");
    cr_assert_not_null(strstr(complete("run bas"), "bash\n"));
    cr_assert_not_null(strstr(complete("check bas"), "bash\n"));
    cr_assert_not_null(strstr(complete("check 1"), "1\n"));
}
