/*
 * libreuse run: it becomes the program, with the shim in it; and it refuses what a preload cannot
 * reach. That it is right to refuse, the programs tell themselves: run with --force, they look for
 * the shim in their own memory.
 */
#include "deadline.h"
#include "invoke.h"
#include "skip.h"
#include "target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DYNAMIC TARGETS "dynamic"
#define NOBODY  BUILD_FOLDER "/fixtures/as_nobody"

Test(run, becomes_the_program_with_the_shim_in_it)
{
    struct process process = LIBREUSE(0, "run", DYNAMIC);
    char pid[32];
    snprintf(pid, sizeof pid, "pid=%d\n", (int)process.pid);
    expect_said(&process, pid);
    expect_said(&process, "shim=1\n");
    expect_said(&process, "LD_PRELOAD=" SHIM_PATH "\n");
    cr_assert_str_empty(errors_of(&process));
}

Test(run, has_the_exit_status_of_the_program)
{
    LIBREUSE(42, "run", DYNAMIC, "exit", "42");
    LIBREUSE(1, "run", DYNAMIC, "exit", "1");
}

Test(run, ends_by_the_signal_that_the_program_gets)
{
    struct process process =
        start((struct program){.path = LIBREUSE_PATH, .arguments = {"run", DYNAMIC, "wait"}});
    EVENTUALLY(strstr(output_of(&process), "argument=wait\n") != NULL);
    end_by_signal(&process, SIGTERM);
}

Test(run, leaves_the_arguments_of_the_program_alone)
{
    struct process process =
        LIBREUSE(0, "run", "--report-only", DYNAMIC, "--dry-run", "--help", "-f", "");
    expect_said(&process, "argument=--dry-run\nargument=--help\nargument=-f\nargument=\n");
    struct process separated = LIBREUSE(0, "run", "--", DYNAMIC, "--", "x");
    expect_said(&separated, "argument=--\nargument=x\n");
}

Test(run, puts_the_shim_before_what_is_in_the_preload)
{
    struct process process =
        call(0, (struct program){.arguments = {"run", DYNAMIC},
                                 .settings = {"LD_PRELOAD=libm.so.6 libdl.so.2"}});
    expect_said(&process, "LD_PRELOAD=" SHIM_PATH ":libm.so.6 libdl.so.2\n");
    expect_said(&process, "shim=1\n");
}

Test(run, takes_an_empty_preload_for_none)
{
    struct process process =
        call(0, (struct program){.arguments = {"run", DYNAMIC}, .settings = {"LD_PRELOAD="}});
    expect_said(&process, "LD_PRELOAD=" SHIM_PATH "\n");
}

Test(run, does_not_preload_the_shim_twice)
{
    struct process nested = LIBREUSE(0, "run", LIBREUSE_PATH, "run", LIBREUSE_PATH, "run", DYNAMIC);
    expect_said(&nested, "LD_PRELOAD=" SHIM_PATH "\n");
    struct process second =
        call(0, (struct program){.arguments = {"run", DYNAMIC},
                                 .settings = {"LD_PRELOAD=libm.so.6:" SHIM_PATH}});
    expect_said(&second, "LD_PRELOAD=libm.so.6:" SHIM_PATH "\n");
}

Test(run, does_not_preload_the_shim_twice_by_another_path)
{
    char *link = path_in(new_folder(), "other-name.so");
    cr_assert_eq(symlink(SHIM_PATH, link), 0);
    char *setting;
    cr_assert_geq(asprintf(&setting, "LD_PRELOAD=%s", link), 0);
    struct process process =
        call(0, (struct program){.arguments = {"run", DYNAMIC}, .settings = {setting}});
    expect_said(&process, setting);
    expect_not_said(&process, SHIM_PATH ":");
}

Test(run, has_an_option_for_every_variable)
{
    static const struct {
        const char *option;
        const char *variable;
    } options[] = {
        {"--log=stderr", "LIBREUSE_LOG=stderr\n"},
        {"--log=/var/log/x", "LIBREUSE_LOG=/var/log/x\n"},
        {"--format=json", "LIBREUSE_FORMAT=json\n"},
        {"--level=err", "LIBREUSE_LEVEL=err\n"},
        {"--ports=80,443,8000-8099", "LIBREUSE_PORTS=80,443,8000-8099\n"},
        {"--wait=60", "LIBREUSE_WAIT=60\n"},
        {"--swallowed=exit", "LIBREUSE_SWALLOWED=exit\n"},
        {"--explain", "LIBREUSE_EXPLAIN=1\n"},
        {"--no-explain", "LIBREUSE_EXPLAIN=0\n"},
        {"--report-only", "LIBREUSE_DRY_RUN=1\n"},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct process process =
            call(0, (struct program){.arguments = {"run", options[i].option, DYNAMIC},
                                     .settings = {"LIBREUSE_WAIT=1", "LIBREUSE_EXPLAIN=1"}});
        expect_said(&process, options[i].variable);
    }
}

Test(run, sets_no_variable_without_an_option)
{
    struct process process = LIBREUSE(0, "run", DYNAMIC);
    expect_not_said(&process, "LIBREUSE_");
}

Test(run, refuses_a_value_that_the_shim_would_not_understand)
{
    static const char *const options[] = {"--log=here", "--format=xml",   "--level=loud",
                                          "--ports=0",  "--ports=80-",    "--wait=-1",
                                          "--wait=1.5", "--swallowed=yes"};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct process process = LIBREUSE(125, "run", options[i], DYNAMIC);
        expect_complaint(&process, options[i]);
        expect_complaint(&process, "expected ");
        cr_assert_str_empty(output_of(&process));
    }
}

Test(run, gives_125_for_wrong_usage)
{
    struct process unknown = LIBREUSE(125, "run", "--no-such", DYNAMIC);
    expect_complaint(&unknown, "--no-such");
    struct process letter = LIBREUSE(125, "run", "-x", DYNAMIC);
    expect_complaint(&letter, "-x");
    struct process nothing = LIBREUSE(125, "run");
    expect_complaint(&nothing, "no program");
    struct process value = LIBREUSE(125, "run", "--wait");
    expect_complaint(&value, "needs a value");
    struct process surplus = LIBREUSE(125, "run", "--dry-run=1", DYNAMIC);
    expect_complaint(&surplus, "--dry-run=1");
}

Test(run, only_examines_in_a_dry_run)
{
    struct process reached = LIBREUSE(0, "run", "-n", DYNAMIC, "exit", "7");
    EXPECT_LINE(&reached, "verdict", "reached");
    expect_not_said(&reached, "argument=");
    struct process json = LIBREUSE(0, "run", "--dry-run", "--json", DYNAMIC);
    expect_said(&json, "\"reached\": true");
    LIBREUSE(127, "run", "-n", "/no/such/program");
    LIBREUSE(125, "run", "--json", DYNAMIC);
}

Test(run, gives_127_for_a_program_that_is_not_there)
{
    struct process name = LIBREUSE(127, "run", "no-such-program");
    expect_complaint(&name, "libreuse: no-such-program: is in no folder of PATH; ");
    struct process path = LIBREUSE(127, "run", "/no/such/program");
    expect_complaint(&path, "/no/such/program: is not there: No such file or directory");
    LIBREUSE(127, "run", "");
    LIBREUSE(127, "run", "--force", "no-such-program");
    LIBREUSE(127, "run", DYNAMIC "/below");
}

Test(run, gives_126_for_what_may_not_be_executed)
{
    char *file = path_in(new_folder(), "file");
    copy_file(DYNAMIC, file, 0644);
    struct process process = LIBREUSE(126, "run", file);
    expect_complaint(&process, "may not be executed");
    struct process folder = LIBREUSE(126, "run", "/tmp");
    expect_complaint(&folder, "is a folder");
    LIBREUSE(126, "run", "--force", file);
}

Test(run, finds_the_program_as_execvp_does)
{
    const char *in = new_folder();
    char *first = path_in(in, "first");
    char *second = path_in(in, "second");
    char *setting;
    cr_assert_eq(mkdir(first, 0755), 0);
    cr_assert_eq(mkdir(second, 0755), 0);
    copy_file(DYNAMIC, path_in(first, "server"), 0644);
    copy_file(DYNAMIC, path_in(second, "server"), 0755);
    cr_assert_geq(asprintf(&setting, "PATH=/no/such:%s:%s", first, second), 0);
    struct process process = call(
        0, (struct program){.arguments = {"run", "server", "exit", "0"}, .settings = {setting}});
    expect_said(&process, "shim=1\n");

    cr_assert_eq(unlink(path_in(second, "server")), 0);
    struct process refused =
        call(126, (struct program){.arguments = {"run", "server"}, .settings = {setting}});
    expect_complaint(&refused, "may not be executed");

    cr_assert_eq(chdir(in), 0);
    copy_file(DYNAMIC, path_in(in, "here"), 0755);
    struct process here =
        call(0, (struct program){.arguments = {"run", "here"}, .settings = {"PATH=/no/such:"}});
    expect_said(&here, "shim=1\n");
}

/* Asserts that a program is refused for this reason, and that the reason is true. */
static void expect_refusal(const char *path, const char *reason)
{
    struct process refused = LIBREUSE(126, "run", path);
    expect_complaint(&refused, reason);
    expect_complaint(&refused, "; --force runs it all the same\n");
    cr_assert_str_empty(output_of(&refused));
    struct process forced = LIBREUSE(0, "run", "--force", path);
    expect_said(&forced, "shim=0\n");
}

Test(run, refuses_a_static_program)
{
    need_target(TARGETS "static");
    expect_refusal(TARGETS "static", "is statically linked, so nothing can be preloaded");
}

Test(run, refuses_a_static_program_of_musl)
{
    need_target(TARGETS "musl_static");
    expect_refusal(TARGETS "musl_static", "is statically linked");
}

Test(run, refuses_a_go_program_without_libc)
{
    need_target(TARGETS "go");
    expect_refusal(TARGETS "go", "is a Go program without libc");
}

Test(run, refuses_a_program_that_uses_no_library)
{
    need_target(TARGETS "no_libraries");
    struct process process = LIBREUSE(126, "run", TARGETS "no_libraries");
    expect_complaint(&process, "uses no library");
    LIBREUSE(0, "run", "--force", TARGETS "no_libraries");
}

Test(run, refuses_a_program_with_address_sanitizer_unless_that_is_content)
{
    need_target(TARGETS "asan");
    struct process refused = LIBREUSE(126, "run", TARGETS "asan");
    expect_complaint(&refused, "ASAN_OPTIONS=verify_asan_link_order=0");
    struct process forced = LIBREUSE(1, "run", "--force", TARGETS "asan");
    expect_complaint(&forced, "ASan runtime does not come first");
    struct process content =
        call(0, (struct program){.arguments = {"run", TARGETS "asan"},
                                 .settings = {"ASAN_OPTIONS=verify_asan_link_order=0:"
                                              "detect_leaks=0"}});
    expect_said(&content, "shim=1\n");
}

Test(run, reaches_a_program_of_musl)
{
    need_target(TARGETS "musl");
    struct process process = LIBREUSE(0, "run", TARGETS "musl");
    expect_said(&process, "shim=1\n");
}

Test(run, refuses_a_program_of_a_c_library_that_cannot_load_the_shim)
{
    need_target(TARGETS "uclibc");
    struct process process = LIBREUSE(126, "run", TARGETS "uclibc");
    expect_complaint(&process, "is built for uClibc, which cannot load " SHIM_PATH);
}

Test(run, refuses_a_program_whose_loader_is_not_there)
{
    char *file = path_in(new_folder(), "program");
    char *command;
    cr_assert_geq(asprintf(&command, "sed 's,/ld-linux,/ld-linus,' %s >%s && chmod 755 %s", DYNAMIC,
                           file, file),
                  0);
    cr_assert_eq(system(command), 0);
    struct process process = LIBREUSE(126, "run", file);
    expect_complaint(&process, "needs the dynamic loader ");
    expect_complaint(&process, "ld-linus");
    expect_complaint(&process, "which is not there");
}

Test(run, refuses_a_program_of_another_platform)
{
    need_to_run(TARGETS "i386");
    struct process refused = LIBREUSE(126, "run", TARGETS "i386");
    expect_complaint(&refused, "is for i386, and libreuse.so is here for x86-64 only; ");
    struct process forced = LIBREUSE(0, "run", "--force", TARGETS "i386");
    expect_said(&forced, "shim=0\n");
}

/* The folder where the loader of a program finds the libraries of its platform: $LIB. */
static const char *library_folder(const char *loader)
{
    char *path = realpath(loader, NULL);
    if (path == NULL) {
        skip_because("%s is not there", loader);
    }
    *strrchr(path, '/') = '\0';
    return strncmp(path, "/usr/", 5) == 0 ? path + 5 : path + 1;
}

static void make_folders(const char *prefix, const char *path)
{
    char *command;
    cr_assert_geq(asprintf(&command, "mkdir -p %s/%s", prefix, path), 0);
    cr_assert_eq(system(command), 0);
}

/* A prefix with the command, and the library for both platforms in the usual folders. */
static const char *install_both(void)
{
    need_to_run(TARGETS "i386");
    need_target(TARGETS "lib32/libreuse.so");
    const char *prefix = new_folder();
    const char *folder_64 = library_folder("/lib64/ld-linux-x86-64.so.2");
    const char *folder_32 = library_folder("/lib/ld-linux.so.2");
    make_folders(prefix, "bin");
    make_folders(prefix, folder_64);
    make_folders(prefix, folder_32);
    copy_file(LIBREUSE_PATH, path_in(prefix, "bin/libreuse"), 0755);
    copy_file(SHIM_PATH, path_in(path_in(prefix, folder_64), "libreuse.so"), 0644);
    copy_file(TARGETS "lib32/libreuse.so", path_in(path_in(prefix, folder_32), "libreuse.so"),
              0644);
    return prefix;
}

Test(run, reaches_programs_of_both_platforms_where_both_libraries_are_installed)
{
    const char *prefix = install_both();
    static const char *const targets[] = {DYNAMIC, TARGETS "i386"};
    for (size_t i = 0; i < 2; i++) {
        struct process process = call(0, (struct program){.path = path_in(prefix, "bin/libreuse"),
                                                          .arguments = {"run", targets[i]}});
        expect_said(&process, "shim=1\n");
        expect_said(&process, "/$LIB/libreuse.so\n");
        cr_assert_str_empty(errors_of(&process), "the loader complains: %s", errors_of(&process));
    }
}

Test(run, reaches_what_the_program_starts_on_the_other_platform)
{
    const char *prefix = install_both();
    struct process process =
        call(0, (struct program){.path = path_in(prefix, "bin/libreuse"),
                                 .arguments = {"run", "/bin/sh", "-c", TARGETS "i386; " DYNAMIC}});
    char *first = strstr(output_of(&process), "shim=1\n");
    cr_assert_not_null(first, "%s", output_of(&process));
    cr_assert_not_null(strstr(first + 1, "shim=1\n"), "%s", output_of(&process));
    cr_assert_str_empty(errors_of(&process));
}

Test(run, does_not_preload_the_shim_twice_where_both_libraries_are_installed)
{
    const char *prefix = install_both();
    char *command = path_in(prefix, "bin/libreuse");
    struct process process = call(
        0, (struct program){.path = command, .arguments = {"run", command, "run", TARGETS "i386"}});
    expect_not_said(&process, ":");
    expect_said(&process, "shim=1\n");
}

/* Skips the test where a program's set-user-ID bit or capabilities would not count. */
static void need_privileges(const char *folder)
{
    struct statvfs mount;
    if (statvfs(folder, &mount) != 0 || (mount.f_flag & ST_NOSUID) != 0) {
        skip_because("%s is mounted nosuid", folder);
    }
}

static void give_to_nobody(const char *path, unsigned int mode)
{
    if (chown(path, 65534, 65534) != 0 || chmod(path, mode) != 0) {
        skip_because("%s cannot be given to another user: %s", path, strerror(errno));
    }
}

Test(run, refuses_a_program_that_is_set_user_id)
{
    const char *in = new_folder();
    need_privileges(in);
    char *file = path_in(in, "program");
    copy_file(DYNAMIC, file, 0755);
    give_to_nobody(file, 04755);
    struct process refused = LIBREUSE(126, "run", file);
    expect_complaint(&refused, "is set-user-ID ");
    expect_complaint(&refused, "ignores LD_PRELOAD");
    struct process forced = LIBREUSE(0, "run", "--force", file);
    expect_said(&forced, "secure=1\nshim=0\n");
}

Test(run, reaches_a_set_user_id_program_of_the_same_user)
{
    char *file = path_in(new_folder(), "program");
    copy_file(DYNAMIC, file, 04755);
    struct process process = LIBREUSE(0, "run", file);
    expect_said(&process, "secure=0\nshim=1\n");
}

Test(run, refuses_a_program_that_is_set_group_id)
{
    const char *in = new_folder();
    need_privileges(in);
    char *file = path_in(in, "program");
    copy_file(DYNAMIC, file, 0755);
    give_to_nobody(file, 02755);
    struct process refused = LIBREUSE(126, "run", file);
    expect_complaint(&refused, "is set-group-ID ");
    struct process forced = LIBREUSE(0, "run", "--force", file);
    expect_said(&forced, "secure=1\nshim=0\n");
}

Test(run, reaches_a_program_whose_set_group_id_bit_does_not_count)
{
    const char *in = new_folder();
    char *file = path_in(in, "program");
    copy_file(DYNAMIC, file, 0755);
    give_to_nobody(file, 02745);
    struct process process = LIBREUSE(0, "run", file);
    expect_said(&process, "secure=0\nshim=1\n");
}

/* Gives a file CAP_NET_BIND_SERVICE, as setcap(8) does. */
static void give_capability(const char *path, bool effective)
{
    const uint32_t capability = UINT32_C(1) << CAP_NET_BIND_SERVICE;
    const uint32_t value[5] = {VFS_CAP_REVISION_2 | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0),
                               capability, 0, 0, 0};
    if (setxattr(path, "security.capability", value, sizeof value, 0) != 0) {
        skip_because("file capabilities cannot be given to %s: %s", path, strerror(errno));
    }
}

/* Calls a copy of the command as a user without rights. */
static struct process call_as_nobody(int status, const char *in, const char *option,
                                     const char *program)
{
    return call(status, (struct program){.path = NOBODY,
                                         .arguments = {path_in(in, "libreuse"), "run",
                                                       option != NULL ? option : program,
                                                       option != NULL ? program : NULL}});
}

static void need_nobody(const char *in)
{
    struct process process = start(
        (struct program){.path = NOBODY, .arguments = {path_in(in, "libreuse"), "--version"}});
    EVENTUALLY(has_ended(&process));
    if (process.status != 0) {
        skip_because("another user cannot be had: %s", errors_of(&process));
    }
}

Test(run, refuses_a_program_with_file_capabilities)
{
    const char *in = new_installation();
    need_privileges(in);
    need_nobody(in);
    for (int effective = 0; effective < 2; effective++) {
        char *file = path_in(in, effective ? "effective" : "permitted");
        copy_file(DYNAMIC, file, 0755);
        give_capability(file, effective);
        struct process refused = call_as_nobody(126, in, NULL, file);
        expect_complaint(&refused, "has file capabilities");
        expect_complaint(&refused, "AmbientCapabilities=");
        struct process forced = call_as_nobody(0, in, "--force", file);
        expect_said(&forced, "secure=1\nshim=0\n");
    }
}

Test(run, reaches_a_program_with_file_capabilities_as_root)
{
    const char *in = new_folder();
    char *file = path_in(in, "program");
    copy_file(DYNAMIC, file, 0755);
    give_capability(file, true);
    struct process process = LIBREUSE(0, "run", file);
    expect_said(&process, "secure=0\nshim=1\n");
}

Test(run, refuses_a_set_user_id_root_program_for_others_only)
{
    const char *in = new_installation();
    need_privileges(in);
    need_nobody(in);
    char *file = path_in(in, "program");
    copy_file(DYNAMIC, file, 04755);
    struct process refused = call_as_nobody(126, in, NULL, file);
    expect_complaint(&refused, "is set-user-ID root");
    struct process forced = call_as_nobody(0, in, "--force", file);
    expect_said(&forced, "secure=1\nshim=0\n");
}

Test(run, refuses_what_it_may_not_read)
{
    const char *in = new_installation();
    need_nobody(in);
    char *file = path_in(in, "program");
    copy_file(DYNAMIC, file, 0711);
    struct process refused = call_as_nobody(126, in, NULL, file);
    expect_complaint(&refused, "may be executed but not read");
    call_as_nobody(0, in, "--force", file);
}

static char *script(const char *name, const char *content)
{
    static const char *in;
    if (in == NULL) {
        in = new_folder();
    }
    char *path = path_in(in, name);
    write_file(path, content, 0755);
    return path;
}

Test(run, reaches_the_interpreter_of_a_script)
{
    struct process process =
        LIBREUSE(0, "run", script("a", "#!" DYNAMIC " one argument\n"), "last");
    expect_said(&process, "argument=one argument\n");
    expect_said(&process, "argument=last\n");
    expect_said(&process, "shim=1\n");
}

Test(run, reaches_the_interpreter_that_env_finds)
{
    struct process plain =
        call(0, (struct program){.arguments = {"run", script("a", "#!/usr/bin/env dynamic\n")},
                                 .settings = {"PATH=" BUILD_FOLDER "/targets:/usr/bin"}});
    expect_said(&plain, "shim=1\n");
    struct process split = LIBREUSE(
        0, "run", script("b", "#!/usr/bin/env -S --unset=C -u D A=b " DYNAMIC " exit 0\n"));
    expect_said(&split, "shim=1\n");
}

Test(run, reaches_a_script_without_a_first_line_through_the_shell)
{
    struct process process = LIBREUSE(0, "run", script("a", "exec " DYNAMIC " \"$@\"\n"), "x");
    expect_said(&process, "shim=1\n");
    expect_said(&process, "argument=x\n");
    LIBREUSE(0, "run", script("empty", ""));
}

Test(run, warns_of_what_a_script_executes)
{
    need_target(TARGETS "static");
    struct process process =
        LIBREUSE(0, "run", script("a", "#!/bin/sh\nexec " TARGETS "static exit 0\n"));
    expect_complaint(&process, "executes in line 2 " TARGETS "static: is statically linked");
    struct process silent = LIBREUSE(0, "run", script("b", "#!/bin/sh\nexec " DYNAMIC "\n"));
    cr_assert_str_empty(errors_of(&silent));
}

Test(run, reaches_a_script_for_a_script)
{
    char *inner = script("inner", "#!/bin/sh\nexec " DYNAMIC "\n");
    char *line;
    cr_assert_geq(asprintf(&line, "#! %s\n", inner), 0);
    struct process process = LIBREUSE(0, "run", script("outer", line));
    expect_said(&process, "shim=1\n");
}

Test(run, refuses_a_script_whose_interpreter_cannot_be_reached)
{
    need_target(TARGETS "static");
    char *direct = script("a", "#!" TARGETS "static\n");
    struct process refused = LIBREUSE(126, "run", direct);
    expect_complaint(&refused, ": is a script for " TARGETS "static, which is statically linked");
    char *by_env = script("b", "#!/usr/bin/env " TARGETS "static\n");
    struct process refused_too = LIBREUSE(126, "run", by_env);
    expect_complaint(&refused_too, "which is statically linked");
}

Test(run, refuses_a_script_that_drops_the_preload)
{
    static const char *const lines[] = {"#!/usr/bin/env -S -i " DYNAMIC "\n",
                                        "#!/usr/bin/env -iS " DYNAMIC "\n",
                                        "#!/usr/bin/env -S - " DYNAMIC "\n",
                                        "#!/usr/bin/env -S -u LD_PRELOAD " DYNAMIC "\n",
                                        "#!/usr/bin/env -S --unset=LD_PRELOAD " DYNAMIC "\n",
                                        "#!/usr/bin/env -S LD_PRELOAD= " DYNAMIC "\n"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char *path = script("a", lines[i]);
        struct process refused = LIBREUSE(126, "run", path);
        expect_complaint(&refused, "drops LD_PRELOAD");
        struct process forced = LIBREUSE(0, "run", "--force", path);
        expect_said(&forced, "shim=0\n");
    }
}

Test(run, refuses_a_script_whose_interpreter_is_not_there)
{
    struct process plain = LIBREUSE(126, "run", script("a", "#!/no/such/interpreter\n"));
    expect_complaint(&plain, "is a script for /no/such/interpreter, which is not there");
    struct process windows = LIBREUSE(126, "run", script("b", "#!/bin/sh\r\necho\r\n"));
    expect_complaint(&windows, "/bin/sh\\x0d, which is not there");
    expect_complaint(&windows, "carriage return");
    struct process by_env = LIBREUSE(126, "run", script("c", "#!/usr/bin/env no-such-program\n"));
    expect_complaint(&by_env, "is a script for no-such-program, which is not there");
}

Test(run, refuses_a_script_that_is_its_own_interpreter)
{
    char *path = script("a", "");
    char *line;
    cr_assert_geq(asprintf(&line, "#!%s\n", path), 0);
    write_file(path, line, 0755);
    struct process process = LIBREUSE(126, "run", path);
    expect_complaint(&process, "too often");
}

Test(run, refuses_what_is_no_program)
{
    const char *in = new_folder();
    char *zeros = path_in(in, "zeros");
    copy_file("/dev/null", zeros, 0755);
    cr_assert_eq(truncate(zeros, 1000), 0);
    struct process process = LIBREUSE(126, "run", zeros);
    expect_complaint(&process, "neither an ELF program nor a script");
    char *library = path_in(in, "library");
    copy_file(SHIM_PATH, library, 0755);
    struct process refused = LIBREUSE(126, "run", library);
    expect_complaint(&refused, "is a library, and no program");
}

Test(run, refuses_a_truncated_program)
{
    char *file = path_in(new_folder(), "program");
    static const int sizes[] = {4, 16, 52, 63, 64, 100, 400};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        copy_file(DYNAMIC, file, 0755);
        cr_assert_eq(truncate(file, sizes[i]), 0);
        struct process process = LIBREUSE(126, "run", file);
        expect_complaint(&process, "is a damaged ELF file");
    }
}

Test(run, says_when_the_library_is_not_there)
{
    const char *in = new_folder();
    char *command = path_in(in, "libreuse");
    copy_file(LIBREUSE_PATH, command, 0755);
    if (access("/usr/local/lib/libreuse.so", F_OK) == 0) {
        skip_because("libreuse is installed on this machine");
    }
    struct process process =
        call(125, (struct program){.path = command, .arguments = {"run", "--force", DYNAMIC}});
    expect_complaint(&process, "libreuse.so");
    expect_complaint(&process, "install it");
}

Test(run, says_when_the_preload_cannot_express_the_path_of_the_library)
{
    const char *in = new_folder();
    static const char *const names[] = {"with blank", "with:colon", "with$dollar", "with\ttab"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *folder = path_in(in, names[i]);
        cr_assert_eq(mkdir(folder, 0755), 0);
        copy_file(LIBREUSE_PATH, path_in(folder, "libreuse"), 0755);
        copy_file(SHIM_PATH, path_in(folder, "libreuse.so"), 0644);
        struct process process = call(125, (struct program){.path = path_in(folder, "libreuse"),
                                                            .arguments = {"run", DYNAMIC}});
        expect_complaint(&process, "which LD_PRELOAD cannot express");
        expect_complaint(&process, "move libreuse to another folder");
    }
}

Test(run, finds_the_library_in_the_prefix_of_the_command)
{
    static const char *const folders[] = {"lib", "lib64", "lib/x86_64-linux-gnu"};
    const char *in = new_folder();
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char name[2] = {(char)('a' + (int)i), '\0'};
        char *prefix = path_in(in, name);
        make_folders(prefix, "bin");
        make_folders(prefix, folders[i]);
        char *library = path_in(path_in(prefix, folders[i]), "libreuse.so");
        copy_file(LIBREUSE_PATH, path_in(prefix, "bin/libreuse"), 0755);
        copy_file(SHIM_PATH, library, 0644);
        struct process process = call(0, (struct program){.path = path_in(prefix, "bin/libreuse"),
                                                          .arguments = {"run", DYNAMIC}});
        expect_said(&process, library);
        expect_said(&process, "shim=1\n");
    }
}

Test(command, explains_itself_on_one_screen)
{
    static const char *const commands[] = {"run",   "check",  "why",     "audit",  "arm",   "free",
                                           "guard", "enable", "disable", "status", "watch", NULL};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct process process =
            commands[i] != NULL ? LIBREUSE(0, commands[i], "--help") : LIBREUSE(0, "--help");
        const char *text = output_of(&process);
        cr_assert_eq(strncmp(text, "Usage: libreuse ", 16), 0, "%s", text);
        unsigned lines = 0;
        for (const char *line = text; *line != '\0'; lines++) {
            const size_t length = strcspn(line, "\n");
            cr_assert_leq(length, 80, "too wide: %s", line);
            line += length + 1;
        }
        cr_assert_leq(lines, 30, "the help of %s has %u lines",
                      commands[i] != NULL ? commands[i] : "libreuse", lines);
    }
}

Test(command, tells_its_version)
{
    static const char *const commands[] = {"run", "check", "why", "audit", "arm", "free"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        struct process process = LIBREUSE(0, commands[i], "--version");
        cr_assert_str_eq(output_of(&process), "libreuse " LIBREUSE_VERSION "\n");
    }
    struct process process = LIBREUSE(0, "--version");
    cr_assert_str_eq(output_of(&process), "libreuse " LIBREUSE_VERSION "\n");
}

Test(command, has_help_and_version_as_commands_too)
{
    struct process version = LIBREUSE(0, "version");
    cr_assert_str_eq(output_of(&version), "libreuse " LIBREUSE_VERSION "\n");
    struct process all = LIBREUSE(0, "help");
    expect_said(&all, "Usage: libreuse COMMAND");
    struct process one = LIBREUSE(0, "help", "why");
    expect_said(&one, "Usage: libreuse why");
    struct process unknown = LIBREUSE(2, "help", "no-such");
    expect_complaint(&unknown, "no-such: no such command");
    LIBREUSE(2, "help", "why", "audit");
}

Test(command, asks_whether_another_command_was_meant)
{
    static const char *const words[][2] = {
        {"chekc", "check"}, {"chec", "check"}, {"wyh", "why"}, {"statsu", "status"}, {"am", "arm"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        struct process process = LIBREUSE(2, words[i][0], "9999");
        char *question;
        cr_assert_geq(asprintf(&question, "did you mean %s?", words[i][1]), 0);
        expect_complaint(&process, question);
    }
    struct process far = LIBREUSE(2, "xyzzy");
    cr_assert_null(strstr(errors_of(&far), "did you mean"));
    struct process option = LIBREUSE(2, "-x");
    expect_complaint(&option, "-x: no such option");
}

/* What a terminal of 60 columns would break within words. */
Test(command, wraps_its_errors_at_the_terminals_width)
{
    char *command;
    if (access("/usr/bin/script", X_OK) != 0) {
        skip_because("script(1), which makes a terminal, is not here");
    }
    cr_assert_geq(
        asprintf(&command, "script -qec 'stty cols 60; %s xyzzy; true' /dev/null", LIBREUSE_PATH),
        0);
    struct process process =
        call(0, (struct program){.path = "/bin/sh", .arguments = {"-c", command}});
    expect_said(&process, "there are run");
    expect_said(&process, "\r\nlibreuse: see: libreuse help");
    size_t lines = 0;
    for (const char *line = output_of(&process); *line != '\0';) {
        const size_t length = strcspn(line, "\r");
        cr_assert_leq(length, 60, "too wide: %s", line);
        line += strcspn(line, "\n");
        line += *line == '\n';
        lines++;
    }
    cr_assert_geq(lines, 3, "the list of commands is not wrapped: %s", output_of(&process));
    struct process log = LIBREUSE(2, "xyzzy");
    expect_complaint(&log, "there are run, check, why, audit, watch, arm, free, guard, enable, "
                           "disable and status\n");
}

Test(command, gives_2_for_a_command_that_is_not_there)
{
    struct process unknown = LIBREUSE(2, "no-such");
    expect_complaint(&unknown, "no-such: no such command");
    struct process nothing = call(2, (struct program){0});
    expect_complaint(&nothing, "no command given");
}

Test(command, says_when_its_output_cannot_be_written)
{
    char *command;
    cr_assert_geq(asprintf(&command, "%s --help >/dev/full", LIBREUSE_PATH), 0);
    struct process process =
        call(3, (struct program){.path = "/bin/sh", .arguments = {"-c", command}});
    expect_complaint(&process, "No space left on device");
}

/* The output of "libreuse check" on a terminal, which script(1) makes, with these variables. */
static char *check_on_terminal(const char *variables)
{
    char *command;
    if (access("/usr/bin/script", X_OK) != 0) {
        skip_because("script(1), which makes a terminal, is not here");
    }
    cr_assert_geq(asprintf(&command, "script -qec 'env %s %s check %s' /dev/null", variables,
                           LIBREUSE_PATH, DYNAMIC),
                  0);
    struct process process =
        call(0, (struct program){.path = "/bin/sh", .arguments = {"-c", command}});
    expect_said(&process, "verdict");
    return output_of(&process);
}

Test(command, colours_its_output_on_a_terminal_only)
{
    cr_assert_not_null(strchr(check_on_terminal("-u NO_COLOR TERM=xterm"), '\033'));
    cr_assert_null(strchr(check_on_terminal("NO_COLOR=1 TERM=xterm"), '\033'));
    cr_assert_null(strchr(check_on_terminal("-u NO_COLOR TERM=dumb"), '\033'));
    struct process process = LIBREUSE(0, "check", DYNAMIC);
    cr_assert_null(strchr(output_of(&process), '\033'));
}
