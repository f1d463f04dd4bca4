/*
 * libreuse check: what it says of programs, and of processes that run with and without the shim.
 */
#include "deadline.h"
#include "filter.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "skip.h"
#include "target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DYNAMIC TARGETS "dynamic"

Test(check, says_that_a_program_is_reached_and_how)
{
    struct process process = LIBREUSE(0, "check", DYNAMIC);
    EXPECT_LINE(&process, "program", DYNAMIC, "dynamic");
    EXPECT_LINE(&process, "library", SHIM_PATH);
    EXPECT_LINE(&process, "verdict", "reached");
    cr_assert_str_empty(errors_of(&process));
}

/* The word of the obstacle in JSON, which scripts rely on. */
static void expect_obstacle(const char *program, const char *obstacle)
{
    char *member;
    cr_assert_geq(asprintf(&member, "\"obstacle\": \"%s\"", obstacle), 0);
    struct process json = LIBREUSE(1, "check", "--json", program);
    expect_said(&json, member);
    expect_said(&json, "\"reached\": false");
    struct process text = LIBREUSE(1, "check", program);
    EXPECT_LINE(&text, "verdict", "not reached: ");
    EXPECT_LINE(&text, "way out");
}

Test(check, has_a_word_for_every_obstacle)
{
    const char *in = new_folder();
    static const struct {
        const char *program;
        const char *obstacle;
    } targets[] = {{TARGETS "static", "static"}, {TARGETS "musl_static", "static"},
                   {TARGETS "go", "go"},         {TARGETS "no_libraries", "no-libraries"},
                   {TARGETS "i386", "platform"}, {TARGETS "asan", "address-sanitizer"}};
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        if (access(targets[i].program, X_OK) == 0) {
            expect_obstacle(targets[i].program, targets[i].obstacle);
        } else {
            fprintf(stderr, "SKIPPED: %s could not be built on this machine\n", targets[i].program);
        }
    }
    char *script = path_in(in, "script");
    write_file(script, "#!/no/such/interpreter\n", 0755);
    expect_obstacle(script, "no-interpreter");
    write_file(script, "#!/usr/bin/env -S -i sh\n", 0755);
    expect_obstacle(script, "environment");
    write_file(script, "\177ELF", 0755);
    expect_obstacle(script, "damaged");
    write_file(script, "#!/bin/sh\n", 0644);
    expect_obstacle(script, "not-executable");
    expect_obstacle(in, "not-executable");
    expect_obstacle("/no/such/program", "not-found");
    expect_obstacle("no-such-program", "not-found");
    copy_file(SHIM_PATH, script, 0755);
    expect_obstacle(script, "no-program");
}

Test(check, shows_the_scripts_on_the_way_to_a_program)
{
    const char *in = new_folder();
    char *script = path_in(in, "script");
    write_file(script, "#!/usr/bin/env " DYNAMIC "\n", 0755);
    struct process text = LIBREUSE(0, "check", script);
    EXPECT_LINE(&text, "script", script, "(#!/usr/bin/env " DYNAMIC ")");
    EXPECT_LINE(&text, "program", DYNAMIC);
    struct process json = LIBREUSE(0, "check", "--json", script);
    expect_said(&json, "\"interpreter\": \"/usr/bin/env " DYNAMIC "\"");
    expect_said(&json, "\"reached\": true");
    expect_said(&json, "\"obstacle\": null");
}

/* It is the shell that is reached; what it becomes may not be, and nothing else would say so. */
Test(check, warns_of_what_a_script_executes)
{
    need_target(TARGETS "static");
    static const char *const silent[] = {"exec \"$SERVER\" " TARGETS "static\n",
                                         "exec 2>&1\n",
                                         "exec env A=b " TARGETS "static\n",
                                         "# exec " TARGETS "static\n",
                                         "exec ./static\n",
                                         "exec " TARGETS "static\nexec " DYNAMIC "\n"};
    char *script = path_in(new_folder(), "script");
    write_file(script, "#!/bin/sh\ncd /\n  exec -a x '" TARGETS "static' -v \"$@\"\n", 0755);
    struct process text = LIBREUSE(0, "check", script);
    EXPECT_LINE(&text, "warning", "which is reached, executes in line 3 " TARGETS "static",
                "is statically linked", "libreuse free PORT");
    struct process json = LIBREUSE(0, "check", "--json", script);
    expect_said(&json, "\"warning\": \"/");
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        write_file(script, silent[i], 0755);
        struct process plain = LIBREUSE(0, "check", script);
        EXPECT_LINE(&plain, "notice", "a script: ", " is reached");
        expect_not_said(&plain, "warning");
    }
    struct process reached = LIBREUSE(0, "check", script);
    EXPECT_LINE(&reached, "notice", "and " DYNAMIC ", which it executes in line 2");
}

/* A program by PHP's name, with the name of a folder in it, as PHP has. */
Test(check, warns_of_extensions_that_go_past_the_shim)
{
    const char *in = new_folder();
    char *folder = path_in(in, "20220829");
    char *php = path_in(in, "php8.2");
    char *text;
    cr_assert_eq(mkdir(folder, 0755), 0);
    copy_file(DYNAMIC, php, 0755);
    struct process before = LIBREUSE(0, "check", php);
    expect_not_said(&before, "warning");
    FILE *program = fopen(php, "a");
    cr_assert_geq(fprintf(program, "%c%s%c", '\0', folder, '\0'), 0);
    cr_assert_eq(fclose(program), 0);
    struct process none = LIBREUSE(0, "check", php);
    expect_not_said(&none, "warning");
    copy_file(BUILD_FOLDER "/fixtures/lib/constructor_bind.so", path_in(folder, "sockets.so"),
              0644);
    write_file(path_in(folder, "ctype.so"), "no module", 0644);
    cr_assert_geq(asprintf(&text, "is not reached: sockets.so in %s;", folder), 0);
    struct process found = LIBREUSE(0, "check", php);
    EXPECT_LINE(&found, "warning", text, "RTLD_DEEPBIND", "libreuse guard");
}

Test(check, notices_a_go_program_with_libc)
{
    need_target(TARGETS "go_dynamic");
    struct process process = LIBREUSE(0, "check", TARGETS "go_dynamic");
    EXPECT_LINE(&process, "notice", "a Go program");
}

Test(check, notices_a_program_that_is_set_user_id_for_others)
{
    char *file = path_in(new_folder(), "program");
    copy_file(DYNAMIC, file, 04755);
    struct process process = LIBREUSE(0, "check", file);
    EXPECT_LINE(&process, "notice", "set-user-ID root");
}

Test(check, shows_hostile_names_harmlessly)
{
    const char *in = new_folder();
    char *file = path_in(in, "a\033[31m\"b\\\n\xff\xc3\xa4");
    copy_file(DYNAMIC, file, 0755);
    struct process text = LIBREUSE(0, "check", file);
    expect_said(&text, "a\\x1b[31m\"b\\\\x0a\\xff\xc3\xa4");
    cr_assert(strchr(output_of(&text), '\033') == NULL);
    struct process json = LIBREUSE(0, "check", "--json", file);
    expect_said(&json, "a\\u001b[31m\\\"b\\\\\\u000a\xef\xbf\xbd\xc3\xa4\"");
}

Test(check, gives_2_for_wrong_usage)
{
    struct process nothing = LIBREUSE(2, "check");
    expect_complaint(&nothing, "no program and no process ID given");
    struct process more = LIBREUSE(2, "check", "sh", "ls");
    expect_complaint(&more, "ls: one program or process ID was expected");
    struct process option = LIBREUSE(2, "check", "--no-such", "sh");
    expect_complaint(&option, "--no-such");
    struct process zero = LIBREUSE(2, "check", "0");
    expect_complaint(&zero, "is not a process ID");
}

static struct host serve(enum shim shim, struct program program)
{
    enter_private_network();
    struct host host = start_host_as(shim, program);
    host_serve(&host, "127.0.0.1:9999");
    return host;
}

Test(check, says_that_a_server_with_the_shim_restarts_cleanly)
{
    struct host host = serve(WITH_SHIM, (struct program){.settings = {"LIBREUSE_WAIT=7"}});
    struct process text = LIBREUSE(0, "check", text_of(host.process.pid));
    EXPECT_LINE(&text, "library", SHIM_PATH);
    EXPECT_LINE(&text, "settings", "LIBREUSE_WAIT=7");
    EXPECT_LINE(&text, "listens", "127.0.0.1:9999", "armed");
    EXPECT_LINE(&text, "verdict", "restarts cleanly");
    expect_not_said(&text, "not armed");
    struct process json = LIBREUSE(0, "check", "--json", text_of(host.process.pid));
    expect_said(&json, "\"libreuse\": true");
    expect_said(&json, "\"LIBREUSE_WAIT\": \"7\"");
    expect_said(&json, "\"listens_on\": \"127.0.0.1:9999\"");
    expect_said(&json, "\"reuseaddr\": true");
    expect_said(&json, "\"restarts_cleanly\": true");
}

Test(check, says_that_a_server_without_the_shim_has_none)
{
    struct host host = serve(WITHOUT_SHIM, (struct program){0});
    struct process text = LIBREUSE(1, "check", text_of(host.process.pid));
    EXPECT_LINE(&text, "listens", "127.0.0.1:9999", "not armed");
    EXPECT_LINE(&text, "verdict", "libreuse.so is not in it", "LD_PRELOAD did not name it");
    EXPECT_LINE(&text, "way out", "libreuse arm ");
    struct process json = LIBREUSE(1, "check", "--json", text_of(host.process.pid));
    expect_said(&json, "\"libreuse\": false");
    expect_said(&json, "\"reuseaddr\": false");
}

Test(check, sees_that_a_listener_is_left_out_by_the_settings)
{
    struct host host = serve(WITH_SHIM, (struct program){.settings = {"LIBREUSE_PORTS=80"}});
    struct process text = LIBREUSE(1, "check", text_of(host.process.pid));
    EXPECT_LINE(&text, "listens", "127.0.0.1:9999", "not armed");
    EXPECT_LINE(&text, "verdict", "1 of 1 listeners are not armed");
}

/*
 * A server in a module that was opened in this way, under the shim. It runs until the test ends:
 * its input is a pipe that the test holds.
 */
static struct process serve_in_module(const char *way)
{
    int input[2];
    cr_assert_eq(pipe2(input, O_CLOEXEC), 0);
    enter_private_network();
    struct process host = start((struct program){
        .path = BUILD_FOLDER "/fixtures/deepbind_host",
        .shim = WITH_SHIM,
        .arguments = {way, BUILD_FOLDER "/fixtures/lib/constructor_bind.so"},
        .input = input[0],
    });
    close(input[0]);
    EVENTUALLY(strchr(output_of(&host), '\n') != NULL || has_ended(&host));
    if (strstr(output_of(&host), "no RTLD_DEEPBIND") != NULL) {
        skip_because("this C library has no RTLD_DEEPBIND");
    }
    return host;
}

/* As PHP's extensions: the shim is in the process, and the module does not come by it. */
Test(check, finds_a_module_whose_calls_go_past_the_shim)
{
    struct process host = serve_in_module("deepbind");
    struct process text = LIBREUSE(1, "check", text_of(host.pid));
    EXPECT_LINE(&text, "listens", "0.0.0.0:9999", "not armed");
    EXPECT_LINE(&text, "verdict", "constructor_bind.so", "past libreuse.so", "RTLD_DEEPBIND");
    EXPECT_LINE(&text, "way out", "libreuse guard");
    expect_not_said(&text, "LIBREUSE_PORTS");
    struct process json = LIBREUSE(1, "check", "--json", text_of(host.pid));
    expect_said(&json, "\"modules_past_libreuse\": [\n    \"/");
    expect_said(&json, "/constructor_bind.so\"\n  ]");
}

/* Nothing in it knows whether it has lost a port, although libreuse is there. */
Test(check, finds_what_audit_takes_for_a_server_that_may_have_lost_its_port)
{
    serve_in_module("deepbind");
    struct process asked = LIBREUSE(1, "audit");
    EXPECT_LINE(&asked, "0.0.0.0:9999", "yes", "next restart may fail for up to 60 s");
    EXPECT_LINE(&asked, "libreuse run PROGRAM, or, where libreuse is in it already: libreuse "
                        "check PID");
    set_network("ipv4/ip_local_port_range", "9999 9999");
    struct process given = LIBREUSE(1, "audit");
    EXPECT_LINE(&given, "0.0.0.0:9999 (ephemeral)", "may have lost its port");
    expect_not_said(&given, "libreuse run");
    struct process why = LIBREUSE(0, "why", "8888");
    EXPECT_LINE(&why, "deepbind_host[", "] on 0.0.0.0:9999; if 8888 was theirs: restart them");
}

Test(check, finds_a_module_in_another_namespace_of_the_loader)
{
    struct process host = serve_in_module("dlmopen");
    struct process text = LIBREUSE(1, "check", text_of(host.pid));
    EXPECT_LINE(&text, "verdict", "constructor_bind.so", "past libreuse.so");
}

Test(check, says_nothing_of_a_module_that_comes_by_the_shim)
{
    struct process host = serve_in_module("dlopen");
    struct process text = LIBREUSE(0, "check", text_of(host.pid));
    EXPECT_LINE(&text, "verdict", "restarts cleanly");
    expect_not_said(&text, "past libreuse.so");
    struct process json = LIBREUSE(0, "check", "--json", text_of(host.pid));
    expect_said(&json, "\"modules_past_libreuse\": []");
}

Test(check, finds_a_server_that_has_lost_its_port)
{
    char listener[64];
    struct host host = serve(WITH_SHIM, (struct program){0});
    struct process well = LIBREUSE(0, "check", text_of(host.process.pid));
    expect_not_said(&well, "ephemeral");
    struct host lost = start_host(WITH_SHIM);
    snprintf(listener, sizeof listener, "0.0.0.0:%u (fd", host_lose_port(&lost, "127.0.0.1:9999"));
    struct process text = LIBREUSE(1, "check", text_of(lost.process.pid));
    EXPECT_LINE(&text, "listens", listener, ", ephemeral) armed");
    EXPECT_LINE(&text, "verdict", "lost port 9999 at ", "(EADDRINUSE), listens on 0.0.0.0:");
    EXPECT_LINE(&text, "in force", "LIBREUSE_LEVEL=notice");
    EXPECT_LINE(&text, "notice", "a server that has lost its port looks like this");
    struct process json = LIBREUSE(1, "check", "--json", text_of(lost.process.pid));
    expect_said(&json, "\"ephemeral_port\": true,");
    expect_said(&json, "\"port\": 9999,");
}

/* There, the kernel may give out others. */
Test(check, does_not_know_the_ephemeral_ports_of_another_network)
{
    enter_private_network();
    struct host host = start_host(WITH_SHIM);
    host_unshare(&host, CLONE_NEWNET);
    EXPECT_SUCCESS(host_listen(&host, host_tcp_socket(&host)));
    struct process text = LIBREUSE(0, "check", text_of(host.process.pid));
    EXPECT_LINE(&text, "listens", "armed");
    expect_not_said(&text, "ephemeral");
    struct process json = LIBREUSE(0, "check", "--json", text_of(host.process.pid));
    expect_said(&json, "\"ephemeral_port\": null,");
}

Test(check, sees_several_listeners_and_both_families)
{
    enter_private_network();
    struct host host = start_host(WITH_SHIM);
    host_serve(&host, "127.0.0.1:9999");
    host_serve(&host, "0.0.0.0:8888");
    int fd = host_socket(&host, AF_INET6, SOCK_STREAM, 0);
    if (host_bind(&host, fd, "[::1]:7777") == 0) {
        EXPECT_SUCCESS(host_listen(&host, fd));
        struct process process = LIBREUSE(0, "check", text_of(host.process.pid));
        EXPECT_LINE(&process, "[::1]:7777", "armed");
    }
    struct process process = LIBREUSE(0, "check", text_of(host.process.pid));
    EXPECT_LINE(&process, "127.0.0.1:9999", "armed");
    EXPECT_LINE(&process, "0.0.0.0:8888", "armed");
}

Test(check, is_content_with_a_process_with_the_shim_that_does_not_listen_yet)
{
    enter_private_network();
    struct host host = start_host(WITH_SHIM);
    struct process process = LIBREUSE(0, "check", text_of(host.process.pid));
    EXPECT_LINE(&process, "settings", "the defaults");
    EXPECT_LINE(&process, "verdict", "nothing listens yet");
}

Test(check, says_why_the_shim_is_not_in_a_static_process)
{
    need_target(TARGETS "static");
    struct process target = start((struct program){
        .path = LIBREUSE_PATH, .arguments = {"run", "--force", TARGETS "static", "wait"}});
    EVENTUALLY(strstr(output_of(&target), "argument=wait\n") != NULL);
    struct process process = LIBREUSE(1, "check", text_of(target.pid));
    EXPECT_LINE(&process, "verdict", "libreuse.so is not in it: it is statically linked");
}

Test(check, says_why_the_shim_is_not_in_a_process_with_more_rights)
{
    char *file = path_in(new_folder(), "program");
    copy_file(DYNAMIC, file, 0755);
    if (chown(file, 65534, 65534) != 0 || chmod(file, 04755) != 0) {
        skip_because("%s cannot be given to another user: %s", file, strerror(errno));
    }
    struct process target = start(
        (struct program){.path = LIBREUSE_PATH, .arguments = {"run", "--force", file, "wait"}});
    EVENTUALLY(strstr(output_of(&target), "argument=wait\n") != NULL);
    if (strstr(output_of(&target), "secure=1\n") == NULL) {
        skip_because("set-user-ID programs are not honoured in %s", file);
    }
    struct process process = LIBREUSE(1, "check", text_of(target.pid));
    EXPECT_LINE(&process, "verdict", "started with more rights");
}

Test(check, says_that_the_loader_did_not_find_the_shim)
{
    struct process target = start((struct program){
        .path = DYNAMIC, .arguments = {"wait"}, .settings = {"LD_PRELOAD=/gone/libreuse.so"}});
    EVENTUALLY(strstr(output_of(&target), "argument=wait\n") != NULL);
    struct process process = LIBREUSE(1, "check", text_of(target.pid));
    EXPECT_LINE(&process, "verdict", "its LD_PRELOAD names it, but the dynamic loader did not");
}

Test(check, notices_that_the_library_has_been_replaced)
{
    const char *in = new_installation();
    char *library = path_in(in, "libreuse.so");
    struct process target = start(
        (struct program){.path = path_in(in, "libreuse"), .arguments = {"run", DYNAMIC, "wait"}});
    EVENTUALLY(strstr(output_of(&target), "argument=wait\n") != NULL);
    cr_assert_eq(unlink(library), 0);
    copy_file(SHIM_PATH, library, 0644);
    struct process process = LIBREUSE(0, "check", text_of(target.pid));
    EXPECT_LINE(&process, "library", library, "replaced");
}

Test(check, notices_a_filter_of_a_process_with_the_shim)
{
    struct host host = start_host(WITH_SHIM);
    char pid[16];
    snprintf(pid, sizeof pid, "%d", (int)host.process.pid);
    struct process before = LIBREUSE(0, "check", pid);
    cr_assert_null(strstr(output_of(&before), "seccomp"));
    host_filter(&host, SYS_getpriority, FILTER_ANY, SECCOMP_RET_ERRNO | EPERM);
    struct process after = LIBREUSE(0, "check", pid);
    expect_said(&after, "a filter (seccomp) is in force");
    struct process json = LIBREUSE(0, "check", "--json", pid);
    expect_said(&json, "\"seccomp_filter\": true");
}

Test(check, tells_a_process_that_has_ended)
{
    struct process target = start((struct program){.path = DYNAMIC});
    siginfo_t info;
    cr_assert_eq(waitid(P_PID, (id_t)target.pid, &info, WEXITED | WNOWAIT), 0);
    struct process zombie = LIBREUSE(1, "check", text_of(target.pid));
    EXPECT_LINE(&zombie, "verdict", "it has ended");
    EVENTUALLY(has_ended(&target));
    struct process gone = LIBREUSE(1, "check", text_of(target.pid));
    expect_complaint(&gone, "there is no process ");
}

Test(check, says_what_it_may_not_see_of_anothers_process)
{
    struct host host = serve(WITH_SHIM, (struct program){0});
    struct process process = LIBREUSE_AS_NOBODY(3, "check", text_of(host.process.pid));
    EXPECT_LINE(&process, "verdict", "cannot be seen", "CAP_SYS_PTRACE");
}

Test(check, shows_listeners_whose_sockets_it_may_not_look_at)
{
    struct host host = serve(WITH_SHIM, (struct program){0});
    struct process process =
        call(3, (struct program){.path = BUILD_FOLDER "/fixtures/without_pidfd_getfd",
                                 .arguments = {LIBREUSE_PATH, "check", text_of(host.process.pid)}});
    EXPECT_LINE(&process, "library", SHIM_PATH);
    EXPECT_LINE(&process, "listens", "127.0.0.1:9999", "cannot be seen");
    EXPECT_LINE(&process, "verdict", "whether its listeners are armed cannot be seen");
}

Test(check, says_what_it_may_not_see_of_a_program)
{
    char *file = path_in(new_folder(), "program");
    copy_file(DYNAMIC, file, 0711);
    struct process process = LIBREUSE_AS_NOBODY(3, "check", file);
    EXPECT_LINE(&process, "verdict", "may be executed but not read");
}

Test(check, takes_a_name_with_a_slash_for_a_program_even_where_it_is_a_number)
{
    const char *in = new_folder();
    copy_file(DYNAMIC, path_in(in, "123"), 0755);
    cr_assert_eq(chdir(in), 0);
    struct process process = LIBREUSE(0, "check", "./123");
    EXPECT_LINE(&process, "verdict", "reached");
    LIBREUSE(1, "check", "4194303");
}

Test(check, makes_valid_json)
{
    if (access("/usr/bin/python3", X_OK) != 0) {
        skip_because("python3, which reads JSON, is not here");
    }
    struct host host = serve(WITH_SHIM, (struct program){.settings = {"LIBREUSE_LOG=a\"\\\n\x01"}});
    char *command;
    cr_assert_geq(asprintf(&command,
                           "for what in sh /no/such %s %d; do %s check --json $what |"
                           " python3 -m json.tool >/dev/null || exit 1; done",
                           TARGETS "static", (int)host.process.pid, LIBREUSE_PATH),
                  0);
    call(0, (struct program){.path = "/bin/sh", .arguments = {"-c", command}});
}

/* How often the fuzzing test tries; SEQUENCES=n for more. */
static unsigned int tries(void)
{
    const char *text = getenv("SEQUENCES");
    return text != NULL ? (unsigned int)strtoul(text, NULL, 10) : 300;
}

Test(check, survives_damaged_headers)
{
    char *file = path_in(new_folder(), "program");
    static const char *const sources[] = {DYNAMIC, TARGETS "i386", TARGETS "go", SHIM_PATH};
    for (unsigned int i = 0; i < tries(); i++) {
        const char *source = sources[i % (sizeof sources / sizeof sources[0])];
        if (access(source, R_OK) != 0) {
            continue;
        }
        unsigned int seed = i;
        copy_file(source, file, 0755);
        const int fd = open(file, O_WRONLY | O_CLOEXEC);
        for (int flips = 1 + rand_r(&seed) % 8; flips > 0; flips--) {
            const unsigned char byte = (unsigned char)rand_r(&seed);
            cr_assert_eq(pwrite(fd, &byte, 1, 4 + rand_r(&seed) % 1020), 1);
        }
        close(fd);
        struct process process =
            start((struct program){.path = LIBREUSE_PATH, .arguments = {"check", file}});
        EVENTUALLY(has_ended(&process));
        cr_assert(WIFEXITED(process.status) && WEXITSTATUS(process.status) <= 1,
                  "seed %u: status %#x\n%s", i, (unsigned)process.status, errors_of(&process));
        close(process.output);
        close(process.errors);
    }
}

/* An argument of at most 28 random bytes, none of which is 0. */
static void fill_argument(unsigned int *seed, char *argument)
{
    static const char common[] = "-=/.0123456789jsonhelpwaitlog";
    const size_t length = (size_t)rand_r(seed) % 29;
    for (size_t i = 0; i < length; i++) {
        argument[i] = rand_r(seed) % 4 != 0 ? common[(size_t)rand_r(seed) % (sizeof common - 1)]
                                            : (char)(1 + rand_r(seed) % 255);
    }
    argument[length] = '\0';
}

Test(check, survives_any_arguments)
{
    for (unsigned int i = 0; i < tries(); i++) {
        unsigned int seed = i;
        char argument[3][32] = {"--", "--", ""};
        fill_argument(&seed, argument[0] + 2);
        fill_argument(&seed, argument[1] + (size_t)rand_r(&seed) % 3);
        fill_argument(&seed, argument[2]);
        const bool is_check = i % 2 == 0;
        struct process process = start((struct program){
            .path = LIBREUSE_PATH,
            .arguments = {is_check ? "check" : "run", argument[0], is_check ? argument[2] : "-f",
                          is_check ? argument[1] : "--", "/no/such/program"}});
        EVENTUALLY(has_ended(&process));
        const int status = WIFEXITED(process.status) ? WEXITSTATUS(process.status) : -1;
        cr_assert(is_check ? status >= 0 && status <= 3
                           : status == 0 || (status >= 125 && status <= 127),
                  "seed %u: %s %s: status %d\n%s", i, argument[0], argument[1], status,
                  errors_of(&process));
        close(process.output);
        close(process.errors);
    }
}
