/*
 * libreuse watch: what it sees of programs that run in a network of their own. It sees the whole
 * machine, other tests, too: so each test looks for the lines of its own process.
 */
#include "deadline.h"
#include "host.h"
#include "invoke.h"
#include "namespace.h"
#include "skip.h"
#include "target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ADDRESS "0.0.0.0:9999"

/* What floods the watches of this machine is done while there are no others. */
static void take_turns(int operation)
{
    static int fd = -1;
    if (fd < 0) {
        fd = open(LIBREUSE_PATH, O_RDONLY | O_CLOEXEC);
    }
    cr_assert(fd >= 0 && flock(fd, operation) == 0, "%s", strerror(errno));
}

static void enter_network_in_turn(void)
{
    take_turns(LOCK_SH);
    enter_private_network();
}

TestSuite(command_watch, .init = enter_network_in_turn);

static struct process watching_with(const char *option, const char *other_option)
{
    struct program program = {.path = LIBREUSE_PATH, .arguments = {"watch", option, other_option}};
    struct process watch = start(program);
    EVENTUALLY(has_ended(&watch) || strstr(output_of(&watch), "ctrl-c ends\n") != NULL ||
               strstr(errors_of(&watch), "ctrl-c ends\n") != NULL);
    /* What the kernel's verifier says is our own fault. */
    cr_assert_null(strstr(errors_of(&watch), "bpf(2): "), "%s", errors_of(&watch));
    if (watch.ended) {
        skip_because("%s", errors_of(&watch));
    }
    return watch;
}

static struct process watching(void)
{
    return watching_with("--port=9998,9999", NULL);
}

/* The line of a process with these words, where there is one by now. */
static char *line_of(const struct process *watch, pid_t pid, const char *words)
{
    char number[32];
    snprintf(number, sizeof number, "[%d]", (int)pid);
    char *rest = output_of(watch);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (strstr(line, number) != NULL && strstr(line, words) != NULL) {
            return line;
        }
    }
    return NULL;
}

#define EXPECT_SEEN(watch, pid, words) EVENTUALLY(line_of(watch, pid, words) != NULL)

/* What happened before, and is not waited with, is shown when a failure that came after it is. */
static void expect_not_seen(const struct process *watch, pid_t pid, const char *words)
{
    struct host other = start_host(WITHOUT_SHIM);
    EXPECT_ERROR(host_bind(&other, host_tcp_socket(&other), "192.0.2.1:9999"), EADDRNOTAVAIL);
    EXPECT_SEEN(watch, other.process.pid, "EADDRNOTAVAIL");
    cr_assert_null(line_of(watch, pid, words), "%s", output_of(watch));
    end_host(&other);
}

static int host_refused(struct host *host)
{
    const int fd = host_tcp_socket(host);
    EXPECT_ERROR(host_bind(host, fd, ADDRESS), EADDRINUSE);
    return fd;
}

Test(command_watch, says_who_holds_the_port)
{
    struct process watch = watching();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, ADDRESS);
    struct host server = start_host(WITHOUT_SHIM);
    host_refused(&server);
    char held[64];
    snprintf(held, sizeof held, "EADDRINUSE: held by obedient_host[%d] listening on 0.0.0.0:9999",
             (int)holder.process.pid);
    EXPECT_SEEN(&watch, server.process.pid, held);
}

Test(command_watch, sees_that_a_bind_is_swallowed)
{
    struct process watch = watching();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, ADDRESS);
    struct host server = start_host(WITHOUT_SHIM);
    const uint16_t port = host_lose_port(&server, ADDRESS);
    char words[128];
    snprintf(words, sizeof words,
             "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; the program went on and "
             "listens on 0.0.0.0:%u,",
             port);
    EXPECT_SEEN(&watch, server.process.pid, words);
}

Test(command_watch, says_that_nobody_has_tried_the_option)
{
    struct process watch = watching();
    leave_time_wait(WITHOUT_SHIM, ADDRESS);
    struct host server = start_host(WITHOUT_SHIM);
    host_refused(&server);
    EXPECT_SEEN(&watch, server.process.pid, "held by 1 TIME_WAIT socket, for ");
    EXPECT_SEEN(&watch, server.process.pid,
                "; the program asked without SO_REUSEADDR; run: libreuse free 9999; so that its "
                "restarts work: libreuse run");
}

Test(command_watch, looks_into_other_networks)
{
    struct process watch = watching();
    struct host server = start_host(WITHOUT_SHIM);
    host_unshare(&server, CLONE_NEWNET);
    const int holder = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, holder, ADDRESS));
    host_refused(&server);
    EXPECT_SEEN(&watch, server.process.pid, "held by this very process, bound to 0.0.0.0:9999");
}

/* What decides is the process that asked, its socket and its network, not those of the watch. */
Test(command_watch, explains_by_the_rights_of_the_process)
{
    struct process watch = watching_with("--port=80", NULL);
    struct host server = start_host(WITHOUT_SHIM);
    host_drop_rights(&server);
    EXPECT_ERROR(host_bind(&server, host_tcp_socket(&server), "127.0.0.1:80"), EACCES);
    EXPECT_SEEN(&watch, server.process.pid, "need CAP_NET_BIND_SERVICE; with systemd: ");
}

Test(command_watch, explains_by_the_socket_of_the_process)
{
    struct process watch = watching();
    struct host server = start_host(WITHOUT_SHIM);
    const int fd = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, fd, "127.0.0.1:9998"));
    EXPECT_ERROR(host_bind(&server, fd, ADDRESS), EINVAL);
    EXPECT_SEEN(&watch, server.process.pid, "the socket is already bound, to 127.0.0.1:9998");
}

Test(command_watch, explains_by_the_network_of_the_process)
{
    need_protocol(AF_INET6, 0);
    struct process watch = watching();
    enter_private_network();
    struct host server = start_host(WITHOUT_SHIM);
    const int fd = host_socket(&server, AF_INET6, SOCK_STREAM, 0);
    host_set_option(&server, fd, SOL_SOCKET, SO_BINDTOIFINDEX, (int)add_ethernet("lan0"));
    set_interface("lan0", true);
    EXPECT_ERROR(host_bind(&server, fd, "[::1]:9999"), EADDRNOTAVAIL);
    EXPECT_SEEN(&watch, server.process.pid,
                "the address is on device lo, and this socket is bound to lan0: bind");
}

Test(command_watch, takes_a_rescue_for_no_failure)
{
    struct process watch = watching();
    leave_time_wait(WITH_SHIM, ADDRESS);
    struct host server = start_host(WITH_SHIM);
    host_serve(&server, ADDRESS);
    kill(watch.pid, SIGINT); /* which shows what was waited with */
    EVENTUALLY(has_ended(&watch));
    cr_assert_null(line_of(&watch, server.process.pid, ""), "%s", output_of(&watch));
}

Test(command_watch, follows_sockets_and_not_descriptors)
{
    struct process watch = watching();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, ADDRESS);
    struct host server = start_host(WITHOUT_SHIM);
    const int lost = host_refused(&server);
    host_close(&server, lost);
    const int other = host_tcp_socket(&server);
    cr_assert_eq(other, lost);
    EXPECT_SUCCESS(host_listen(&server, other)); /* on any port, as it asked for none */
    expect_not_seen(&watch, server.process.pid, "swallowed");
    const int copied = host_refused(&server);
    EXPECT_SUCCESS(host_listen(&server, host_dup2(&server, copied, 77)));
    EXPECT_SEEN(&watch, server.process.pid, "swallowed");
}

Test(command_watch, folds_what_is_repeated)
{
    struct process watch = watching();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, ADDRESS);
    struct host server = start_host(WITHOUT_SHIM);
    for (int i = 0; i < 20; i++) {
        host_close(&server, host_refused(&server));
    }
    EXPECT_SEEN(&watch, server.process.pid, "held by");
    expect_not_seen(&watch, server.process.pid, "more times");
    kill(watch.pid, SIGINT);
    EVENTUALLY(has_ended(&watch));
    EXPECT_SEEN(&watch, server.process.pid, "EADDRINUSE: 19 more times in ");
    cr_assert_eq(WEXITSTATUS(watch.status), 1);
    cr_assert_not_null(strstr(output_of(&watch), " 0 missed\n"));
}

Test(command_watch, says_that_another_address_was_bound)
{
    struct process watch = watching();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, ADDRESS);
    struct host server = start_host(WITHOUT_SHIM);
    const int fd = host_refused(&server);
    EXPECT_SUCCESS(host_bind(&server, fd, "0.0.0.0:9998"));
    EXPECT_SEEN(&watch, server.process.pid, "bind-failed: 0.0.0.0:9999: EADDRINUSE: held by");
    EXPECT_SEEN(&watch, server.process.pid, "moved: bind to 0.0.0.0:9999 had failed");
}

Test(command_watch, sees_what_children_and_listeners_of_other_programs_do)
{
    struct process watch = watching();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, ADDRESS);
    struct host server = start_host(WITHOUT_SHIM);
    const int fd = host_refused(&server);
    struct host child = fork_host(&server);
    EXPECT_SUCCESS(host_listen(&child, fd));
    EXPECT_SEEN(&watch, child.process.pid, "swallowed");
    cr_assert_null(line_of(&watch, server.process.pid, "swallowed"));
    EXPECT_ERROR(host_bind(&server, host_socket(&server, AF_INET, SOCK_DGRAM, 0), "192.0.2.1:9999"),
                 EADDRNOTAVAIL);
    expect_not_seen(&watch, server.process.pid, "192.0.2.1:9999:"); /* which is not TCP */
}

Test(command_watch, has_everything_with_all)
{
    struct process watch = watching_with("--all", NULL);
    struct host server = start_host(WITHOUT_SHIM);
    EXPECT_ERROR(host_bind(&server, host_socket(&server, AF_INET, SOCK_DGRAM, 0), "192.0.2.1:9999"),
                 EADDRNOTAVAIL);
    EXPECT_SEEN(&watch, server.process.pid, "192.0.2.1:9999: EADDRNOTAVAIL");
    const int unix_socket = host_socket(&server, AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERROR(host_bind(&server, unix_socket, "/nowhere/socket"), ENOENT);
    EXPECT_SEEN(&watch, server.process.pid, "/nowhere/socket: ENOENT");
}

/* It binds to find out, and nobody has lost anything by that. */
Test(command_watch, leaves_out_what_libreuse_tries)
{
    struct process watch = watching();
    struct host holder = start_host(WITHOUT_SHIM);
    host_serve(&holder, ADDRESS);
    struct process why = LIBREUSE(1, "why", "9999");
    expect_not_seen(&watch, why.pid, "9999");
}

/* As in a crash loop: systemd removes the control group before anybody can look at it. */
Test(command_watch, names_the_unit_although_its_control_group_is_gone)
{
    static const char *const places[] = {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
    char folder[128] = "";
    for (size_t i = 0; i < 2 && folder[0] == '\0'; i++) {
        snprintf(folder, sizeof folder, "%s/libreuse-test-%d.service", places[i], (int)getpid());
        if (access(path_in(places[i], "cgroup.controllers"), F_OK) != 0 ||
            mkdir(folder, 0755) != 0) {
            folder[0] = '\0';
        }
    }
    if (folder[0] == '\0') {
        skip_because("no control group can be made");
    }
    struct process watch = watching();
    struct host server = start_host(WITHOUT_SHIM);
    write_file(path_in(folder, "cgroup.procs"), text_of(server.process.pid), 0644);
    kill(watch.pid, SIGSTOP);
    EXPECT_ERROR(host_bind(&server, host_tcp_socket(&server), "192.0.2.1:9999"), EADDRNOTAVAIL);
    end_host(&server);
    EVENTUALLY(rmdir(folder) == 0);
    kill(watch.pid, SIGCONT);
    char words[160];
    snprintf(words, sizeof words, "(has ended) libreuse-test-%d.service, user root: bind-failed",
             (int)getpid());
    EXPECT_SEEN(&watch, server.process.pid, words);
}

/* A program that has ended before anybody can look at it, and has a name that could be an order. */
Test(command_watch, sees_a_program_that_lives_for_a_millisecond)
{
    enter_private_folder();
    char *path = PRIVATE_FOLDER "/\033[31m\"x";
    cr_assert_eq(symlink(BUILD_FOLDER "/fixtures/swallow_once", path), 0);
    struct process watch = watching();
    struct process program = run((struct program){.path = path, .arguments = {"0"}});
    EXPECT_SEEN(&watch, program.pid, "swallowed: bind to 192.0.2.1:9999 had failed");
    EXPECT_SEEN(&watch, program.pid, "\\x1b[31m\\\"x[");
}

Test(command_watch, writes_json)
{
    struct process watch = watching_with("--json", "--port=9999");
    struct process program = run((struct program){.path = BUILD_FOLDER "/fixtures/swallow_once"});
    char member[64];
    snprintf(member, sizeof member, "\"pid\":%d,", (int)program.pid);
    EVENTUALLY(strstr(output_of(&watch), member) != NULL &&
               strstr(output_of(&watch), "\"event\":\"swallowed\"") != NULL);
    kill(watch.pid, SIGTERM);
    expect_exit(&watch, 1);
    for (char *rest = output_of(&watch), *line; (line = strsep(&rest, "\n")) != NULL;) {
        cr_assert(line[0] == '\0' || (line[0] == '{' && line[strlen(line) - 1] == '}'), "%s", line);
    }
    cr_assert_not_null(strstr(output_of(&watch), "\"user\":\"root\",\"event\":"));
}

Test(command_watch, can_be_there_twice)
{
    struct process watch = watching();
    struct process other = watching();
    struct process program = run((struct program){.path = BUILD_FOLDER "/fixtures/swallow_once"});
    EXPECT_SEEN(&watch, program.pid, "swallowed");
    end_by_signal(&watch, SIGKILL);
    EXPECT_SEEN(&other, program.pid, "swallowed");
    program = run((struct program){.path = BUILD_FOLDER "/fixtures/swallow_once"});
    kill(other.pid, SIGINT);
    EVENTUALLY(has_ended(&other));
    EXPECT_SEEN(&other, program.pid, "swallowed: 192.0.2.1:9999: EADDRNOTAVAIL: 1 more time");
}

/* The kernel's numbers for the programs, or maps, that a process has open: "prog_id", "map_id". */
static size_t bpf_objects(pid_t pid, const char *name, uint32_t *ids, size_t room)
{
    size_t count = 0;
    for (int fd = 3; fd < 64 && count < room; fd++) {
        char path[64];
        char line[128];
        snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
        FILE *file = fopen(path, "r");
        while (file != NULL && count < room && fgets(line, sizeof line, file) != NULL) {
            char its_name[32];
            count += sscanf(line, "%31[a-z_]: %u", its_name, &ids[count]) == 2 &&
                     strcmp(its_name, name) == 0;
        }
        if (file != NULL) {
            fclose(file);
        }
    }
    return count;
}

static bool is_gone(int command, uint32_t id)
{
    union bpf_attr attr;
    memset(&attr, 0, sizeof attr);
    attr.prog_id = id; /* which stands where map_id does */
    const int fd = (int)syscall(SYS_bpf, command, &attr, sizeof attr);
    const int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    return fd < 0 && error == ENOENT;
}

Test(command_watch, leaves_nothing_behind_when_it_is_killed)
{
    enum { ROOM = 16 };
    uint32_t programs[ROOM];
    uint32_t maps[ROOM];
    struct process watch = watching();
    const size_t program_count = bpf_objects(watch.pid, "prog_id", programs, ROOM);
    const size_t map_count = bpf_objects(watch.pid, "map_id", maps, ROOM);
    cr_assert_geq(program_count, 4);
    cr_assert_geq(map_count, 4);
    cr_assert_not(is_gone(BPF_PROG_GET_FD_BY_ID, programs[0]));
    char *mounts = content_of(open("/proc/self/mounts", O_RDONLY | O_CLOEXEC));
    end_by_signal(&watch, SIGKILL);
    for (size_t i = 0; i < program_count; i++) {
        EVENTUALLY(is_gone(BPF_PROG_GET_FD_BY_ID, programs[i]));
    }
    for (size_t i = 0; i < map_count; i++) {
        EVENTUALLY(is_gone(BPF_MAP_GET_FD_BY_ID, maps[i]));
    }
    cr_assert_str_eq(content_of(open("/proc/self/mounts", O_RDONLY | O_CLOEXEC)), mounts);
}

/* The numbers of the summary's line of a program and port. */
static bool summary(const struct process *watch, const char *program, unsigned int port,
                    unsigned int numbers[3])
{
    char *rest = output_of(watch);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char name[32];
        unsigned int its_port;
        if (sscanf(line, "%31s %u %u %u %u", name, &its_port, &numbers[0], &numbers[1],
                   &numbers[2]) == 5 &&
            strcmp(name, program) == 0 && its_port == port) {
            return true;
        }
    }
    return false;
}

Test(command_watch, counts_what_really_happened_in_random_sequences)
{
    struct process watch;
    struct process program;
    unsigned int tries = 0;
    do { /* on a machine with much other work, events come faster than they can be shown */
        watch = watching_with("--port=1101-1104", NULL);
        program = run((struct program){.path = BUILD_FOLDER "/fixtures/random_sockets",
                                       .arguments = {"10000", "20261127"}});
        kill(watch.pid, SIGINT);
        EVENTUALLY(has_ended(&watch));
    } while (strstr(output_of(&watch), " 0 missed\n") == NULL && ++tries < 5);
    cr_assert_not_null(strstr(output_of(&watch), " 0 missed\n"), "%s", errors_of(&watch));
    unsigned int swallowed = 0;
    char *rest = output_of(&program);
    for (char *line; (line = strsep(&rest, "\n")) != NULL && line[0] != '\0';) {
        unsigned int port;
        unsigned int failed;
        unsigned int lost;
        unsigned int seen[3] = {0};
        cr_assert_eq(sscanf(line, "%u %u %u", &port, &failed, &lost), 3);
        cr_assert(summary(&watch, "random_sockets", port, seen), "%s", output_of(&watch));
        cr_assert_eq(seen[2], lost, "port %u: %u swallowed, %u seen", port, lost, seen[2]);
        /* The last port is free at times: what is tried again at once, with success, is none. */
        cr_assert(port == 1104 ? seen[0] <= failed : seen[0] == failed,
                  "port %u: %u failed, %u seen", port, failed, seen[0]);
        swallowed += lost;
    }
    cr_assert_gt(swallowed, 1000);
}

/* More than can be taken while nobody reads: what is missing is counted. */
Test(command_watch, counts_what_is_lost)
{
    take_turns(LOCK_EX);
    struct process watch = watching_with("--port=9999", NULL);
    kill(watch.pid, SIGSTOP);
    run((struct program){.path = BUILD_FOLDER "/fixtures/swallow_once",
                         .arguments = {"0", "20000"}});
    kill(watch.pid, SIGCONT);
    kill(watch.pid, SIGINT);
    EVENTUALLY(has_ended(&watch));
    unsigned int seen[3] = {0};
    unsigned long lost = 0;
    cr_assert(summary(&watch, "swallow_once", 9999, seen), "%s", output_of(&watch));
    const char *said = strstr(output_of(&watch), "events, ");
    cr_assert(said != NULL && sscanf(said, "events, %lu missed", &lost) == 1);
    cr_assert_gt(lost, 10000);
    cr_assert_geq(seen[0] + seen[2] + lost, 40000); /* others may fail to bind, too */
    cr_assert_not_null(strstr(errors_of(&watch), " events were lost"));
}

Test(command_watch, follows_ten_thousand_a_second)
{
    struct process watch = watching_with("--port=9999", NULL);
    for (int i = 0; i < 10; i++) {
        run((struct program){.path = BUILD_FOLDER "/fixtures/swallow_once",
                             .arguments = {"0", "1000"}});
    }
    kill(watch.pid, SIGINT);
    EVENTUALLY(has_ended(&watch));
    unsigned int seen[3] = {0};
    cr_assert(summary(&watch, "swallow_once", 9999, seen), "%s", output_of(&watch));
    cr_assert_not_null(strstr(output_of(&watch), " 0 missed\n"));
    cr_assert_eq(seen[2], 10000);
}

Test(command_watch, sees_into_user_namespaces)
{
    struct process watch = watching();
    struct host server = start_host(WITHOUT_SHIM);
    host_unshare(&server, CLONE_NEWUSER | CLONE_NEWNET);
    const int holder = host_tcp_socket(&server);
    EXPECT_SUCCESS(host_bind(&server, holder, ADDRESS));
    host_refused(&server);
    EXPECT_SEEN(&watch, server.process.pid, "user root: bind-failed: 0.0.0.0:9999: EADDRINUSE");
    EXPECT_SEEN(&watch, server.process.pid, "held by this very process");
}

Test(command_watch, ends_by_itself)
{
    struct program program = {.path = LIBREUSE_PATH,
                              .arguments = {"watch", "--for=1", "--pid=1", "--utc"}};
    struct process watch = start(program);
    EVENTUALLY(has_ended(&watch));
    if (WEXITSTATUS(watch.status) == 3) {
        skip_because("%s", errors_of(&watch));
    }
    expect_exit(&watch, 0);
    expect_said(&watch, "\n0 events, 0 missed\n");
}

/* More events than can be shown come all the time, to all who watch. */
static struct process flood(void)
{
    return start((struct program){.path = BUILD_FOLDER "/fixtures/bind_flood"});
}

Test(command_watch, ends_when_its_time_is_over_whatever_comes)
{
    if (getenv("SLOW") == NULL) {
        skip_because("it disturbs the other tests of watch, and SLOW=1 is not set");
    }
    struct process watch = watching();
    struct process storm = flood();
    EVENTUALLY(line_of(&watch, storm.pid, "EADDRNOTAVAIL") != NULL);
    struct process other =
        start((struct program){.path = LIBREUSE_PATH, .arguments = {"watch", "--for=1"}});
    EVENTUALLY(has_ended(&other));
    expect_exit(&other, 1);
    kill(watch.pid, SIGINT);
    EVENTUALLY(has_ended(&watch));
    expect_exit(&watch, 1);
    end_by_signal(&storm, SIGKILL);
}

Test(command_watch, explains_wrong_options)
{
    struct process watch = LIBREUSE(2, "watch", "--port=9-1");
    expect_complaint(&watch, "--port=9-1: expected ports from 1 to 65535");
    watch = LIBREUSE(2, "watch", "--port=http-alt,9-10", "--for=never"); /* a service, no range */
    cr_assert_null(strstr(errors_of(&watch), "--port"), "%s", errors_of(&watch));
    watch = LIBREUSE(2, "watch", "--for=never");
    expect_complaint(&watch, "expected whole seconds");
    watch = LIBREUSE(2, "watch", "--port");
    expect_complaint(&watch, "--port needs a value");
    watch = LIBREUSE(2, "watch", "9999");
    expect_complaint(&watch, "no argument was expected");
}

Test(command_watch, names_what_it_needs)
{
    struct process watch = LIBREUSE_AS_NOBODY(3, "watch");
    expect_complaint(&watch, "watch: needs CAP_BPF and CAP_PERFMON: run it as root");
}

/* Runs it by another program, which makes something of it that is refused for this reason. */
static void expect_refused_by(const struct program program, const char *reason)
{
    struct process watch = start(program);
    EVENTUALLY(has_ended(&watch));
    if (strstr(errors_of(&watch), "libreuse: ") == NULL) {
        skip_because("%s", errors_of(&watch));
    }
    expect_exit(&watch, 3);
    expect_complaint(&watch, reason);
}

Test(command_watch, is_not_for_a_user_namespace)
{
    expect_refused_by((struct program){.path = "/usr/bin/unshare",
                                       .arguments = {"-Ur", LIBREUSE_PATH, "watch", "--for=1"}},
                      "in a user namespace of a container; run it on the host");
}

Test(command_watch, is_not_for_root_without_rights)
{
    expect_refused_by((struct program){.path = "/usr/bin/setpriv",
                                       .arguments = {"--bounding-set=-all", "--inh-caps=-all",
                                                     LIBREUSE_PATH, "watch", "--for=1"}},
                      "root has neither CAP_SYS_ADMIN nor CAP_BPF and CAP_PERFMON here");
}

Test(command_watch, is_not_for_a_process_namespace)
{
    struct process watch = watching(); /* or the test is skipped */
    end_by_signal(&watch, SIGKILL);
    expect_refused_by(
        (struct program){.path = "/usr/bin/unshare",
                         .arguments = {"-pf", "--mount-proc", LIBREUSE_PATH, "watch", "--for=1"}},
        "this is a PID namespace of its own");
}

/* Another system's folder of /sys in the place of this one's, for this test alone. */
static void cover(const char *folder)
{
    struct process watch = watching();
    end_by_signal(&watch, SIGKILL);
    enter_private_folder();
    if (mount("tmpfs", folder, "tmpfs", 0, "") != 0) {
        skip_because("%s: %s", folder, strerror(errno));
    }
}

static void expect_refused(const char *reason)
{
    struct process watch = LIBREUSE(3, "watch", "--for=1");
    expect_complaint(&watch, reason);
    expect_complaint(&watch, "; to watch one program: libreuse run PROGRAM, or strace");
}

Test(command_watch, says_that_a_kernel_is_locked_down)
{
    cover("/sys/kernel/security");
    write_file("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n", 0644);
    expect_refused("the kernel is locked down to confidentiality");
}

Test(command_watch, says_that_a_kernel_does_not_describe_itself)
{
    cover("/sys/kernel/btf");
    expect_refused("this kernel does not describe its own structures");
}

Test(command_watch, says_that_a_kernel_has_no_tracepoints_of_system_calls)
{
    cover("/sys/kernel/tracing");
    cr_assert_eq(mkdir("/sys/kernel/tracing/events", 0755), 0);
    expect_refused("this kernel has no tracepoints of system calls (CONFIG_FTRACE_SYSCALLS)");
    cr_assert_eq(mkdir("/sys/kernel/tracing/events/syscalls", 0755), 0);
    cr_assert_eq(mkdir("/sys/kernel/tracing/events/syscalls/sys_enter_socketcall", 0755), 0);
    expect_refused("programs bind by socketcall(2)");
}

Test(command_watch, names_programs_whose_calls_are_not_seen)
{
    need_to_run(TARGETS "i386");
    struct process narrow = start((struct program){.path = TARGETS "i386", .arguments = {"wait"}});
    EVENTUALLY(strstr(output_of(&narrow), "argument=wait") != NULL);
    struct process watch = watching();
    expect_complaint(&watch, "these 32-bit programs run here, whose calls are not seen: ");
}
