/*
 * cli/unit/unit.c and cli/unit/unit_check.c on what real systemds have printed:
 * tests/fixtures/systemctl/ has the output of "systemctl show" of systemd 247, 252, 257 and 262 for
 * the same units.
 */
#include "unit/unit.h"

#include "unit/unit_check.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const versions[] = {"247", "252", "257", "262"};
enum { VERSIONS = sizeof versions / sizeof versions[0] };

static char *recorded(const char *version, const char *name)
{
    static char text[65536];
    char path[512];
    snprintf(path, sizeof path, SOURCE_FOLDER "/tests/fixtures/systemctl/%s/%s.txt", version, name);
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file, "%s", path);
    const size_t length = fread(text, 1, sizeof text - 1, file);
    text[length] = '\0';
    fclose(file);
    return text;
}

/* The library as it is on every host where /bin/sleep is a program of glibc or musl. */
static struct library library = {.path = (char[]){"/usr/lib/libreuse.so"}};
static struct libraries libraries = {.list = &library, .count = 1};

static void learn_the_platform(void)
{
    struct elf elf;
    const int fd = open("/bin/sleep", O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(elf_read(fd, &elf), ELF_READ);
    close(fd);
    library.platform = elf.platform;
    library.c_library = elf.c_library;
}

static struct unit unit;
static struct unit_check check;

static void look(const char *version, const char *name)
{
    learn_the_platform();
    unit_parse(&unit, "given.service", recorded(version, name));
    unit_check(&check, &unit, &libraries);
}

static void forget(void)
{
    unit_check_free(&check);
    unit_free(&unit);
}

static bool has(const struct sentences *sentences, const char *words)
{
    for (size_t i = 0; i < sentences->count; i++) {
        if (strstr(sentences->list[i], words) != NULL) {
            return true;
        }
    }
    return false;
}

static const char *first(const struct sentences *sentences)
{
    return sentences->count > 0 ? sentences->list[0] : "nothing";
}

/* Asserts of every version that the unit is refused with these words, and for nothing else. */
static void expect_refusal(const char *name, const char *words)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        look(versions[i], name);
        cr_assert_eq(check.refusals.count, 1, "%s %s: %s", versions[i], name,
                     first(&check.refusals));
        cr_assert(has(&check.refusals, words), "%s %s: %s", versions[i], name,
                  first(&check.refusals));
        forget();
    }
}

/* The same for a unit that is not refused: the LD_PRELOAD that is to be written. */
static void expect_preload(const char *name, const char *preload)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        look(versions[i], name);
        cr_assert_eq(check.refusals.count, 0, "%s %s: %s", versions[i], name,
                     first(&check.refusals));
        cr_assert_str_eq(check.preload, preload, "%s %s: %s", versions[i], name, check.preload);
        forget();
    }
}

Test(unit, a_plain_one_is_fine)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        look(versions[i], "server");
        cr_assert_str_eq(check.preload, "/usr/lib/libreuse.so");
        cr_assert_eq(check.refusals.count, 0, "%s", first(&check.refusals));
        cr_assert_eq(check.notices.count, 0, "%s", first(&check.notices));
        forget();
    }
}

Test(unit, has_its_canonical_name)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        look(versions[i], "alias");
        cr_assert_str_eq(unit.id, "server.service");
        forget();
        look(versions[i], "escaped");
        cr_assert_str_eq(unit.id, "a\\x20b.service");
        cr_assert_str_eq(unit.drop_in, "/etc/systemd/system/a\\x20b.service.d/50-libreuse.conf");
        forget();
        look(versions[i], "instance");
        cr_assert_str_eq(unit.id, "template@7.service");
        forget();
    }
}

Test(unit, keeps_its_preload_and_escapes_it)
{
    expect_preload("quoted", "/usr/lib/libreuse.so:/lib/x%%y.so:/opt/a b.so");
}

Test(unit, each_of_its_programs_is_examined)
{
    expect_preload("several", "/usr/lib/libreuse.so");
    unit_parse(&unit, "x.service",
               "Id=x.service\nLoadState=loaded\n"
               "ExecStart={ path=/bin/sleep ; argv[]=sleep ; ignore_errors=no }\n"
               "ExecStart={ path=/no/such ; argv[]=x ; ignore_errors=no }\n");
    unit_check(&check, &unit, &libraries);
    cr_assert(has(&check.refusals, "/no/such: is not there"));
    forget();
}

Test(unit, an_argument_is_not_taken_for_a_flag_or_a_path)
{
    char set_user_id[] = "/tmp/libreuse-unit-XXXXXX";
    char text[512];
    learn_the_platform();
    if (geteuid() != 0) {
        cr_skip_test("only root can make a program set-user-ID root");
    }
    const int fd = mkstemp(set_user_id);
    char command[128];
    snprintf(command, sizeof command, "cat /bin/sleep > %s && chmod 4755 %s", set_user_id,
             set_user_id);
    cr_assert_eq(system(command), 0);
    close(fd);
    static const struct {
        const char *rest;
        bool refused;
    } cases[] = {
        {"argv[]=x ; flags= ; ignore_errors=no }\nUser=nobody\n", true},
        {"argv[]=x ; flags=privileged ; flags= ; y }\nUser=nobody\n", true},
        {"argv[]=x ; flags=privileged ; y }\nUser=nobody\n", false},
        {"argv[]=x ; flags=ignore-failure no-setuid ; y }\nUser=nobody\n", false},
        {"argv[]=x ; flags= ; y }\nUser=nobody\nNoNewPrivileges=yes\n", false},
        {"argv[]=x ; flags= ; y }\nUser=no-such-user\nUID=[not set]\n", true},
        {"argv[]=x ; flags= ; y }\nUser=no-such-user\nUID=0\n", false},
        {"argv[]=x ; flags= ; y }\nUser=\nDynamicUser=yes\n", true},
        {"argv[]=x ; flags= ; y }\nUser=\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text,
                 "Id=x.service\nLoadState=loaded\nExecStart={ path=%s ; %s\n"
                 "ExecStartEx={ path=%s ; %s\n",
                 set_user_id, cases[i].rest, set_user_id, cases[i].rest);
        unit_parse(&unit, "x.service", text);
        unit_check(&check, &unit, &libraries);
        cr_assert_eq(has(&check.refusals, "set-user-ID root"), cases[i].refused, "%s: %s",
                     cases[i].rest, first(&check.refusals));
        forget();
    }
    unlink(set_user_id);
}

Test(unit, what_is_no_server_is_refused)
{
    expect_refusal("nosuch", "there is no such unit");
    expect_refusal("masked", "is masked");
    expect_refusal("broken", "bad-setting");
    expect_refusal("empty", "has no ExecStart=");
    expect_refusal("socket", "is no service");
}

Test(unit, a_filter_that_would_kill_the_server_is_refused)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        look(versions[i], "killed");
        cr_assert_eq(check.refusals.count, 1);
        cr_assert(has(&check.refusals, "SIGSYS"), "%s", first(&check.refusals));
        const char *line = strstr(check.refusals.list[0], "SystemCallFilter=setsockopt");
        cr_assert_not_null(line, "%s", check.refusals.list[0]);
        cr_assert_str_eq(line, "SystemCallFilter=setsockopt statx");
        cr_assert(has(&check.notices, "refuses uname:"), "%s", first(&check.notices));
        forget();
    }
}

Test(unit, a_filter_with_an_errno_is_a_notice)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        look(versions[i], "narrow");
        cr_assert_eq(check.refusals.count, 0, "%s", first(&check.refusals));
        cr_assert(has(&check.notices, "SystemCallFilter= refuses openat fstat newfstatat statx"),
                  "%s", first(&check.notices));
        cr_assert(has(&check.notices, "no AF_NETLINK"));
        cr_assert(has(&check.notices, "no AF_UNIX"));
        forget();
    }
}

static void judge_filter(const char *filter, const char *number)
{
    char text[512];
    snprintf(text, sizeof text,
             "Id=x.service\nLoadState=loaded\nExecStart={ path=/bin/sleep ; argv[]=sleep ; }\n"
             "SystemCallFilter=%s\nSystemCallErrorNumber=%s\n",
             filter, number);
    learn_the_platform();
    unit_parse(&unit, "x.service", text);
    unit_check(&check, &unit, &libraries);
}

Test(unit, a_filter_that_takes_the_option_away_is_refused)
{
    judge_filter("~getsockopt", "1");
    cr_assert(has(&check.refusals, "SystemCallFilter=getsockopt"), "%s", first(&check.refusals));
    forget();
    judge_filter("~mount", "0");
    cr_assert_eq(check.refusals.count, 0, "%s", first(&check.refusals));
    forget();
    judge_filter("~setsockopt", "0"); /* systemd before 247 shows 0 where it kills */
    cr_assert(has(&check.refusals, "SIGSYS"), "%s", first(&check.refusals));
    forget();
    judge_filter("~setsockopt:kill", "1");
    cr_assert(has(&check.refusals, "SIGSYS"), "%s", first(&check.refusals));
    forget();
}

Test(unit, the_sandbox_is_told_as_far_as_it_matters)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        look(versions[i], "sandboxed");
        cr_assert_eq(check.refusals.count, 0, "%s", first(&check.refusals));
        cr_assert(has(&check.notices, "ProtectProc=invisible"));
        cr_assert(has(&check.notices, "ProcSubset=pid"));
        cr_assert(has(&check.notices, "no AF_UNIX"));
        cr_assert(has(&check.notices, "StandardError=file"));
        cr_assert(!has(&check.notices, "SystemCallFilter="), "@system-service is enough");
        forget();
    }
}

/* Where the library is, and the setting that hides it; NULL: it is seen. */
static void expect_hidden_since(size_t version, const char *path, const char *words)
{
    for (size_t i = version; i < VERSIONS; i++) {
        struct library elsewhere = library;
        const struct libraries one = {.list = &elsewhere, .count = 1};
        elsewhere.path = strdup(path);
        unit_parse(&unit, "x.service", recorded(versions[i], "sandboxed"));
        unit_check(&check, &unit, &one);
        cr_assert_eq(check.refusals.count, words != NULL, "%s: %s", path, first(&check.refusals));
        cr_assert(words == NULL || has(&check.refusals, words), "%s: %s", path,
                  first(&check.refusals));
        free(elsewhere.path);
        forget();
    }
}

static void expect_hidden(const char *path, const char *words)
{
    expect_hidden_since(0, path, words);
}

Test(unit, a_library_that_it_cannot_see_is_refused)
{
    learn_the_platform();
    expect_hidden("/home/x/libreuse.so", "ProtectHome=yes");
    expect_hidden("/root/libreuse.so", "ProtectHome=yes");
    expect_hidden("/tmp/libreuse.so", "PrivateTmp=yes");
    expect_hidden("/srv/lib/libreuse.so", "InaccessiblePaths=/srv");
    expect_hidden("/opt/lib/libreuse.so", "TemporaryFileSystem=/opt");
    expect_hidden_since(1, "/var/lib/libreuse.so", "NoExecPaths=/var"); /* 247 has no such */
    expect_hidden("/opt/libreuse.so", NULL);                            /* BindReadOnlyPaths= */
    expect_hidden("/homes/libreuse.so", NULL);
    expect_hidden("/srvlib/libreuse.so", NULL);
}

Test(unit, another_root_must_have_the_library)
{
    learn_the_platform();
    static const struct {
        const char *setting;
        bool refused;
    } cases[] = {
        {"RootDirectory=/", false},
        {"RootImage=/x.raw", true},
        {"RootImage=/x.raw\nBindReadOnlyPaths=/usr/lib/libreuse.so:/usr/lib/libreuse.so", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[512];
        snprintf(text, sizeof text,
                 "Id=x.service\nLoadState=loaded\nExecStart={ path=/bin/sleep ; argv[]=x ; }\n%s\n",
                 cases[i].setting);
        unit_parse(&unit, "x.service", text);
        unit_check(&check, &unit, &libraries);
        cr_assert_eq(check.refusals.count, cases[i].refused, "%s: %s", cases[i].setting,
                     first(&check.refusals));
        forget();
    }
}

Test(unit, without_ip_there_is_nothing_to_do)
{
    expect_refusal("local", "neither AF_INET nor AF_INET6");
}

Test(unit, systemd_may_bind_its_ports)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        look(versions[i], "active");
        cr_assert_eq(check.refusals.count, 0);
        cr_assert(has(&check.notices, "active.socket binds ports for it"));
        forget();
    }
}

Test(unit, what_takes_the_preload_away_is_refused)
{
    expect_refusal("unset", "UnsetEnvironment= takes LD_PRELOAD away");
}

Test(unit, an_environment_file_that_is_not_there_does_not_matter)
{
    expect_preload("files", "/usr/lib/libreuse.so");
}

Test(unit, our_own_line_is_not_its_preload)
{
    for (size_t i = 0; i < VERSIONS; i++) {
        unit_parse(&unit, "x.service", recorded(versions[i], "enabled"));
        cr_assert(unit_has_drop_in(&unit));
        char *own = unit_own_preload(&unit); /* its files are not on this host */
        cr_assert_null(own, "%s", own);
        unit_free(&unit);
    }
}

/* As systemd 219 prints: no ExecStartEx, EnvironmentFile= without s, less of the sandbox. */
Test(unit, an_old_systemd_is_understood)
{
    learn_the_platform();
    unit_parse(&unit, "x.service",
               "Id=x.service\nLoadState=loaded\nActiveState=inactive\n"
               "ExecStart={ path=/bin/sleep ; argv[]=/bin/sleep 9 ; ignore_errors=no ; "
               "start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }\n"
               "Environment=A=b\\x20c LD_PRELOAD=/opt/x\\x20y.so\n"
               "EnvironmentFile=/no/such (ignore_errors=no)\n");
    unit_check(&check, &unit, &libraries);
    cr_assert_eq(check.refusals.count, 0, "%s", first(&check.refusals));
    cr_assert_str_eq(check.preload, "/usr/lib/libreuse.so:/opt/x y.so");
    cr_assert(has(&check.notices, "does not show SystemCallFilter="));
    forget();
}
