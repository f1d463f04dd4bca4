/*
 * The measuring programs of `make bench`, one for each JOB: each prints one number, or tells that
 * it is ready and waits until its standard input ends. See run, which interleaves and compares
 * them.
 *
 * - cycle ROUNDS [patched]: nanoseconds for socket(), bind(), listen() and close(); patched: with
 *   SO_REUSEADDR in the source
 * - call ROUNDS: nanoseconds for a system call that does nothing, getppid()
 * - fail ROUNDS PORT: microseconds for a bind() that fails
 * - start ROUNDS PROGRAM: microseconds from posix_spawn() to the end of PROGRAM
 * - dirty: private dirty bytes of the mappings of preloaded libraries in this process
 * - accept ROUNDS: nanoseconds for a connection, accepted, one byte echoed, and closed
 * - echo ROUNDS: nanoseconds for 64 bytes there and back on one connection
 * - remains COUNT PORT: leaves COUNT sockets in TIME_WAIT on PORT (one is needed at least)
 * - crowd COUNT: COUNT processes with a listening socket each
 * - serve PORT [patched]: until killed, a server that looks at no result and closes first
 * - gap PORT: polls PORT until a connection is answered; milliseconds since the start
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static _Noreturn void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int must(int result, const char *what)
{
    if (result < 0) {
        fail(what);
    }
    return result;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static long number(const char *text)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (*end != '\0' || value < 0) {
        fprintf(stderr, "probe: '%s' is not a number\n", text);
        exit(2);
    }
    return value;
}

static struct sockaddr_in local(long port, uint32_t host)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(host)};
}

static int tcp(void)
{
    return must(socket(AF_INET, SOCK_STREAM, 0), "socket");
}

static void reuse(int fd)
{
    must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)), "SO_REUSEADDR");
}

static int listener(long port, bool patched)
{
    struct sockaddr_in address = local(port, INADDR_ANY);
    int fd = tcp();
    if (patched) {
        reuse(fd);
    }
    must(bind(fd, (struct sockaddr *)&address, sizeof(address)), "bind");
    must(listen(fd, SOMAXCONN), "listen");
    return fd;
}

static int connected(const struct sockaddr_in *to)
{
    int fd = tcp();
    must(connect(fd, (const struct sockaddr *)to, sizeof(*to)), "connect");
    return fd;
}

static double cycle(long rounds, bool patched)
{
    double start = now();
    for (long i = 0; i < rounds; i++) {
        close(listener(9999, patched));
    }
    return (now() - start) / (double)rounds;
}

static double failing(long rounds, long port)
{
    struct sockaddr_in address = local(port, INADDR_ANY);
    int fd = tcp();
    double start = now();
    for (long i = 0; i < rounds; i++) {
        if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
            fprintf(stderr, "probe: port %ld is not held\n", port);
            exit(1);
        }
    }
    return (now() - start) / (double)rounds / 1e3;
}

static double start_program(long rounds, char *program)
{
    char *arguments[] = {program, NULL};
    double start = now();
    for (long i = 0; i < rounds; i++) {
        pid_t pid;
        int status;
        errno = posix_spawn(&pid, program, NULL, NULL, arguments, environ);
        if (errno != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
            fail(program);
        }
    }
    return (now() - start) / (double)rounds / 1e3;
}

/* Of all that LD_PRELOAD names, by the kernel's account of this process; its bss is a mapping
 * without a name, right behind. */
static double dirty(void)
{
    FILE *maps = fopen("/proc/self/smaps", "r");
    const char *name = getenv("LD_PRELOAD");
    char line[4096];
    unsigned long start;
    unsigned long end;
    unsigned long end_of_ours = 0;
    bool ours = false;
    double bytes = 0;
    while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
        long kilobytes;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2) {
            ours =
                name != NULL && *name != '\0' &&
                (strstr(line, name) != NULL ||
                 (start == end_of_ours && strchr(line, '/') == NULL && strchr(line, '[') == NULL));
            end_of_ours = ours ? end : end_of_ours;
        } else if (ours && sscanf(line, "Private_Dirty: %ld kB", &kilobytes) == 1) {
            bytes += (double)kilobytes * 1024;
        }
    }
    return bytes;
}

/* A child echoes what it gets on each connection, until its parent ends. */
static void start_echo(int listening)
{
    if (must(fork(), "fork") > 0) {
        close(listening);
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        char bytes[64];
        ssize_t got;
        int fd = must(accept(listening, NULL, NULL), "accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        while ((got = read(fd, bytes, sizeof(bytes))) > 0) {
            must((int)write(fd, bytes, (size_t)got), "write");
        }
        close(fd);
    }
}

static void there_and_back(int fd, size_t size)
{
    char bytes[64] = {0};
    must((int)write(fd, bytes, size), "write");
    for (size_t got = 0; got < size;) {
        got += (size_t)must((int)read(fd, bytes, size - got), "read");
    }
}

static double accepting(long rounds)
{
    struct sockaddr_in address = local(9999, INADDR_LOOPBACK);
    start_echo(listener(9999, false));
    double start = now();
    for (long i = 0; i < rounds; i++) {
        int fd = connected(&address);
        there_and_back(fd, 1);
        /* No TIME_WAIT here: the client's ports would be used up. */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1},
                   sizeof(struct linger));
        close(fd);
    }
    return (now() - start) / (double)rounds;
}

static double echoing(long rounds)
{
    struct sockaddr_in address = local(9999, INADDR_LOOPBACK);
    start_echo(listener(9999, false));
    int fd = connected(&address);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    double start = now();
    for (long i = 0; i < rounds; i++) {
        there_and_back(fd, 64);
    }
    return (now() - start) / (double)rounds;
}

/* Clients of many addresses, so that there are ports enough; the server's side closes first. */
static void leave_remains(long count, long port)
{
    struct sockaddr_in to = local(port, INADDR_LOOPBACK);
    int listening = listener(port, false);
    for (long i = 0; i < count; i++) {
        struct sockaddr_in from =
            local(10000 + i % 50000, INADDR_LOOPBACK + 1 + (uint32_t)(i / 50000));
        int client = tcp();
        reuse(client);
        must(bind(client, (struct sockaddr *)&from, sizeof(from)), "bind of a client");
        must(connect(client, (struct sockaddr *)&to, sizeof(to)), "connect");
        close(must(accept(listening, NULL, NULL), "accept"));
        char byte;
        must((int)read(client, &byte, 1), "read");
        close(client);
    }
    close(listening);
}

static void make_crowd(long count)
{
    for (long i = 0; i < count; i++) {
        if (must(fork(), "fork") == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            must(listen(tcp(), 5), "listen");
            pause();
        }
    }
}

static _Noreturn void serve(long port, bool patched)
{
    struct sockaddr_in address = local(port, INADDR_ANY);
    int fd = tcp();
    if (patched) {
        reuse(fd);
    }
    (void)!bind(fd, (struct sockaddr *)&address, sizeof(address));
    must(listen(fd, 5), "listen");
    for (;;) {
        int client = accept(fd, NULL, NULL);
        (void)!write(client, "x", 1);
        close(client);
    }
}

static double gap(long port)
{
    struct sockaddr_in to = local(port, INADDR_LOOPBACK);
    double start = now();
    for (;;) {
        char byte;
        int fd = tcp();
        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && read(fd, &byte, 1) == 1) {
            return (now() - start) / 1e6;
        }
        close(fd);
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
}

static void wait_for_end_of_input(void)
{
    puts("ready");
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
}

static bool is(const char *word, int count, char **arguments, int needed)
{
    return strcmp(arguments[1], word) == 0 && count >= needed + 2;
}

static double calling(long rounds)
{
    const double start = now();
    for (long i = 0; i < rounds; i++) {
        syscall(SYS_getppid);
    }
    return (now() - start) / (double)rounds;
}

int main(int count, char **arguments)
{
    if (count < 2) {
        arguments[1] = "";
    }
    const bool patched = count > 2 && strcmp(arguments[count - 1], "patched") == 0;
    double result = 0;
    if (is("cycle", count, arguments, 1)) {
        result = cycle(number(arguments[2]), patched);
    } else if (is("call", count, arguments, 1)) {
        result = calling(number(arguments[2]));
    } else if (is("fail", count, arguments, 2)) {
        result = failing(number(arguments[2]), number(arguments[3]));
    } else if (is("start", count, arguments, 2)) {
        result = start_program(number(arguments[2]), arguments[3]);
    } else if (is("dirty", count, arguments, 0)) {
        result = dirty();
    } else if (is("accept", count, arguments, 1)) {
        result = accepting(number(arguments[2]));
    } else if (is("echo", count, arguments, 1)) {
        result = echoing(number(arguments[2]));
    } else if (is("gap", count, arguments, 1)) {
        result = gap(number(arguments[2]));
    } else if (is("serve", count, arguments, 1)) {
        serve(number(arguments[2]), patched);
    } else if (is("remains", count, arguments, 2)) {
        leave_remains(number(arguments[2]), number(arguments[3]));
        wait_for_end_of_input();
        return 0;
    } else if (is("crowd", count, arguments, 1)) {
        make_crowd(number(arguments[2]));
        wait_for_end_of_input();
        return 0;
    } else {
        fprintf(stderr, "probe: no such job, or a number is missing; see the top of its source\n");
        return 2;
    }
    printf("%.1f\n", result);
    return 0;
}
