/*
 * libreuse audit --prometheus: held to the grammar of the text format by a reader of our own, and
 * by promtool(1) where that is installed.
 */
#include "deadline.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "skip.h"
#include "sockets.h"
#include "target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(command_metrics, .init = enter_private_network);

#define NAME   "[a-zA-Z_:][a-zA-Z0-9_:]*"
#define LABEL  "[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\]|\\\\[\\\"n])*\""
#define SAMPLE "^(" NAME ")(\\{" LABEL "(," LABEL ")*\\})? -?[0-9]+$"

/* Whether the line is of this form; `first` becomes what its first group has matched. */
static bool is_of_form(const char *line, const char *form, char first[128])
{
    regex_t regex;
    regmatch_t groups[2];
    cr_assert_eq(regcomp(&regex, form, REG_EXTENDED), 0);
    const bool is = regexec(&regex, line, 2, groups, 0) == 0;
    regfree(&regex);
    if (is) {
        snprintf(first, 128, "%.*s", (int)(groups[1].rm_eo - groups[1].rm_so),
                 line + groups[1].rm_so);
    }
    return is;
}

/*
 * Asserts that a family is its HELP, its TYPE and samples of that name, none of them twice, no
 * family twice, and that the end is "# EOF". The result is the number of samples.
 */
static unsigned int expect_grammar(const struct process *process)
{
    char *rest = strdup(output_of(process));
    const char *text = output_of(process);
    char family[128] = "";
    char name[128];
    unsigned int samples = 0;
    cr_assert_eq(text[strlen(text) - 1], '\n', "%s", text);
    for (char *line; (line = strsep(&rest, "\n")) != NULL && strcmp(line, "# EOF") != 0;) {
        char *once;
        cr_assert_geq(asprintf(&once, "\n%.*s ", (int)(strrchr(line, ' ') - line), line), 0);
        if (is_of_form(line, "^# HELP (" NAME ") [^\\]+$", name)) {
            cr_assert_null(strstr(text, once + 1) != text ? strstr(strstr(text, once) + 1, once)
                                                          : strstr(text, once),
                           "twice: %s", line);
            snprintf(family, sizeof family, "%s", name);
            line = strsep(&rest, "\n");
            cr_assert(is_of_form(line, "^# TYPE (" NAME ") gauge$", name), "%s", line);
            cr_assert_str_eq(name, family);
        } else {
            cr_assert(is_of_form(line, SAMPLE, name), "no sample: %s", line);
            cr_assert_str_eq(name, family);
            cr_assert_null(strstr(strstr(text, once) + 1, once), "twice: %s", line);
            samples++;
        }
        free(once);
    }
    cr_assert_str_eq(rest, "", "expected # EOF at the end of:\n%s", text);
    return samples;
}

Test(command_metrics, count_listeners_by_verdict)
{
    struct host plain = start_host(WITHOUT_SHIM);
    struct host shimmed = start_host(WITH_SHIM);
    host_serve(&plain, "127.0.0.1:1001");
    host_serve(&plain, "127.0.0.1:1002");
    host_serve(&shimmed, "127.0.0.1:1003");
    host_serve(&shimmed, "127.0.0.1:1004");
    host_serve(&shimmed, "127.0.0.1:1005");
    struct process audit = LIBREUSE(1, "audit", "--prometheus");
    expect_said(&audit, "libreuse_listeners{verdict=\"restarts-cleanly\"} 3\n"
                        "libreuse_listeners{verdict=\"next-restart-fails\"} 2\n"
                        "libreuse_listeners{verdict=\"inherited\"} 0\n"
                        "libreuse_listeners{verdict=\"lost-its-port\"} 0\n"
                        "libreuse_listeners{verdict=\"not-known\"} 0\n");
    expect_said(&audit, "\nlibreuse_processes{version=\"" LIBREUSE_VERSION "\"} 1\n");
    expect_said(&audit, "\nlibreuse_build_info{version=\"" LIBREUSE_VERSION "\"} 1\n");
    expect_said(&audit, "\nlibreuse_suspect_listeners 0\n");
    expect_said(&audit, "\nlibreuse_audit_complete 1\n# EOF\n");
    cr_assert_eq(expect_grammar(&audit), 9);
}

/* A server of this name has lost port 9999, and listens elsewhere. */
static struct process lose_port_as(const char *name)
{
    const char *in = new_folder();
    copy_file(BUILD_FOLDER "/server1", path_in(in, name), 0755);
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct process server = start((struct program){.path = path_in(in, name), .shim = WITH_SHIM});
    EVENTUALLY(strstr(output_of(&server), "listening") != NULL);
    return server;
}

Test(command_metrics, name_each_lost_port)
{
    lose_port_as("server1");
    struct process audit = LIBREUSE(1, "audit", "--prometheus");
    EXPECT_LINE(&audit, "libreuse_lost_port_timestamp_seconds{program=\"server1\",",
                ",address=\"0.0.0.0:9999\",error=\"EADDRINUSE\",listens_on=\"0.0.0.0:");
    expect_said(&audit, "libreuse_listeners{verdict=\"lost-its-port\"} 1\n");
    expect_grammar(&audit);
}

/* Not even by its name does a program break the file. */
#define HOSTILE "a\"} 1\n\\{\xff"

Test(command_metrics, have_escaped_labels)
{
    lose_port_as(HOSTILE);
    struct process audit = LIBREUSE(1, "audit", "--prometheus");
    EXPECT_LINE(&audit, "{program=\"a\\\"} 1\\\\x0a\\\\{\\\\xff\",address=");
    expect_grammar(&audit);
}

Test(command_metrics, of_a_host_that_cannot_be_judged_say_so)
{
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:1001");
    struct process audit = LIBREUSE_AS_NOBODY(3, "audit", "--prometheus");
    expect_said(&audit, "libreuse_listeners{verdict=\"not-known\"} 1\n");
    expect_grammar(&audit);
}

static const char *need_promtool(void)
{
    static const char promtool[] = "/usr/bin/promtool";
    if (access(promtool, X_OK) != 0) {
        skip_because("%s is not here (Debian: prometheus)", promtool);
    }
    return promtool;
}

/* promtool reads them as the collector does, and has opinions about names. */
Test(command_metrics, are_to_the_taste_of_promtool)
{
    const char *promtool = need_promtool();
    struct process server = lose_port_as(HOSTILE);
    struct process audit = LIBREUSE(1, "audit", "--prometheus");
    cr_assert_eq(lseek(audit.output, 0, SEEK_SET), 0);
    struct process check = run((struct program){
        .path = promtool, .arguments = {"check", "metrics"}, .input = audit.output});
    cr_assert_str_empty(output_of(&check), "%s", output_of(&check));
    cr_assert_str_empty(errors_of(&check), "%s", errors_of(&check));
    cr_assert_not(has_ended(&server));
}

Test(command_metrics, make_the_alert_rules_speak_when_they_should)
{
    run((struct program){
        .path = need_promtool(),
        .arguments = {"test", "rules", SOURCE_FOLDER "/tests/fixtures/alerts.yml"}});
}

/* What libreuse-metrics.service executes, in a folder, with the libreuse that is first in PATH. */
static void execute_as_the_service(int status, const char *folder, const char *path)
{
    char *script;
    cr_assert_geq(
        asprintf(
            &script,
            "cd %s && PATH=%s:/usr/bin:/bin && "
            "eval \"$(sed -n 's/^ExecStart=//p' %s/packaging/systemd/libreuse-metrics.service)\"",
            folder, path, SOURCE_FOLDER),
        0);
    call(status, (struct program){.path = "/bin/sh", .arguments = {"-c", script}});
}

Test(command_metrics, reach_the_collector_whole_or_not_at_all)
{
    const char *in = new_folder();
    const char *broken = path_in(in, "broken");
    cr_assert_eq(mkdir(broken, 0755), 0);
    write_file(path_in(broken, "libreuse"), "#!/bin/sh\necho '# HELP libreuse_listeners Lis'\n",
               0755);
    execute_as_the_service(1, in, broken);
    cr_assert_neq(access(path_in(in, "libreuse.prom"), F_OK), 0);
    execute_as_the_service(0, in, BUILD_FOLDER);
    struct process first =
        run((struct program){.path = "/bin/cat", .arguments = {path_in(in, "libreuse.prom")}});
    cr_assert_eq(expect_grammar(&first), 8);
    execute_as_the_service(1, in, broken);
    struct process second =
        run((struct program){.path = "/bin/cat", .arguments = {path_in(in, "libreuse.prom")}});
    cr_assert_str_eq(output_of(&second), output_of(&first));
}

Test(command_metrics, and_json_are_not_for_one_reader)
{
    struct process audit = LIBREUSE(2, "audit", "--json", "--prometheus");
    expect_complaint(&audit, "one of --json and --prometheus");
    cr_assert_str_empty(output_of(&audit));
}
