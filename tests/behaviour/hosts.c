/*
 * Programs that change under the library: daemons that close everything, programs that lock
 * themselves into a folder, that give their rights away, that a filter kills.
 */
#include "deadline.h"
#include "host.h"
#include "namespace.h"
#include "receivers.h"
#include "reports.h"
#include "skip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HOST  BUILD_FOLDER "/fixtures/changing_host"
#define DATA  OWN_FOLDER "/data"
#define ENDED OWN_FOLDER "/ended"
#define JAIL  OWN_FOLDER "/jail"

static void hold_port(void)
{
    enter_private_network();
    enter_private_files();
    static struct host holder;
    holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
}

TestSuite(hosts, .init = hold_port);

/* The reports that are due for "fail". */
static void expect_both_reports(const struct process *process)
{
    EXPECT_VALUE(count_reports(process, "bind-failed"), 1);
    EXPECT_VALUE(count_reports(process, "swallowed"), 1);
}

static void expect_both_at(int receiver)
{
    struct datagram first;
    struct datagram second;
    struct datagram none;
    cr_assert(receive(receiver, &first) && receive(receiver, &second), "no reports");
    cr_assert(!receive(receiver, &none), "%s", none.bytes);
    cr_assert_not_null(strstr(first.bytes, "]: bind-failed: "), "%s", first.bytes);
    cr_assert_not_null(strstr(second.bytes, "]: swallowed: "), "%s", second.bytes);
}

static void expect_both_in(const char *path)
{
    const char *text = file_at(path);
    cr_assert_not_null(text, "no file %s", path);
    cr_assert_not_null(strstr(text, "]: bind-failed: "), "%s", text);
    cr_assert_not_null(strstr(text, "]: swallowed: "), "%s", text);
}

/* The daemon's own reports are the only ones: its first process only forks. */
static void run_daemon(const char *setting)
{
    struct process process = run((struct program){
        .path = HOST,
        .shim = WITH_SHIM,
        .arguments = {"daemonize", DATA, "fail", "write-data", "data", "create", ENDED},
        .settings = {setting}});
    EVENTUALLY(access(ENDED, F_OK) == 0);
    expect_silence(&process);
    cr_assert_str_eq(file_at(DATA), "data");
}

Test(hosts, that_become_a_daemon_report_to_the_journal_and_their_data_stays_clean)
{
    int journal = receive_at(JOURNAL_PATH);
    run_daemon(NULL);
    expect_both_at(journal);
}

Test(hosts, that_become_a_daemon_report_to_the_system_log_and_their_data_stays_clean)
{
    int system_log = receive_at(SYSTEM_LOG_PATH);
    run_daemon("LIBREUSE_LOG=stderr");
    expect_both_at(system_log);
}

Test(hosts, that_become_a_daemon_report_to_a_file_and_their_data_stays_clean)
{
    run_daemon("LIBREUSE_LOG=" OWN_FOLDER "/log");
    expect_both_in(OWN_FOLDER "/log");
}

Test(hosts, that_become_a_daemon_lose_reports_that_nobody_takes_and_their_data_stays_clean)
{
    run_daemon(NULL);
}

/* A file in the build folder, which is on a disk, without a name: its descriptor, and its inode. */
static int nameless_file(ino_t *inode, char path[64])
{
    char name[] = BUILD_FOLDER "/nameless-XXXXXX";
    struct stat facts;
    int fd = mkostemp(name, O_APPEND | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &facts) == 0, "%s: %s", name, strerror(errno));
    unlink(name);
    *inode = facts.st_ino;
    snprintf(path, 64, "/proc/%d/fd/%d", (int)getpid(), fd);
    return fd;
}

/* A file system on a disk gives the number of a deleted file to the next one. */
Test(hosts, whose_data_file_has_the_inode_of_their_deleted_standard_error_keep_it_clean)
{
    enum { FILES = 64 };
    char path[64];
    ino_t deleted;
    int errors = nameless_file(&deleted, path);
    struct host host = start_host_as(WITH_SHIM, (struct program){.errors = errors});
    close(errors);
    host_close(&host, 2);

    ino_t inode = 0;
    int data = -1;
    for (int i = 0; i < FILES && inode != deleted; i++) {
        data = nameless_file(&inode, path);
    }
    if (inode != deleted) {
        skip_because("the file system of %s does not use inodes again", BUILD_FOLDER);
    }
    EXPECT_VALUE(host_open(&host, path), 2);
    EXPECT_ERROR(host_bind(&host, host_tcp_socket(&host), "0.0.0.0:9999"), EADDRINUSE);
    cr_assert_str_empty(content_of(data));
}

static struct process run_host(struct program program)
{
    program.path = HOST;
    program.shim = WITH_SHIM;
    return run(program);
}

Test(hosts, that_close_every_descriptor_from_3_report_as_before_and_meet_no_descriptor_of_ours)
{
    struct process process = run_host((struct program){
        .arguments = {"expect-free", "3", "close-from", "3", "expect-free", "3", "fail"}});
    expect_both_reports(&process);
}

Test(hosts, that_close_every_descriptor_report_to_the_journal)
{
    int journal = receive_at(JOURNAL_PATH);
    struct process process =
        run_host((struct program){.arguments = {"close-from", "0", "expect-free", "0", "fail"}});
    expect_silence(&process);
    expect_both_at(journal);
}

Test(hosts, that_are_locked_into_an_empty_folder_report_to_standard_error)
{
    make_folder(JAIL, 0755);
    struct process process = run_host((struct program){.arguments = {"chroot", JAIL, "fail"}});
    expect_both_reports(&process);
}

Test(hosts, that_are_locked_into_a_folder_are_rescued)
{
    make_folder(JAIL, 0755);
    leave_time_wait(WITH_SHIM, "127.0.0.1:7777");
    struct process process = run_host((struct program){.arguments = {"chroot", JAIL, "rescued"}});
    EXPECT_VALUE(count_reports(&process, "rescued"), 1);
}

Test(hosts, that_are_locked_into_a_folder_write_the_log_file_that_is_there)
{
    make_folder(JAIL, 0755);
    make_folder(JAIL "/logs", 0755);
    make_folder("/run/logs", 0755);
    struct process process = run_host((struct program){.arguments = {"chroot", JAIL, "fail"},
                                                       .settings = {"LIBREUSE_LOG=/logs/log"}});
    expect_silence(&process);
    expect_both_in(JAIL "/logs/log");
}

Test(hosts, that_are_locked_into_a_folder_without_the_logs_path_report_to_standard_error)
{
    make_folder(JAIL, 0755);
    struct process process = run_host((struct program){
        .arguments = {"chroot", JAIL, "fail"}, .settings = {"LIBREUSE_LOG=" OWN_FOLDER "/log"}});
    expect_both_reports(&process);
    cr_assert_null(file_at(OWN_FOLDER "/log"));
}

/* The journal's socket is outside; the system log is asked to listen inside, too. */
Test(hosts, that_are_locked_into_a_folder_report_to_the_system_log_that_listens_there)
{
    make_folder(JAIL, 0755);
    make_folder(JAIL "/dev", 0755);
    int outside = receive_at(JOURNAL_PATH);
    int inside = receive_at(JAIL "/dev/log");
    struct process process =
        run_host((struct program){.arguments = {"close-from", "0", "chroot", JAIL, "fail"}});
    expect_silence(&process);
    expect_both_at(inside);
    struct datagram none;
    cr_assert(!receive(outside, &none), "%s", none.bytes);
}

/* An ordinary user's namespace has no second user to become. */
static void need_second_user(void)
{
    int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
    unsigned inside = 0;
    unsigned outside = 0;
    unsigned count = 0;
    sscanf(content_of(fd), "%u %u %u", &inside, &outside, &count);
    close(fd);
    if (count < 65535) {
        skip_because("there is only one user in this namespace");
    }
}

Test(hosts, that_give_root_away_are_rescued_and_report)
{
    need_second_user();
    leave_time_wait(WITH_SHIM, "127.0.0.1:7777");
    struct process process =
        run_host((struct program){.arguments = {"drop-root", "rescued", "fail"}});
    EXPECT_VALUE(count_reports(&process, "rescued"), 1);
    expect_both_reports(&process);
}

Test(hosts, that_give_root_away_and_may_not_write_roots_log_any_more_report_to_standard_error)
{
    need_second_user();
    struct process process =
        run_host((struct program){.arguments = {"fail", "drop-root", "fail"},
                                  .settings = {"LIBREUSE_LOG=" OWN_FOLDER "/log"}});
    expect_both_in(OWN_FOLDER "/log");
    expect_both_reports(&process);
}

Test(hosts, that_give_root_away_and_may_not_create_the_log_report_to_standard_error)
{
    need_second_user();
    struct process process = run_host((struct program){
        .arguments = {"drop-root", "fail"}, .settings = {"LIBREUSE_LOG=" OWN_FOLDER "/log"}});
    expect_both_reports(&process);
    cr_assert_null(file_at(OWN_FOLDER "/log"));
}

Test(hosts, that_give_root_away_write_a_log_in_a_folder_of_their_own)
{
    need_second_user();
    make_folder(OWN_FOLDER "/nobodys", 0755);
    cr_assert_eq(chown(OWN_FOLDER "/nobodys", 65534, 65534), 0);
    struct process process =
        run_host((struct program){.arguments = {"drop-root", "fail"},
                                  .settings = {"LIBREUSE_LOG=" OWN_FOLDER "/nobodys/log"}});
    expect_silence(&process);
    expect_both_in(OWN_FOLDER "/nobodys/log");
}

static struct process start_under_filter(const char *setting)
{
    return start((struct program){.path = HOST,
                                  .shim = WITH_SHIM,
                                  .arguments = {"die-of-netlink", "fail"},
                                  .settings = {setting}});
}

Test(hosts, that_a_filter_kills_for_a_look_up_live_when_libreuse_explain_is_0)
{
    struct process process = start_under_filter("LIBREUSE_EXPLAIN=0");
    expect_exit(&process, 0);
    expect_both_reports(&process);
}

/* The other side of the test above: there is a filter, and it kills. */
Test(hosts, that_a_filter_kills_for_a_look_up_die_when_the_look_up_is_made)
{
    struct process process = start_under_filter("LIBREUSE_EXPLAIN=1");
    EVENTUALLY(has_ended(&process));
    cr_assert(WIFSIGNALED(process.status) && WTERMSIG(process.status) == SIGSYS, "wait status 0x%x",
              (unsigned)process.status);
}
