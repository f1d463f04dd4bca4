/*
 * What is written about the command: every option that --help shows is in the man page and in all
 * completions, and those of bash, fish and zsh complete.
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
    static const char *const commands[] = {"run",  "check", "why",    "audit",   "watch", "arm",
                                           "free", "guard", "enable", "disable", "status"};
    const char *page = read_document(SOURCE_FOLDER "/docs/libreuse.1");
    const char *bash = read_document(COMPLETIONS "libreuse.bash");
    const char *zsh = read_document(COMPLETIONS "_libreuse");
    const char *fish = read_document(COMPLETIONS "libreuse.fish");
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
                expect_option("libreuse.fish", fish, "-l ", option);
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
    cr_assert_str_eq(complete("run --report-only --level = e"), "err\n");
    cr_assert_str_eq(complete("run --level = ''"), "err\nwarning\nnotice\ninfo\n");
    cr_assert_str_eq(complete("run --swallowed ="), "log\nfail\nexit\n");
    cr_assert_str_eq(complete("check --j"), "--json\n");
    cr_assert_str_eq(complete("why --"), "--udp\n--wait\n--json\n--help\n--version\n");
    cr_assert_str_eq(complete("free --y"), "--yes\n");
    cr_assert_str_eq(complete("guard o"), "on\noff\n");
    cr_assert_str_eq(complete("guard on --ho"), "--host\n");
    cr_assert_str_eq(complete("enable --r"), "--report-only\n");
    cr_assert_str_eq(complete("enable --dry-run --level = e"), "err\n");
    cr_assert_str_eq(complete("status --j"), "--json\n");
}

/* Systemd escapes what a unit's name may not have. */
Test(completion, keeps_what_a_unit_is_called)
{
    char path[4096];
    const char *in = new_folder();
    write_file(path_in(in, "systemctl"),
               "#!/bin/sh\n"
               "echo 'dev-disk\\x2dA.service loaded'\n"
               "echo 'x$(echo>&2${IFS}executed)*.service loaded'\n",
               0755);
    snprintf(path, sizeof path, "%s:%s", in, getenv("PATH"));
    setenv("PATH", path, 1);
    cr_assert_str_eq(complete("enable dev"), "dev-disk\\x2dA.service\n");
    cr_assert_str_eq(complete("enable 'dev-disk\\\\x2d'"), "dev-disk\\x2dA.service\n");
    cr_assert_str_eq(complete("enable x"), "x$(echo>&2${IFS}executed)*.service\n");
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

/* Units are called so where systemd-escape(1) has made their names. */
Test(completion, keeps_backslashes)
{
    static const char *const typed[] = {"a", "'a\\\\x2d'", "'a\\x2d'"};
    for (size_t i = 0; i < sizeof typed / sizeof typed[0]; i++) {
        char *words;
        cr_assert_geq(asprintf(&words,
                               "); systemctl() { echo 'a\\x2db.service loaded'; };"
                               " COMP_WORDS=(libreuse enable %s",
                               typed[i]),
                      0);
        cr_assert_str_eq(complete(words), "a\\x2db.service\n", "%s", typed[i]);
    }
}

/* Lets fish complete a command line. What it shows behind a tab, the descriptions, is left out. */
static char *complete_in_fish(const char *line)
{
    char *script;
    if (access("/usr/bin/fish", X_OK) != 0) {
        skip_because("fish is not here");
    }
    cr_assert_geq(asprintf(&script,
                           "source " COMPLETIONS "libreuse.fish;"
                           " complete -C 'libreuse %s' | string replace -r '\t.*' ''; true",
                           line),
                  0);
    struct process process = call(0, (struct program){.path = "/usr/bin/fish",
                                                      .arguments = {"-N", "-c", script},
                                                      .settings = {"HOME=/nonexistent"}});
    cr_assert_str_empty(errors_of(&process), "%s", errors_of(&process));
    return output_of(&process);
}

Test(completion, works_in_fish)
{
    cr_assert_str_eq(complete_in_fish("a"), "arm\naudit\n");
    cr_assert_str_eq(complete_in_fish("run --lo"), "--log\n");
    cr_assert_str_eq(complete_in_fish("run --swallowed "), "exit\nfail\nlog\n");
    cr_assert_str_eq(complete_in_fish("why --u"), "--udp\n");
    cr_assert_str_eq(complete_in_fish("free --y"), "--yes\n");
    cr_assert_str_eq(complete_in_fish("guard o"), "off\non\n");
    cr_assert_str_eq(complete_in_fish("enable --r"), "--report-only\n");
    cr_assert_str_eq(complete_in_fish("help wh"), "why\n");
    cr_assert_not_null(strstr(complete_in_fish("run -n bas"), "bash\n"));
    cr_assert_not_null(strstr(complete_in_fish("check bas"), "bash\n"));
}

/*
 * zsh completes as at a keyboard: on a terminal, with the tabulator; a widget then writes what
 * stands there into a file.
 */
Test(completion, works_in_zsh)
{
    static const char script[] =
        "zmodload zsh/zpty && zpty shell zsh -f -i\n"
        "zpty -w shell \"fpath=($2 \\$fpath); autoload -Uz compinit; compinit -D -u;"
        " show() { print -r -- \\$BUFFER >>$1; BUFFER= }; zle -N show; bindkey '^Xs' show\"\n"
        "for line in ${(s:|:)3}; do zpty -w -n shell \"libreuse $line\"$'\\t\\C-xs'; done\n"
        "zpty -w shell exit\n"
        "while zpty -r shell answer; do :; done\n";
    if (access("/usr/bin/zsh", X_OK) != 0) {
        skip_because("zsh is not here");
    }
    const char *out = path_in(new_folder(), "out");
    const char *typed = "statu|why --u|enable --sw|run --level=w|guard of|guard on --dr|help wh";
    call(0, (struct program){.path = "/usr/bin/zsh",
                             .arguments = {"-f", "-c", script, "zsh", out, COMPLETIONS, typed}});
    cr_assert_str_eq(read_document(out), "libreuse status \n"
                                         "libreuse why --udp \n"
                                         "libreuse enable --swallowed=\n"
                                         "libreuse run --level=warning \n"
                                         "libreuse guard off \n"
                                         "libreuse guard on --dry-run \n"
                                         "libreuse help why \n");
}

Test(documents, carry_the_name_and_the_version)
{
    expect_option("libreuse.1", read_document(SOURCE_FOLDER "/docs/libreuse.1"), "\n.Os libreuse ",
                  LIBREUSE_VERSION "\n");
    expect_option("libreuse.so.8", read_document(SOURCE_FOLDER "/docs/libreuse.so.8"),
                  "\n.Os libreuse ", LIBREUSE_VERSION "\n");
}

/* The quoted word that a call of json_...() names its member with, in the sources of the command.
 */
/* Each word that a command prints must stand in the reference as `WORD`. */
static void expect_words_of(const char *script, unsigned int least)
{
    const char *reference = read_document(SOURCE_FOLDER "/docs/reference.md");
    struct process words =
        call(0, (struct program){.path = "/bin/sh", .arguments = {"-c", script}});
    unsigned int count = 0;
    char *rest = output_of(&words);
    for (char *word; (word = strsep(&rest, "\n")) != NULL;) {
        if (word[0] != '\0') {
            char *quoted;
            cr_assert_geq(asprintf(&quoted, "%s`", word), 0);
            expect_option("reference.md", reference, "`", quoted);
            free(quoted);
            count++;
        }
    }
    cr_assert_gt(count, least, "only %u were found", count);
}

Test(documents, describe_every_key_of_json)
{
    expect_words_of(
        "grep -hoE '(json_[a-z_]+|sentences_json)\\([^\";]*, \"[a-z][a-z_0-9]*\"' " SOURCE_FOLDER
        "/cli/*/*.c | grep -v json_option | sed 's/.*\"\\(.*\\)\"/\\1/' | sort -u",
        50);
}

Test(documents, describe_every_fact_of_a_report)
{
    expect_words_of("sed -n '/^const struct field/,/^}/p' " SOURCE_FOLDER
                    "/shim/report/fields.c | grep -o '\"[A-Za-z_]*\"' | tr -d '\"'",
                    50);
}
