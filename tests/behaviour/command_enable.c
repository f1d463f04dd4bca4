/*
 * libreuse enable: what it writes for a unit, and what it refuses. systemd is a stand-in; what real
 * ones say is in tests/unit/unit.c, and with a real one works tests/distros/check-systemd.
 */
#include "deadline.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "skip.h"
#include "sockets.h"
#include "target.h"
#include "units.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(command_enable, .init = enter_private_units);

#define FOLDER  UNITS "server.service.d/"
#define DROP_IN FOLDER "50-libreuse.conf"
#define LOADED  "DropInPaths=" DROP_IN "\n"

static void expect_drop_in(const char *lines)
{
    static const char first_line[] =
        "# Written by libreuse enable; to undo it: libreuse disable server.service\n";
    const char *text = file_content(DROP_IN);
    cr_assert_not_null(text, "%s is not there", DROP_IN);
    cr_assert_eq(strncmp(text, first_line, strlen(first_line)), 0, "%s", text);
    const char *service = strstr(text, "[Service]\n");
    cr_assert_not_null(service, "%s", text);
    cr_assert_str_eq(service + strlen("[Service]\n"), lines, "%s", text);
}

static void expect_nothing_written(void)
{
    expect_entries(UNITS, 0);
}

Test(command_enable, writes_one_file_that_preloads_the_shim)
{
    show_unit("server.service", "");
    umask(0077);
    struct process enable = LIBREUSE(0, "enable", "server");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH "\"\n");
    expect_said(&enable, DROP_IN ": written\nrun next:\n  systemctl daemon-reload\n"
                                 "  systemctl start server.service\n");
    cr_assert_str_empty(errors_of(&enable));
    struct stat file;
    struct stat folder;
    cr_assert_eq(stat(DROP_IN, &file), 0);
    cr_assert_eq(stat(FOLDER, &folder), 0);
    cr_assert_eq(file.st_mode, S_IFREG | 0644, "%o", file.st_mode);
    cr_assert_eq(folder.st_mode, S_IFDIR | 0755, "%o", folder.st_mode);
    expect_entries(UNITS, 1);
    expect_entries(FOLDER, 1);
}

Test(command_enable, keeps_a_preload_that_the_unit_has)
{
    show_unit("server.service", "Environment=\"LD_PRELOAD=/lib/a%b.so /q\\\"x.so\" A=1\n");
    LIBREUSE(0, "enable", "server.service");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH ":/lib/a%%b.so /q\\\"x.so\"\n");
}

Test(command_enable, keeps_a_preload_that_systemd_gives_to_all)
{
    show_unit("server.service", "");
    show_environment("LANG=C\nLD_PRELOAD=$'/lib/all.so /x\"y.so'\n");
    LIBREUSE(0, "enable", "server.service");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH ":/lib/all.so /x\\\"y.so\"\n");
}

Test(command_enable, does_not_add_the_shim_twice)
{
    show_unit("server.service", "Environment=LD_PRELOAD=/lib/a.so:" SHIM_PATH "\n");
    LIBREUSE(0, "enable", "server");
    expect_drop_in("Environment=\"LD_PRELOAD=/lib/a.so:" SHIM_PATH "\"\n");
}

Test(command_enable, does_the_same_once_more)
{
    show_unit("server.service", "");
    LIBREUSE(0, "enable", "server");
    show_unit("server.service", LOADED "Environment=LD_PRELOAD=" SHIM_PATH "\n");
    struct process again = LIBREUSE(0, "enable", "server");
    expect_said(&again, DROP_IN ": is there already, and stays as it is");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH "\"\n");
}

/* With our drop-in in force, systemd shows our line only. */
Test(command_enable, picks_up_what_the_unit_has_by_now)
{
    const char *in = PRIVATE_FOLDER;
    char *fragment = path_in(in, "server.service");
    write_file(fragment, "[Service]\nEnvironment=LD_PRELOAD=/lib/new.so:%h/x.so\n", 0644);
    write_file(path_in(in, "10.conf"), "[Service]\nEnvironment=A=1\n", 0644);
    show_unit("server.service", "FragmentPath=" PRIVATE_FOLDER "/server.service\n"
                                "DropInPaths=" PRIVATE_FOLDER "/10.conf " DROP_IN "\n"
                                "Environment=\"LD_PRELOAD=" SHIM_PATH ":/lib/old.so\" A=1\n");
    LIBREUSE(0, "enable", "server");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH ":/lib/new.so:%h/x.so\"\n");
    write_file(fragment, "[Service]\n", 0644);
    LIBREUSE(0, "enable", "server");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH "\"\n");
}

Test(command_enable, writes_the_settings)
{
    show_unit("server.service", "");
    LIBREUSE(0, "enable", "--wait=65", "--log=/var/log/a %b.log", "--no-explain", "--report-only",
             "server");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH "\"\n"
                   "Environment=\"LIBREUSE_LOG=/var/log/a %%b.log\"\n"
                   "Environment=\"LIBREUSE_WAIT=65\"\n"
                   "Environment=\"LIBREUSE_EXPLAIN=0\"\n"
                   "Environment=\"LIBREUSE_DRY_RUN=1\"\n");
    struct process without = LIBREUSE(0, "enable", "--wait=65", "server");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH "\"\n"
                   "Environment=\"LIBREUSE_WAIT=65\"\n");
    expect_complaint(&without, "had \"LIBREUSE_DRY_RUN=1\" until now");
}

Test(command_enable, refuses_settings_that_the_shim_would_not_understand)
{
    show_unit("server.service", "");
    struct process wrong = LIBREUSE(2, "enable", "--wait=long", "server");
    expect_complaint(&wrong, "--wait=long");
    expect_nothing_written();
}

Test(command_enable, only_shows_in_a_dry_run)
{
    show_unit("server.service", "");
    struct process show = LIBREUSE(0, "enable", "--dry-run", "server");
    expect_said(&show, "[Service]\nEnvironment=\"LD_PRELOAD=" SHIM_PATH "\"\n");
    expect_not_said(&show, "run next");
    expect_nothing_written();
    struct process nobody = LIBREUSE_AS_NOBODY(0, "enable", "--dry-run", "server");
    expect_said(&nobody, "[Service]\n");
}

Test(command_enable, says_it_all_in_json)
{
    show_unit("server.service", "");
    struct process dry = LIBREUSE(0, "enable", "-n", "--json", "server");
    expect_said(&dry, "\"enabled\": false");
    expect_said(&dry, "\"run_next\": [\n    \"systemctl daemon-reload\"");
    expect_said(&dry, "\"content\": \"");
    expect_nothing_written();
    struct process json = LIBREUSE(0, "enable", "--json", "server");
    expect_said(&json, "\"unit\": \"server.service\"");
    expect_said(&json, "\"enabled\": true");
    expect_said(&json, "\"run_next\": [\n    \"systemctl daemon-reload\"");
    cr_assert_str_empty(errors_of(&json));
    show_unit("server.service", "UnsetEnvironment=LD_PRELOAD\n");
    struct process refused = LIBREUSE(1, "enable", "--json", "server");
    expect_said(&refused, "\"content\": null");
    expect_said(&refused, "\"refusals\": [\n    \"UnsetEnvironment= takes LD_PRELOAD away");
    struct process disable = LIBREUSE(0, "disable", "--json", "-n", "server");
    expect_said(&disable, "\"disabled\": false");
    struct process removed = LIBREUSE(0, "disable", "--json", "server");
    expect_said(&removed, "\"disabled\": true");
    expect_said(&removed, "\"run_next\": [\n    \"systemctl daemon-reload\"");
    expect_nothing_written();
}

Test(command_enable, needs_root)
{
    show_unit("server.service", "");
    struct process enable = LIBREUSE_AS_NOBODY(3, "enable", "server");
    expect_complaint(&enable, "only root");
    expect_nothing_written();
}

/* Asserts that the unit is refused with these words, and that nothing is written. */
static void expect_refusal(const char *lines, const char *words)
{
    show_unit("server.service", lines);
    struct process enable = LIBREUSE(1, "enable", "server");
    expect_complaint(&enable, words);
    cr_assert_str_empty(output_of(&enable));
    expect_nothing_written();
}

Test(command_enable, refuses_what_would_not_work)
{
    expect_refusal("LoadState=loaded\nUnsetEnvironment=LD_PRELOAD", "UnsetEnvironment=");
    expect_refusal("SystemCallErrorNumber=0\nExecStartEx={ path=/no/such ; argv[]=x ; flags= ; }",
                   "/no/such: is not there");
    struct process none = LIBREUSE(1, "enable", "nosuch");
    expect_complaint(&none, "nosuch.service: there is no such unit");
    struct process socket = LIBREUSE(1, "enable", "server.socket");
    expect_complaint(&socket, "is no service");
    expect_nothing_written();
}

Test(command_enable, refuses_a_static_program)
{
    need_target(TARGETS "static");
    expect_refusal("ExecStartEx={ path=" TARGETS "static ; argv[]=x ; flags= ; }",
                   "is statically linked");
}

Test(command_enable, refuses_a_filter_that_kills)
{
    show_exactly("server.service",
                 "Id=server.service\nLoadState=loaded\nSystemCallFilter=~setsockopt statx\n"
                 "SystemCallErrorNumber=2147483646\n"
                 "ExecStart={ path=" TARGETS "dynamic ; argv[]=x ; ignore_errors=no }\n");
    struct process enable = LIBREUSE(1, "enable", "server");
    expect_complaint(&enable, "SystemCallFilter=setsockopt statx\n");
    expect_nothing_written();
}

Test(command_enable, refuses_what_an_environment_file_would_replace)
{
    char *file = path_in(PRIVATE_FOLDER, "server.env");
    write_file(file, "A=1\nLD_PRELOAD=/lib/file.so\n", 0644);
    expect_refusal("EnvironmentFiles=" PRIVATE_FOLDER "/server.env (ignore_errors=no)",
                   PRIVATE_FOLDER "/server.env sets LD_PRELOAD, and counts more than what would be "
                                  "written here; write there: LD_PRELOAD=" SHIM_PATH
                                  ":/lib/file.so\n");
    expect_refusal("EnvironmentFile=" PRIVATE_FOLDER "/server.env (ignore_errors=yes)",
                   "sets LD_PRELOAD");
    write_file(file, "LD_PRELOAD=" SHIM_PATH ":/lib/file.so\nLIBREUSE_WAIT=3\n", 0644);
    struct process wait = LIBREUSE(1, "enable", "--wait=65", "server");
    expect_complaint(&wait, "write there: LIBREUSE_WAIT=65\n");
    LIBREUSE(0, "enable", "server");
}

Test(command_enable, refuses_what_a_later_drop_in_would_replace)
{
    write_file(path_in(PRIVATE_FOLDER, "60.conf"), "[Service]\nEnvironment=LD_PRELOAD=/x.so\n",
               0644);
    expect_refusal("DropInPaths=" PRIVATE_FOLDER "/60.conf", PRIVATE_FOLDER "/60.conf sets");
    write_file(path_in(PRIVATE_FOLDER, "60.conf"), "[Service]\nEnvironment=\n", 0644);
    expect_refusal("DropInPaths=" PRIVATE_FOLDER "/60.conf", PRIVATE_FOLDER "/60.conf takes");
    write_file(path_in(PRIVATE_FOLDER, "60.conf"), "[Service]\nEnvironment=A=1\n", 0644);
    LIBREUSE(0, "enable", "server");
}

Test(command_enable, leaves_somebody_elses_file_alone)
{
    show_unit("server.service", "");
    cr_assert_eq(mkdir(FOLDER, 0755), 0);
    write_file(DROP_IN, "[Service]\nEnvironment=X=1\n", 0644);
    struct process enable = LIBREUSE(1, "enable", "server");
    expect_complaint(&enable, DROP_IN ": is there and was not written by libreuse enable");
    struct process show = LIBREUSE(1, "enable", "--dry-run", "server");
    expect_complaint(&show, DROP_IN ": is there and was not written by libreuse enable");
    expect_said(&show, "[Service]\nEnvironment=\"LD_PRELOAD=" SHIM_PATH "\"\n");
    struct process json = LIBREUSE(1, "enable", "--dry-run", "--json", "server");
    expect_said(&json, "\"run_next\": [],");
    cr_assert_str_eq(file_content(DROP_IN), "[Service]\nEnvironment=X=1\n");
    expect_entries(FOLDER, 1);
}

Test(command_enable, does_not_follow_symbolic_links)
{
    char *other = path_in(PRIVATE_FOLDER, "other");
    show_unit("server.service", "");
    write_file(other, "# Written by libreuse enable\n", 0644);
    cr_assert_eq(mkdir(FOLDER, 0755), 0);
    cr_assert_eq(symlink(other, DROP_IN), 0);
    LIBREUSE(1, "enable", "server");
    cr_assert_str_eq(file_content(other), "# Written by libreuse enable\n");
    cr_assert_eq(unlink(DROP_IN), 0);
    cr_assert_eq(rmdir(FOLDER), 0);
    cr_assert_eq(mkdir(path_in(PRIVATE_FOLDER, "folder"), 0755), 0);
    cr_assert_eq(symlink(PRIVATE_FOLDER "/folder", UNITS "server.service.d"), 0);
    LIBREUSE(1, "enable", "server");
    expect_entries(PRIVATE_FOLDER "/folder", 0);
}

Test(command_enable, a_failed_write_leaves_nothing)
{
    show_unit("server.service", "");
    cr_assert_eq(mount(NULL, UNITS, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0, "%s", strerror(errno));
    struct process enable = LIBREUSE(3, "enable", "server");
    expect_complaint(&enable, "cannot be written: Read-only file system; nothing is changed");
    expect_nothing_written();
}

Test(command_enable, a_full_disk_leaves_no_empty_folder)
{
    show_unit("server.service", "");
    /* room for the root and one folder */
    cr_assert_eq(mount(NULL, UNITS, NULL, MS_REMOUNT, "nr_inodes=2"), 0, "%s", strerror(errno));
    struct process enable = LIBREUSE(3, "enable", "server");
    expect_complaint(&enable, "No space left on device; nothing is changed");
    expect_nothing_written();
}

Test(command_enable, replaces_what_an_interrupted_one_has_left)
{
    show_unit("server.service", "");
    cr_assert_eq(mkdir(FOLDER, 0755), 0);
    write_file(FOLDER ".50-libreuse.conf.new", "half", 0644);
    LIBREUSE(0, "enable", "server");
    expect_entries(FOLDER, 1);
}

Test(command_enable, an_alias_is_written_under_the_units_own_name)
{
    show_unit("server.service", "");
    show_exactly("alias.service", file_content(PRIVATE_FOLDER "/units/server.service"));
    LIBREUSE(0, "enable", "alias");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH "\"\n");
}

Test(command_enable, knows_instances_and_escaped_names)
{
    show_unit("web@one.service", "");
    LIBREUSE(0, "enable", "web@one");
    cr_assert_not_null(file_content(UNITS "web@one.service.d/50-libreuse.conf"));
    show_unit("a\\x20b.service", "");
    LIBREUSE(0, "enable", "a\\x20b.service");
    cr_assert_not_null(file_content(UNITS "a\\x20b.service.d/50-libreuse.conf"));
    static const char *const wrong[] = {"../x", "a b", "", "-", ".service", "a/b.service"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct process enable = LIBREUSE(2, "enable", "--", wrong[i]);
        expect_complaint(&enable, "is not the name of a unit");
    }
    expect_entries(UNITS, 2);
}

Test(command_enable, a_name_from_systemd_is_not_trusted_as_a_path)
{
    show_exactly("server.service", "Id=../../tmp/x\nLoadState=loaded\nSystemCallFilter=~\n"
                                   "ExecStart={ path=" TARGETS "dynamic ; argv[]=x ; }\n");
    LIBREUSE(0, "enable", "server");
    expect_drop_in("Environment=\"LD_PRELOAD=" SHIM_PATH "\"\n");
}

/* systemd says that this process is the unit's. */
static void show_running(const struct host *server)
{
    char *text;
    cr_assert_geq(asprintf(&text,
                           "ActiveState=active\nMainPID=%d\nId=server.service\nLoadState=loaded\n"
                           "SystemCallFilter=~\nExecStart={ path=" TARGETS
                           "dynamic ; argv[]=x ; }\n",
                           (int)server->process.pid),
                  0);
    show_exactly("server.service", text);
}

Test(command_enable, names_the_listeners_to_arm)
{
    enter_private_network();
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    host_serve(&server, "127.0.0.2:9999");
    host_serve(&server, "127.0.0.1:9998");
    show_running(&server);
    struct process enable = LIBREUSE(0, "enable", "server");
    expect_said(&enable, "run next:\n  systemctl daemon-reload\n"
                         "  libreuse arm 9999\n  libreuse free --yes 9999\n"
                         "  libreuse arm 9998\n  libreuse free --yes 9998\n"
                         "  systemctl restart server.service\n");
    cr_assert(personality(UNAME26) != -1); /* uname(2) says 2.6, where free cannot do its work */
    struct process old = LIBREUSE(0, "enable", "server");
    expect_said(&old, "  libreuse arm 9999\n  libreuse arm 9998\n  systemctl restart");
}

/* A server that closes first always has some, and arm cannot reach them. */
Test(command_enable, what_it_names_gets_past_time_wait_of_before)
{
    enter_private_network();
    struct host server = start_host(WITHOUT_SHIM);
    const int listener = host_serve(&server, "127.0.0.1:9999");
    const int client = connected_client("127.0.0.1:9999", 0);
    host_close(&server, host_accept(&server, listener));
    expect_end_of_stream(client);
    close(client);
    EVENTUALLY(count_sockets(9999, TCP_TIME_WAIT) == 1);
    show_running(&server);
    struct process enable = LIBREUSE(0, "enable", "server");
    expect_said(&enable, "  libreuse arm 9999\n  libreuse free --yes 9999\n  systemctl restart");
    LIBREUSE(1, "arm", "9999");
    LIBREUSE(0, "free", "--yes", "9999");
    end_by_signal(&server.process, SIGKILL);
    struct host successor = start_host(WITH_SHIM);
    host_serve(&successor, "127.0.0.1:9999");
}

Test(command_enable, a_server_that_has_the_shim_needs_no_arming)
{
    enter_private_network();
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    show_running(&server);
    struct process enable = LIBREUSE(0, "enable", "server");
    expect_not_said(&enable, "libreuse arm");
    expect_said(&enable, "systemctl restart");
}

Test(command_enable, a_server_that_has_the_shim_and_only_reports_is_to_be_armed)
{
    enter_private_network();
    struct host server =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_DRY_RUN=1"}});
    host_serve(&server, "127.0.0.1:9999");
    show_running(&server);
    struct process enable = LIBREUSE(0, "enable", "server");
    expect_said(&enable, "  libreuse arm 9999\n  libreuse free --yes 9999\n"
                         "  systemctl restart server.service\n");
}

/* A run that only reports is not rescued, and that this one is armed is not enough. */
Test(command_enable, report_only_waits_for_the_ports_of_a_server_that_runs)
{
    enter_private_network();
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    show_running(&server);
    struct process enable = LIBREUSE(0, "enable", "--report-only", "server");
    expect_said(&enable, "  systemctl stop server.service\n  libreuse why --wait 9999\n"
                         "  systemctl start server.service\n");
    expect_not_said(&enable, "systemctl restart");
}

Test(command_enable, tells_of_a_port_that_may_be_a_lost_one)
{
    enter_private_network();
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    show_running(&server);
    struct process enable = LIBREUSE(0, "enable", "server");
    expect_not_said(&enable, "ephemeral");
    set_network("ipv4/ip_local_port_range", "9000 10000");
    struct process again = LIBREUSE(0, "enable", "server");
    expect_said(&again, "stays as it is\n9999 is ephemeral: "); /* before what it warns of */
    expect_said(&again, "\nrun next:\n  systemctl daemon-reload\n  systemctl stop server.service\n"
                        "  libreuse why --wait PORT\n  systemctl start server.service\n");
    struct process show = LIBREUSE(0, "enable", "--dry-run", "server");
    expect_complaint(&show, "notice: server.service: 9999 is ephemeral: ");
}

Test(command_enable, waits_for_the_port_that_a_server_is_known_to_have_lost)
{
    enter_private_network();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    struct host server = start_host(WITH_SHIM);
    host_lose_port(&server, "127.0.0.1:9999");
    show_running(&server);
    struct process enable = LIBREUSE(0, "enable", "server");
    expect_said(&enable, "no plain restart: it has lost port 9999");
    expect_said(&enable, "run next:\n  systemctl daemon-reload\n  systemctl stop server.service\n"
                         "  libreuse why --wait 9999\n  systemctl start server.service\n");
    expect_not_said(&enable, "ephemeral");
}

/* From here, its sockets are not to be seen. */
Test(command_enable, arms_a_server_of_another_network_in_there)
{
    enter_private_network();
    struct host server = start_host(WITHOUT_SHIM);
    host_unshare(&server, CLONE_NEWNET);
    EXPECT_SUCCESS(host_listen(&server, host_tcp_socket(&server)));
    show_running(&server);
    struct process enable = LIBREUSE(0, "enable", "server");
    char begin[64];
    snprintf(begin, sizeof begin, "  nsenter -t %d -n libreuse arm ", (int)server.process.pid);
    expect_said(&enable, begin);
    struct process waiting = LIBREUSE(0, "enable", "--report-only", "server");
    expect_not_said(&waiting, "why --wait");
    expect_said(&waiting, "  sleep 65, where its network namespace is kept");
}

Test(command_enable, does_not_take_a_template)
{
    struct process enable = LIBREUSE(2, "enable", "server@");
    expect_complaint(&enable,
                     "server@.service: is a template; name an instance of it, like server@1");
    expect_nothing_written();
}

Test(command_enable, an_option_cannot_add_a_line)
{
    show_unit("server.service", "");
    struct process enable =
        LIBREUSE(0, "enable", "--dry-run", "--log=/a\nExecStartPre=/b", "server");
    expect_said(&enable, "Environment=\"LIBREUSE_LOG=/a\\x0aExecStartPre=/b\"\n");
}

Test(command_enable, says_where_systemd_does_not_answer)
{
    break_systemctl(1, "System has not been booted with systemd as init system (PID 1).");
    struct process failed = LIBREUSE(3, "enable", "server");
    expect_complaint(&failed, "System has not been booted with systemd");
    expect_complaint(&failed, "50-libreuse.conf");
    remove_systemctl();
    struct process missing = LIBREUSE(3, "enable", "server");
    expect_complaint(&missing, "there is no systemctl in PATH");
    expect_nothing_written();
}

Test(command_enable, gives_2_for_wrong_usage)
{
    struct process nothing = LIBREUSE(2, "enable");
    expect_complaint(&nothing, "no unit given");
    struct process more = LIBREUSE(2, "enable", "a", "b");
    expect_complaint(&more, "b: one unit was expected");
    struct process option = LIBREUSE(2, "enable", "--no-such", "a");
    expect_complaint(&option, "--no-such");
    struct process value = LIBREUSE(2, "enable", "--wait");
    expect_complaint(&value, "--wait needs a value");
}
