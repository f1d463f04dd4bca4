/*
 * Among what the program acts: ports that are held, in TIME_WAIT or left behind, socket files, the
 * sinks of reports. All of it is in namespaces of its own.
 */
#include "scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int sinks[3]; /* the journal's, the system log's, the reading end of a pipe */
static int pipe_to_write;
static int file_to_write;

void fail(const char *what)
{
    fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    exit(2);
}

static int socket_at(int type, const char *text, bool is_armed)
{
    struct sockaddr_storage address;
    const socklen_t length = scenario_address(text, &address);
    const int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
    if (is_armed) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    }
    if (bind(fd, (struct sockaddr *)&address, length) != 0) {
        fail(text);
    }
    return fd;
}

static int listener_at(const char *text, bool is_armed)
{
    const int fd = socket_at(SOCK_STREAM, text, is_armed);
    if (listen(fd, 8) != 0) {
        fail(text);
    }
    return fd;
}

/* The two ends of a connection to a listener. */
static void connect_to(int listener, int *client, int *connection)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &length);
    *client = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(*client, (struct sockaddr *)&address, length) != 0) {
        fail("connect");
    }
    *connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/* As a run under the library leaves it. */
static void leave_time_wait(const char *text)
{
    int client;
    int connection;
    char end;
    const int listener = listener_at(text, true);
    connect_to(listener, &client, &connection);
    close(connection);
    if (read(client, &end, 1) != 0) {
        fail("the end of a connection");
    }
    close(client);
    close(listener);
}

static void make_folder(const char *path)
{
    if (mkdir(path, 0755) != 0 && errno != EEXIST) {
        fail(path);
    }
}

static void mount_at(const char *type, const char *path, const char *options)
{
    if (mount(type, path, type, 0, options) != 0) {
        fail(path);
    }
}

/* The process becomes the first of a PID namespace, so that the search for an owner is short. */
void stage_enter(void)
{
    const int flags = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID;
    if (unshare(flags) != 0 && unshare(flags | CLONE_NEWUSER) != 0) {
        fail("namespaces of its own");
    }
    const pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid > 0) {
        int status;
        waitpid(pid, &status, 0);
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : 2);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) {
        fail("private mounts");
    }
    mount_at("proc", "/proc", NULL);
    mount_at("tmpfs", "/run", NULL);
}

static void fill_disk(void)
{
    char block[4096];
    memset(block, '-', sizeof block);
    make_folder("/run/full");
    mount_at("tmpfs", "/run/full", "size=16k");
    const int log = open("/run/full/shim", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    const int rest = open("/run/full/rest", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (write(log, block, sizeof block - 100) < 0) { /* room for half a report */
        fail("/run/full/shim");
    }
    while (write(rest, block, sizeof block) > 0) {
    }
    close(log);
    close(rest);
}

/* /dev keeps what reports need, and gets a socket of the system log. */
static void make_devices(void)
{
    const int null = open("/dev/null", O_PATH | O_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", null);
    mount_at("tmpfs", "/dev", NULL);
    close(open("/dev/null", O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
    if (mount(path, "/dev/null", NULL, MS_BIND, NULL) != 0) {
        fail("/dev/null");
    }
    close(null);
}

void stage_prepare(void)
{
    int client;
    int connection;
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (ioctl(fd, SIOCSIFFLAGS, &loopback) != 0) {
        fail("the loopback interface");
    }
    close(fd);
    listener_at("0.0.0.0:9001", false);
    listener_at("[::]:9002", false);
    const int listener = listener_at("0.0.0.0:9005", false);
    connect_to(listener, &client, &connection);
    close(listener);
    socket_at(SOCK_DGRAM, "0.0.0.0:9006", false);

    make_devices();
    make_folder("/run/log");
    make_folder("/run/systemd");
    make_folder("/run/systemd/journal");
    listener_at("/run/held", false);
    close(socket_at(SOCK_STREAM, "/run/left", false));
    sinks[0] = socket_at(SOCK_DGRAM, "/run/systemd/journal/socket", false);
    sinks[1] = socket_at(SOCK_DGRAM, "/dev/log", false);
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        fail("pipe");
    }
    sinks[2] = ends[0];
    pipe_to_write = ends[1];
    file_to_write = open("/run/errors", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    for (int i = 0; i < 3; i++) {
        fcntl(sinks[i], F_SETFL, O_NONBLOCK);
    }
    fill_disk();
}

int stage_error_output(const struct scenario *scenario)
{
    return scenario->writes_to_pipe ? pipe_to_write : file_to_write;
}

void stage_renew(void)
{
    enum { SECONDS = 40 }; /* of 60 */
    static time_t renewed;
    char bytes[65536];
    for (int i = 0; i < 3; i++) {
        while (read(sinks[i], bytes, sizeof bytes) > 0) {
        }
    }
    unlink("/run/log/shim");
    if (truncate("/run/errors", 0) != 0 || truncate("/run/full/shim", 3996) != 0) {
        fail("truncate");
    }
    if (renewed == 0 || time(NULL) - renewed >= SECONDS) {
        leave_time_wait("0.0.0.0:9003");
        leave_time_wait("[::]:9004");
        renewed = time(NULL);
    }
}
