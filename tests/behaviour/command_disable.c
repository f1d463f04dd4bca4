/* libreuse disable: it takes back what enable has written, and nothing else. */
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "target.h"
#include "units.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(command_disable, .init = enter_private_units);

#define FOLDER  UNITS "server.service.d/"
#define DROP_IN FOLDER "50-libreuse.conf"

static void enable(void)
{
    show_unit("server.service", "");
    LIBREUSE(0, "enable", "server");
}

Test(command_disable, removes_the_file_and_the_empty_folder)
{
    enable();
    struct process disable = LIBREUSE(0, "disable", "server");
    expect_said(&disable, DROP_IN ": removed\nrun next:\n  systemctl daemon-reload\n");
    expect_not_said(&disable, "restart");
    expect_entries(UNITS, 0);
}

Test(command_disable, keeps_a_folder_that_has_something_else)
{
    enable();
    write_file(FOLDER "10.conf", "[Service]\n", 0644);
    LIBREUSE(0, "disable", "server.service");
    expect_entries(FOLDER, 1);
    cr_assert_not_null(file_content(FOLDER "10.conf"));
}

Test(command_disable, names_the_restart_of_a_unit_that_runs)
{
    enable();
    show_exactly("server.service", "Id=server.service\nLoadState=loaded\nActiveState=active\n");
    struct process disable = LIBREUSE(0, "disable", "server");
    expect_said(&disable, "  systemctl restart server.service\n");
}

static void show_running(const struct host *server)
{
    char *text;
    cr_assert_geq(asprintf(&text,
                           "Id=server.service\nLoadState=loaded\nActiveState=active\nMainPID=%d\n",
                           (int)server->process.pid),
                  0);
    show_exactly("server.service", text);
}

/* It runs, and listens on two addresses of one port, and on another port. */
static struct process disable_running(enum shim shim)
{
    enter_private_network();
    enable();
    struct host server = start_host(shim);
    host_serve(&server, "127.0.0.1:9999");
    host_serve(&server, "127.0.0.2:9999");
    host_serve(&server, "127.0.0.1:9998");
    show_running(&server);
    return LIBREUSE(0, "disable", "server");
}

Test(command_disable, a_server_that_has_the_shim_is_to_be_started_when_its_ports_are_free)
{
    struct process disable = disable_running(WITH_SHIM);
    expect_said(&disable, "no plain restart: without libreuse, bind() fails while ");
    expect_said(&disable, "run next:\n  systemctl daemon-reload\n"
                          "  systemctl stop server.service\n"
                          "  libreuse why --wait 9999\n  libreuse why --wait 9998\n"
                          "  systemctl start server.service\n");
    expect_not_said(&disable, "systemctl restart");
}

Test(command_disable, names_the_port_that_a_server_has_lost_and_not_where_it_listens)
{
    enter_private_network();
    enable();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "127.0.0.1:9999");
    struct host server = start_host(WITH_SHIM);
    host_lose_port(&server, "127.0.0.1:9999");
    show_running(&server);
    struct process disable = LIBREUSE(0, "disable", "server");
    expect_said(&disable, "  systemctl stop server.service\n  libreuse why --wait 9999\n"
                          "  systemctl start server.service\n");
    expect_not_said(&disable, "ephemeral");
}

/* It was enabled, and not restarted since. */
Test(command_disable, a_server_that_has_no_shim_can_be_restarted_as_ever)
{
    struct process disable = disable_running(WITHOUT_SHIM);
    expect_said(&disable, "  systemctl daemon-reload\n  systemctl restart server.service\n");
    expect_not_said(&disable, "libreuse why");
}

Test(command_disable, works_for_a_unit_that_is_gone)
{
    enable();
    show_exactly("server.service", "Id=server.service\nLoadState=not-found\n");
    LIBREUSE(0, "disable", "server");
    expect_entries(UNITS, 0);
}

Test(command_disable, works_without_systemd)
{
    enable();
    remove_systemctl();
    LIBREUSE(0, "disable", "server");
    expect_entries(UNITS, 0);
}

Test(command_disable, finds_the_file_of_an_alias)
{
    enable();
    show_exactly("alias.service", "Id=server.service\nLoadState=loaded\n");
    LIBREUSE(0, "disable", "alias");
    expect_entries(UNITS, 0);
}

Test(command_disable, finds_a_file_under_a_name_that_has_become_an_alias)
{
    enable();
    show_exactly("server.service", "Id=new.service\nLoadState=loaded\n");
    LIBREUSE(0, "disable", "server");
    expect_entries(UNITS, 0);
}

Test(command_disable, leaves_somebody_elses_file_alone)
{
    show_unit("server.service", "");
    cr_assert_eq(mkdir(FOLDER, 0755), 0);
    write_file(DROP_IN, "[Service]\n", 0644);
    struct process disable = LIBREUSE(1, "disable", "server");
    expect_complaint(&disable, "was not written by libreuse enable");
    cr_assert_not_null(file_content(DROP_IN));
    cr_assert_eq(unlink(DROP_IN), 0);
    write_file(PRIVATE_FOLDER "/file", "# Written by libreuse enable\n", 0644);
    cr_assert_eq(symlink(PRIVATE_FOLDER "/file", DROP_IN), 0);
    LIBREUSE(1, "disable", "server");
    cr_assert_not_null(file_content(PRIVATE_FOLDER "/file"));
}

Test(command_disable, says_that_there_is_nothing_to_remove)
{
    show_unit("server.service", "");
    struct process disable = LIBREUSE(1, "disable", "server");
    expect_complaint(&disable, "server.service: is not enabled: there is no " DROP_IN);
}

Test(command_disable, needs_root)
{
    enable();
    struct process disable = LIBREUSE_AS_NOBODY(3, "disable", "server");
    expect_complaint(&disable, "only root");
    cr_assert_not_null(file_content(DROP_IN));
}

Test(command_disable, gives_2_for_wrong_usage)
{
    struct process nothing = LIBREUSE(2, "disable");
    expect_complaint(&nothing, "no unit given");
    struct process more = LIBREUSE(2, "disable", "a", "b");
    expect_complaint(&more, "b: one unit was expected");
    struct process option = LIBREUSE(2, "disable", "--shown", "a");
    expect_complaint(&option, "--shown");
}
