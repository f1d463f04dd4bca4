/* libreuse status: which units are enabled, and whether that is in effect. */
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "target.h"
#include "units.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>

static void enter(void)
{
    enter_private_network();
    enter_private_units();
}
TestSuite(command_status, .init = enter);

#define DROP_IN UNITS "server.service.d/50-libreuse.conf"
#define OTHER   UNITS "other.service.d/"

static void enable(void)
{
    show_unit("server.service", "");
    LIBREUSE(0, "enable", "server");
}

/* systemd has read the drop-in, and runs this process; 0 for none. */
static void show_service(int pid, const char *more)
{
    char *text;
    cr_assert_geq(asprintf(&text,
                           "Id=server.service\nLoadState=loaded\nActiveState=%s\nMainPID=%d\n"
                           "DropInPaths=" DROP_IN "\nEnvironment=LD_PRELOAD=" SHIM_PATH "\n%s",
                           pid > 0 ? "active" : "inactive", pid, more),
                  0);
    show_exactly("server.service", text);
}

Test(command_status, a_server_with_the_shim_is_in_effect)
{
    enable();
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    show_service((int)server.process.pid, "NeedDaemonReload=no\n");
    struct process status = LIBREUSE(0, "status");
    EXPECT_LINE(&status, "server.service  active", text_of(server.process.pid), "yes",
                "127.0.0.1:9999 armed", "in effect");
    struct process json = LIBREUSE(0, "status", "--json");
    expect_said(&json, "\"unit\": \"server.service\"");
    expect_said(&json, "\"libreuse\": true");
    expect_said(&json, "\"listens_on\": \"127.0.0.1:9999\"");
    expect_said(&json, "\"reuseaddr\": true");
    expect_said(&json, "\"in_effect\": true");
}

Test(command_status, a_server_that_was_not_restarted_is_not)
{
    enable();
    struct host server = start_host(WITHOUT_SHIM);
    host_serve(&server, "127.0.0.1:9999");
    show_service((int)server.process.pid, "");
    struct process status = LIBREUSE(1, "status");
    EXPECT_LINE(&status, "server.service", "no", "127.0.0.1:9999 not armed",
                "not loaded yet: systemctl restart server.service");
    struct process json = LIBREUSE(1, "status", "--json", "server");
    expect_said(&json, "\"libreuse\": false");
    expect_said(&json, "\"in_effect\": false");
}

Test(command_status, a_listener_that_is_not_armed_is_said)
{
    enable();
    struct host server =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_DRY_RUN=1"}});
    host_serve(&server, "127.0.0.1:9999");
    show_service((int)server.process.pid, "");
    struct process status = LIBREUSE(1, "status");
    EXPECT_LINE(&status, "server.service", "yes", "not armed", "1 of 1 listeners are not armed");
}

Test(command_status, a_server_that_has_lost_its_port_is_found)
{
    char address[32];
    enable();
    leave_time_wait(WITHOUT_SHIM, "127.0.0.1:9999");
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, "127.0.0.1:9998");
    show_service((int)server.process.pid, "");
    struct process well = LIBREUSE(0, "status");
    expect_not_said(&well, "ephemeral");
    snprintf(address, sizeof address, "0.0.0.0:%u", host_lose_port(&server, "127.0.0.1:9999"));
    struct process status = LIBREUSE(1, "status");
    EXPECT_LINE(&status, "127.0.0.1:9998 armed, ", address, " (ephemeral) armed",
                "lost port 9999 at ");
    EXPECT_LINE(&status, "1 ephemeral: ", "a server that has lost its port looks like this");
    struct process json = LIBREUSE(1, "status", "--json");
    expect_said(&json, "\"ephemeral_port\": false,");
    expect_said(&json, "\"ephemeral_port\": true,");
    expect_said(&json, "\"in_force\": \"LIBREUSE_LOG=");
}

Test(command_status, a_server_that_does_not_run_is_fine)
{
    enable();
    show_service(0, "");
    struct process status = LIBREUSE(0, "status");
    EXPECT_LINE(&status, "server.service  inactive", "in effect when it is started");
}

Test(command_status, a_file_that_systemd_has_not_read_is_said)
{
    enable();
    struct process unread = LIBREUSE(1, "status");
    EXPECT_LINE(&unread, "server.service", "systemd has not read it yet: systemctl daemon-reload");
    show_service(0, "NeedDaemonReload=yes\n");
    struct process changed = LIBREUSE(1, "status");
    EXPECT_LINE(&changed, "server.service", "needed", "systemctl daemon-reload");
}

Test(command_status, something_that_replaces_the_preload_is_said)
{
    enable();
    show_service(0, "UnsetEnvironment=LD_PRELOAD\n");
    struct process status = LIBREUSE(1, "status");
    EXPECT_LINE(&status, "server.service", "something else sets its LD_PRELOAD");
}

Test(command_status, a_file_whose_unit_is_gone_is_said)
{
    enable();
    show_exactly("server.service", "Id=server.service\nLoadState=not-found\n");
    struct process status = LIBREUSE(1, "status");
    EXPECT_LINE(&status, "server.service  not-found", "libreuse disable server.service");
}

Test(command_status, lists_only_what_libreuse_has_written)
{
    cr_assert_eq(mkdir(OTHER, 0755), 0);
    write_file(OTHER "50-libreuse.conf", "[Service]\n", 0644);
    struct process none = LIBREUSE(0, "status");
    expect_said(&none, "no unit is enabled");
    struct process json = LIBREUSE(0, "status", "--json");
    expect_said(&json, "\"units\": []");
    enable();
    show_service(0, "");
    struct process one = LIBREUSE(0, "status");
    expect_not_said(&one, "other.service");
}

Test(command_status, says_of_a_named_unit_that_it_is_not_enabled)
{
    show_unit("server.service", "");
    struct process status = LIBREUSE(1, "status", "server");
    EXPECT_LINE(&status, "server.service", "not enabled");
    cr_assert_eq(mkdir(OTHER, 0755), 0);
    write_file(OTHER "50-libreuse.conf", "[Service]\n", 0644);
    show_unit("other.service", "");
    struct process two = LIBREUSE(1, "status", "server", "other");
    EXPECT_LINE(&two, "other.service", "not enabled", "is somebody else's");
}

Test(command_status, what_was_disabled_but_not_reloaded_is_said)
{
    show_service(0, "");
    struct process status = LIBREUSE(1, "status", "server");
    EXPECT_LINE(&status, "disabled, but not forgotten: systemctl daemon-reload");
}

Test(command_status, says_what_only_root_can_see)
{
    enable();
    struct host server = start_host(WITH_SHIM);
    show_service((int)server.process.pid, "");
    struct process status = LIBREUSE_AS_NOBODY(3, "status");
    EXPECT_LINE(&status, "server.service", "?", "not known", "run it as root");
}

Test(command_status, says_where_systemd_does_not_answer)
{
    enable();
    break_systemctl(1, "Failed to connect to bus: Host is down");
    struct process status = LIBREUSE(3, "status");
    expect_complaint(&status, "Failed to connect to bus: Host is down");
}

Test(command_status, gives_2_for_wrong_usage)
{
    struct process option = LIBREUSE(2, "status", "--show");
    expect_complaint(&option, "--show");
    struct process name = LIBREUSE(2, "status", "a/b");
    expect_complaint(&name, "is not the name of a unit");
}
