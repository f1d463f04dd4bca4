/*
 * LIBREUSE_LOG=/a/path: what a log file holds, who may be tricked into writing elsewhere (nobody),
 * and what becomes of a report when the file cannot take it.
 */
#include "deadline.h"
#include "host.h"
#include "moments.h"
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LOG             OWN_FOLDER "/log"
#define SHARED          OWN_FOLDER "/shared" /* a folder that everybody may write to */
#define VICTIM          OWN_FOLDER "/victim"
#define PRECIOUS        "precious\n"
#define NOBODYS_ADDRESS "192.0.2.1:9999"

static void make_machine(void)
{
    enter_private_network();
    enter_private_files();
}

TestSuite(log_file, .init = make_machine);

static struct host host_logging_to(const char *path)
{
    static char setting[512];
    snprintf(setting, sizeof setting, "LIBREUSE_LOG=%s", path);
    return start_host_as(WITH_SHIM, (struct program){.settings = {setting, "TZ=Asia/Kathmandu"}});
}

/* One report is due. */
static void fail(struct host *host)
{
    int fd = host_tcp_socket(host);
    EXPECT_ERROR(host_bind(host, fd, NOBODYS_ADDRESS), EADDRNOTAVAIL);
    host_close(host, fd);
}

/* A report that no file took has come to standard error, whole. */
static void expect_on_stderr(struct host *host)
{
    EXPECT_VALUE(count_reports(&host->process, "bind-failed"), 1);
}

static void check_refused(const char *path)
{
    struct host host = host_logging_to(path);
    fail(&host);
    expect_on_stderr(&host);
    end_host(&host);
}

static void check_taken(const char *path, const char *file)
{
    struct host host = host_logging_to(path);
    fail(&host);
    expect_silence(&host.process);
    cr_assert_not_null(file_at(file), "no file %s", file);
    cr_assert_not_null(strstr(file_at(file), ": bind-failed: " NOBODYS_ADDRESS ": "), "%s",
                       file_at(file));
    end_host(&host);
}

Test(log_file, gets_one_line_for_each_report_with_the_time_in_utc)
{
    struct host host = host_logging_to(LOG);
    int64_t since = moment_now();
    fail(&host);
    fail(&host);
    expect_silence(&host.process);
    const char *line = file_at(LOG);
    for (int i = 0; i < 2; i++) {
        char start[128];
        snprintf(start, sizeof start,
                 " libreuse: obedient_host[%d]: bind-failed: %s: ", (int)host.process.pid,
                 NOBODYS_ADDRESS);
        line = expect_moment(line, since);
        cr_assert_eq(strncmp(line, start, strlen(start)), 0, "%s", line);
        line = strchr(line, '\n');
        cr_assert_not_null(line, "the line has no end");
        line++;
    }
    cr_assert_str_empty(line);
}

static unsigned mode_of(const char *path)
{
    struct stat facts;
    cr_assert_eq(stat(path, &facts), 0, "%s: %s", path, strerror(errno));
    return facts.st_mode & 07777;
}

static void expect_mode(unsigned mask, unsigned expected)
{
    char path[64];
    snprintf(path, sizeof path, LOG "-%03o", mask);
    umask(mask);
    check_taken(path, path);
    cr_assert_eq(mode_of(path), expected, "mode %o with umask %o", mode_of(path), mask);
}

Test(log_file, is_created_for_its_owner_and_group_as_far_as_the_umask_allows)
{
    expect_mode(0, 0640);
    expect_mode(022, 0640);
    expect_mode(077, 0600);
    expect_mode(027, 0640);
}

Test(log_file, that_is_there_is_appended_to_and_keeps_its_mode)
{
    make_file(LOG, 0604, PRECIOUS);
    check_taken(LOG, LOG);
    cr_assert_eq(strncmp(file_at(LOG), PRECIOUS, strlen(PRECIOUS)), 0, "%s", file_at(LOG));
    cr_assert_eq(mode_of(LOG), 0604);
}

/* logrotate's way: the file is renamed, and the next report begins a new one. */
Test(log_file, that_was_moved_away_is_created_again)
{
    struct host host = host_logging_to(LOG);
    fail(&host);
    cr_assert_eq(rename(LOG, LOG ".1"), 0);
    fail(&host);
    cr_assert_not_null(file_at(LOG));
    cr_assert_str_not_empty(file_at(LOG));
    expect_silence(&host.process);
}

Test(log_file, is_written_to_when_the_program_has_no_standard_error)
{
    struct host host = start_host_as(
        WITH_SHIM, (struct program){.settings = {"LIBREUSE_LOG=" LOG}, .errors_closed = true});
    fail(&host);
    cr_assert_not_null(strstr(file_at(LOG), ": bind-failed: "));
    EXPECT_VALUE(host_tcp_socket(&host), 2);
}

/* Paths */

Test(log_file, may_have_a_path_with_dots_and_many_slashes)
{
    make_folder(OWN_FOLDER "/deep", 0755);
    check_taken("//run///own/./deep/..//log", LOG);
}

Test(log_file, may_have_a_path_of_255_bytes)
{
    static char path[512] = OWN_FOLDER;
    while (strlen(path) < 255) {
        strcat(path, "/");
    }
    memcpy(path + 252, "log", 3);
    EXPECT_VALUE((long)strlen(path), 255);
    check_taken(path, LOG);
}

Test(log_file, with_a_path_that_is_too_long_is_complained_about)
{
    static char path[512] = OWN_FOLDER;
    while (strlen(path) < 256) {
        strcat(path, "/");
    }
    memcpy(path + 253, "log", 3);
    struct host host = host_logging_to(path);
    fail(&host);
    expect_on_stderr(&host);
    EXPECT_VALUE(count_reports(&host.process, "config"), 1);
    cr_assert_null(file_at(LOG));
}

Test(log_file, in_a_folder_that_does_not_exist_is_followed_by_standard_error)
{
    check_refused(OWN_FOLDER "/missing/log");
    cr_assert_neq(access(OWN_FOLDER "/missing", F_OK), 0, "the folder was made");
}

Test(log_file, that_takes_nothing_is_not_spoken_of_where_only_errors_are)
{
    struct host host = start_host_as(
        WITH_SHIM, (struct program){.settings = {"LIBREUSE_LOG=" OWN_FOLDER "/missing/log",
                                                 "LIBREUSE_LEVEL=err"}});
    EXPECT_ERROR(host_listen(&host, 150), EBADF);
    EXPECT_VALUE(count_reports(&host.process, "listen-failed"), 1);
    EXPECT_VALUE(count_reports(&host.process, "log-failed"), 0);
}

Test(log_file, below_a_file_is_followed_by_standard_error)
{
    make_file(VICTIM, 0644, PRECIOUS);
    check_refused(VICTIM "/log");
    cr_assert_str_eq(file_at(VICTIM), PRECIOUS);
}

Test(log_file, that_is_a_folder_is_followed_by_standard_error)
{
    check_refused(OWN_FOLDER);
    check_refused(OWN_FOLDER "/");
    check_refused("/");
    check_refused(OWN_FOLDER "/log/");
    cr_assert_null(file_at(LOG));
}

/* Symbolic links */

static void link_to(const char *target, const char *path)
{
    cr_assert_eq(symlink(target, path), 0, "%s: %s", path, strerror(errno));
}

Test(log_file, that_is_a_symbolic_link_in_a_folder_of_the_owners_is_where_the_link_leads)
{
    make_folder(OWN_FOLDER "/elsewhere", 0755);
    link_to("elsewhere/log", LOG);
    check_taken(LOG, OWN_FOLDER "/elsewhere/log");
    link_to(OWN_FOLDER "/elsewhere", OWN_FOLDER "/folder");
    check_taken(OWN_FOLDER "/folder/other", OWN_FOLDER "/elsewhere/other");
}

/* The kernel's own protection (fs.protected_symlinks) applies to sticky folders only. */
static void check_trap(unsigned shared_mode, const char *target, const char *link, const char *log)
{
    make_folder(SHARED, shared_mode);
    make_folder(OWN_FOLDER "/secret", 0755);
    make_file(OWN_FOLDER "/secret/log", 0644, PRECIOUS);
    make_file(VICTIM, 0644, PRECIOUS);
    link_to(target, link);
    check_refused(log);
    cr_assert_str_eq(file_at(VICTIM), PRECIOUS);
    cr_assert_str_eq(file_at(OWN_FOLDER "/secret/log"), PRECIOUS);
    cr_assert_null(file_at(OWN_FOLDER "/new"));
}

Test(log_file, is_not_the_target_of_a_symbolic_link_in_a_world_writable_folder)
{
    check_trap(0777, VICTIM, SHARED "/log", SHARED "/log");
}

Test(log_file, is_not_the_target_of_a_symbolic_link_in_a_sticky_folder)
{
    check_trap(01777, VICTIM, SHARED "/log", SHARED "/log");
}

Test(log_file, is_not_the_target_of_a_relative_symbolic_link_in_a_world_writable_folder)
{
    check_trap(0777, "../victim", SHARED "/log", SHARED "/log");
}

Test(log_file, is_not_created_by_a_symbolic_link_in_a_world_writable_folder)
{
    check_trap(01777, OWN_FOLDER "/new", SHARED "/log", SHARED "/log");
}

Test(log_file, is_not_below_a_symbolic_link_in_a_world_writable_folder)
{
    check_trap(0777, OWN_FOLDER "/secret", SHARED "/folder", SHARED "/folder/log");
}

Test(log_file, is_not_below_a_symbolic_link_in_a_sticky_folder)
{
    check_trap(01777, OWN_FOLDER "/secret", SHARED "/folder", SHARED "/folder/log");
}

/* The owner's own link leads into the shared folder, where somebody else's link lies. */
Test(log_file, is_not_behind_two_links_of_which_the_second_is_in_a_world_writable_folder)
{
    link_to(SHARED "/log", LOG);
    check_trap(0777, VICTIM, SHARED "/log", LOG);
}

Test(log_file, is_not_behind_a_link_through_a_link_in_a_world_writable_folder)
{
    link_to(SHARED "/folder/log", LOG);
    check_trap(0777, OWN_FOLDER "/secret", SHARED "/folder", LOG);
}

Test(log_file, may_be_in_a_world_writable_folder)
{
    make_folder(SHARED, 01777);
    make_folder(SHARED "/folder", 0755);
    check_taken(SHARED "/log", SHARED "/log");
    check_taken(SHARED "/folder/log", SHARED "/folder/log");
}

/* What may be somebody else's */

#define NOBODY 65534

static void give_away(const char *path)
{
    if (lchown(path, NOBODY, NOBODY) != 0) {
        skip_because("nothing can be given to another user here: %s", strerror(errno));
    }
}

/* A report comes to standard error, and once before it one that says why. */
static void check_distrusted(const char *path, const char *why)
{
    struct host host = host_logging_to(path);
    char beginning[512];
    snprintf(beginning, sizeof beginning, "log-failed: %s: ", path);
    fail(&host);
    fail(&host);
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 2);
    const char *rest = expect_report(&host.process, beginning);
    expect_words(rest, why);
    expect_words(rest, "; reports that it does not take go to standard error");
    end_host(&host);
}

/* fs.protected_regular of the kernel, which makes open() fail, is often off. */
static void check_foreign_file(unsigned shared_mode, const char *folder)
{
    make_folder(SHARED, shared_mode);
    make_file(SHARED "/log", 0666, PRECIOUS);
    give_away(SHARED "/log");
    if (folder != NULL) {
        give_away(folder);
    }
    check_distrusted(SHARED "/log", "uid");
    cr_assert_str_eq(file_at(SHARED "/log"), PRECIOUS);
}

Test(log_file, of_somebody_else_in_a_world_writable_folder_is_not_used_and_it_is_said_once_why)
{
    check_foreign_file(0777, NULL);
}

Test(log_file, of_somebody_else_in_a_sticky_folder_is_not_used_and_it_is_said_once_why)
{
    check_foreign_file(01777, NULL);
}

/* Then the kernel's own protection does not apply. */
Test(log_file, of_the_owner_of_a_sticky_folder_is_not_used_and_it_is_said_once_why)
{
    check_foreign_file(01777, SHARED);
}

Test(log_file, of_somebody_else_in_a_folder_of_the_hosts_own_is_used)
{
    make_file(LOG, 0666, PRECIOUS);
    give_away(LOG);
    check_taken(LOG, LOG);
}

Test(log_file, that_is_somebody_elses_pipe_in_a_sticky_folder_is_not_used_and_it_is_said_once_why)
{
    make_folder(SHARED, 01777);
    give_away(SHARED);
    cr_assert_eq(mkfifo(SHARED "/log", 0600), 0);
    give_away(SHARED "/log");
    int reader = open(SHARED "/log", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    check_distrusted(SHARED "/log", "it, or a folder on the way to it, belongs to uid 65534 and "
                                    "lies where everybody may write");
    char byte;
    EXPECT_VALUE(read(reader, &byte, 1), 0);
}

Test(log_file, in_somebody_elses_folder_in_a_sticky_folder_is_not_used_and_it_is_said_once_why)
{
    make_folder(SHARED, 01777);
    make_folder(SHARED "/folder", 0755);
    give_away(SHARED "/folder");
    check_distrusted(SHARED "/folder/log", "belongs to uid 65534");
    cr_assert_null(file_at(SHARED "/folder/log"));
}

Test(log_file, with_a_second_link_in_a_world_writable_folder_is_not_used_and_it_is_said_once_why)
{
    make_folder(SHARED, 0777);
    make_file(VICTIM, 0644, PRECIOUS);
    cr_assert_eq(link(VICTIM, SHARED "/log"), 0, "link: %s", strerror(errno));
    check_distrusted(SHARED "/log", "it has a second name (hard link)");
    cr_assert_str_eq(file_at(VICTIM), PRECIOUS);
}

Test(log_file, with_a_second_link_in_a_folder_of_the_hosts_own_is_used)
{
    make_file(VICTIM, 0644, PRECIOUS);
    cr_assert_eq(link(VICTIM, LOG), 0);
    check_taken(LOG, VICTIM);
}

/* Its reports go elsewhere from then on, and that is said before the first of them. */
Test(log_file, that_root_has_created_and_another_user_cannot_write_is_given_up_with_a_word)
{
    struct host host = host_logging_to(LOG);
    fail(&host);
    expect_silence(&host.process);
    host_become_user(&host, NOBODY);
    fail(&host);
    fail(&host);
    expect_words(expect_report(&host.process, "log-failed: " LOG ": EACCES for uid 65534"),
                 "; reports that it does not take go to standard error");
    EXPECT_VALUE(count_reports(&host.process, "bind-failed"), 2);
}

Test(log_file, that_is_given_up_is_spoken_of_where_the_reports_go)
{
    int system_log = receive_at(SYSTEM_LOG_PATH);
    struct host host =
        start_host_as(WITH_SHIM, (struct program){.settings = {"LIBREUSE_LOG=/missing/log"},
                                                  .errors_closed = true});
    fail(&host);
    struct datagram datagram;
    cr_assert(receive(system_log, &datagram), "nothing came");
    cr_assert_not_null(strstr(datagram.bytes, ": log-failed: /missing/log: ENOENT; reports that it "
                                              "does not take go to the system log"),
                       "%s", datagram.bytes);
    cr_assert(receive(system_log, &datagram), "only one came");
    cr_assert_not_null(strstr(datagram.bytes, ": bind-failed: "), "%s", datagram.bytes);
}

/* What is no file */

Test(log_file, that_is_a_device_is_followed_by_standard_error)
{
    check_refused("/dev/null");
    check_refused("/dev/full");
}

Test(log_file, that_is_a_socket_is_followed_by_standard_error)
{
    int receiver = receive_at(OWN_FOLDER "/socket");
    check_refused(OWN_FOLDER "/socket");
    struct datagram datagram;
    cr_assert(!receive(receiver, &datagram));
}

Test(log_file, that_is_a_pipe_without_a_reader_is_followed_by_standard_error)
{
    cr_assert_eq(mkfifo(LOG, 0600), 0);
    check_refused(LOG); /* open() of such a pipe waits for a reader */
}

Test(log_file, that_is_a_pipe_with_a_reader_gives_it_the_reports)
{
    cr_assert_eq(mkfifo(LOG, 0600), 0);
    int reader = open(LOG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct host host = host_logging_to(LOG);
    fail(&host);
    expect_silence(&host.process);
    char text[4096];
    ssize_t got = read(reader, text, sizeof text - 1);
    cr_assert_gt(got, 0, "nothing came");
    text[got] = '\0';
    cr_assert_not_null(strstr(text, ": bind-failed: "), "%s", text);
}

Test(log_file, that_is_a_full_pipe_stops_nobody_and_is_followed_by_standard_error)
{
    static const char filler[4096];
    cr_assert_eq(mkfifo(LOG, 0600), 0);
    int pipe = open(LOG, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    while (write(pipe, filler, sizeof filler) > 0) {
    }
    check_refused(LOG);
}

Test(log_file, that_is_a_pipe_whose_reader_goes_away_kills_nobody)
{
    cr_assert_eq(mkfifo(LOG, 0600), 0);
    int reader = open(LOG, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    struct host host = host_logging_to(LOG);
    fail(&host);
    close(reader);
    fail(&host);
    expect_on_stderr(&host);
    EXPECT_VALUE(host_has_pending(&host, SIGPIPE), 0);
    end_host(&host);
}

/* A file that cannot grow */

Test(log_file, on_a_read_only_file_system_is_followed_by_standard_error)
{
    mount_tmpfs(OWN_FOLDER "/mounted", NULL);
    make_file(OWN_FOLDER "/mounted/old", 0644, PRECIOUS);
    make_read_only(OWN_FOLDER "/mounted");
    check_refused(OWN_FOLDER "/mounted/new");
    check_refused(OWN_FOLDER "/mounted/old");
    cr_assert_str_eq(file_at(OWN_FOLDER "/mounted/old"), PRECIOUS);
}

/* Fills the file system of a file, from the end of the file on. */
static void fill_file_system(const char *path)
{
    static const char filler[4096];
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    while (write(fd, filler, sizeof filler) > 0) {
    }
    cr_assert_eq(errno, ENOSPC, "%s: %s", path, strerror(errno));
    close(fd);
}

Test(log_file, on_a_full_file_system_is_followed_by_standard_error)
{
    mount_tmpfs(OWN_FOLDER "/mounted", "size=16k");
    fill_file_system(OWN_FOLDER "/mounted/filler");
    check_refused(OWN_FOLDER "/mounted/log");
}

/* A file system without room for one more file. */
Test(log_file, on_a_file_system_without_inodes_is_followed_by_standard_error)
{
    mount_tmpfs(OWN_FOLDER "/mounted", "nr_inodes=1");
    check_refused(OWN_FOLDER "/mounted/log");
}

/* Leaves room for half a report in the last page. */
Test(log_file, that_can_take_half_a_report_is_followed_by_standard_error_with_the_whole)
{
    mount_tmpfs(OWN_FOLDER "/mounted", "size=4k");
    static char content[4096 - 50];
    memset(content, 'x', sizeof content - 1);
    content[sizeof content - 2] = '\n';
    make_file(OWN_FOLDER "/mounted/log", 0644, content);
    check_refused(OWN_FOLDER "/mounted/log");
    const char *half = file_at(OWN_FOLDER "/mounted/log");
    EXPECT_VALUE((long)strlen(half), 4096);
    cr_assert_not_null(strstr(half, " libreuse: obedient_host["), "%s", half);
    cr_assert_eq(half[4095], '\n', "the half line has no end: %s", half);
}

/* The half line ends where it does, even if others have written behind it meanwhile. */
Test(log_file, that_takes_half_a_report_ends_the_half_within_the_limit_of_the_hosts_files)
{
    make_file(LOG, 0644, PRECIOUS);
    struct host host = host_logging_to(LOG);
    host_catch(&host, SIGXFSZ);
    host_limit_files(&host, (int)strlen(PRECIOUS) + 40);
    fail(&host);
    EXPECT_VALUE(host_caught(&host), 0);
    EXPECT_VALUE(host_has_pending(&host, SIGXFSZ), 0);
    const char *text = file_at(LOG);
    EXPECT_VALUE((long)strlen(text), (long)strlen(PRECIOUS) + 40);
    cr_assert_eq(text[strlen(text) - 1], '\n', "the half line has no end: %s", text);
}

Test(log_file, that_has_reached_the_limit_of_the_hosts_files_kills_nobody)
{
    make_file(LOG, 0644, PRECIOUS);
    struct host host = host_logging_to(LOG);
    host_limit_files(&host, (int)strlen(PRECIOUS));
    /* Standard error is a file, too, and cannot grow either. */
    fail(&host);
    EXPECT_VALUE(host_has_pending(&host, SIGXFSZ), 0);
    end_host(&host);
    cr_assert_str_eq(file_at(LOG), PRECIOUS);
}

Test(log_file, that_has_reached_the_limit_is_followed_by_a_standard_error_that_is_no_file)
{
    make_file(LOG, 0644, PRECIOUS);
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    struct host host = start_host_as(
        WITH_SHIM, (struct program){.settings = {"LIBREUSE_LOG=" LOG}, .errors = ends[1]});
    host_catch(&host, SIGXFSZ);
    host_limit_files(&host, (int)strlen(PRECIOUS));
    fail(&host);
    EXPECT_VALUE(host_caught(&host), 0);
    char text[4096];
    ssize_t got = read(ends[0], text, sizeof text - 1);
    cr_assert_gt(got, 0, "nothing came");
    text[got] = '\0';
    cr_assert_not_null(strstr(text, ": bind-failed: "), "%s", text);
    cr_assert_str_eq(file_at(LOG), PRECIOUS);
}

/* Many writers */

enum { WRITERS = 50, TIMES = 100 };

/* The writer of a line "TIME libreuse: swallow_storm[PID]: swallowed: ..."; fails on any other. */
static pid_t writer_of(char *line, int64_t since)
{
    int pid = 0;
    int length = 0;
    unsigned port = 0;
    const char *text = expect_moment(line, since);
    int read = sscanf(text,
                      " libreuse: swallow_storm[%d]: swallowed: bind to 127.0.0.1:9999 had failed "
                      "with EADDRINUSE; the program went on and listens on 0.0.0.0:%u, clients of "
                      "port 9999 %n",
                      &pid, &port, &length);
    cr_assert(read == 2 && length > 0, "not a whole line: %s", line);
    cr_assert_null(strstr(text + length, "libreuse: "), "two reports in a line: %s", line);
    return pid;
}

Test(log_file, has_whole_lines_and_all_of_them_when_fifty_processes_write_at_once)
{
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, "0.0.0.0:9999");
    make_file(LOG, 0640, "");
    int64_t since = moment_now();
    static struct process writers[WRITERS];
    static unsigned lines[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = start((struct program){
            .path = BUILD_FOLDER "/fixtures/swallow_storm",
            .shim = WITH_SHIM,
            .arguments = {"100"},
            .settings = {"LIBREUSE_LOG=" LOG, "LIBREUSE_LEVEL=err", "LIBREUSE_EXPLAIN=0"}});
    }
    for (int i = 0; i < WRITERS; i++) {
        expect_exit(&writers[i], 0);
        expect_silence(&writers[i]);
    }
    char *text = strdup(file_at(LOG));
    cr_assert_eq(text[strlen(text) - 1], '\n', "the last line has no end");
    unsigned total = 0;
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        if (strstr(line, "]: bind-failed: ") != NULL) {
            expect_moment(line, since);
            continue;
        }
        pid_t pid = writer_of(line, since);
        for (int i = 0; i < WRITERS; i++) {
            lines[i] += writers[i].pid == pid;
        }
        total++;
    }
    cr_assert_eq(total, WRITERS * TIMES, "%u lines", total);
    for (int i = 0; i < WRITERS; i++) {
        cr_assert_eq(lines[i], TIMES, "%u lines of writer %d", lines[i], i);
    }
}
