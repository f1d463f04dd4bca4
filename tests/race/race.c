/*
 * Servers that start at the same moment: N processes behind a barrier bind one port, and listen,
 * many times, without the library and with it. Of a port only one may be bound at a time, and when
 * all have tried, exactly one must serve. Says how often that was not so, and exits with 1 if it
 * was not so with the library.
 *
 * Usage: race LIBRARY TRIES
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 9999, MOST_PROCESSES = 4, TIME_WAIT_SECONDS = 40 };

enum family { IPV4, IPV6, BOTH /* one after the other */ };

struct scenario {
    const char *name;
    int processes;
    enum family family;
    bool listens;
    bool past_time_wait;
    bool mixed; /* every second process sets SO_REUSEADDR itself */
};

static const struct scenario scenarios[] = {
    {.name = "free port, bind", .processes = 2},
    {.name = "free port, bind", .processes = 4},
    {.name = "free port", .processes = 2, .listens = true},
    {.name = "free port", .processes = 4, .listens = true},
    {.name = "free port, IPv6", .processes = 2, .family = IPV6, .listens = true},
    {.name = "free port, [::] and 0.0.0.0", .processes = 2, .family = BOTH, .listens = true},
    {.name = "TIME_WAIT, bind", .processes = 2, .past_time_wait = true},
    {.name = "TIME_WAIT", .processes = 2, .listens = true, .past_time_wait = true},
    {.name = "TIME_WAIT", .processes = 4, .listens = true, .past_time_wait = true},
    {.name = "TIME_WAIT, IPv6",
     .processes = 2,
     .family = IPV6,
     .listens = true,
     .past_time_wait = true},
    {.name = "TIME_WAIT, [::] and 0.0.0.0",
     .processes = 2,
     .family = BOTH,
     .listens = true,
     .past_time_wait = true},
    {.name = "free port, one sets the option", .processes = 2, .listens = true, .mixed = true},
    {.name = "TIME_WAIT, one sets the option",
     .processes = 2,
     .listens = true,
     .past_time_wait = true,
     .mixed = true},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

/* What all processes share. */
struct arena {
    _Atomic int turn; /* the number of the try that has begun; -1: the end */
    _Atomic int ready;
    _Atomic int done;
    _Atomic int closing; /* the number of the try whose sockets may be closed */
    _Atomic int closed;
    struct scenario scenario;
    struct {
        bool bound;
        bool listens;
    } results[MOST_PROCESSES];
};

static struct arena *arena;

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void wait_until(const _Atomic int *number, int value)
{
    while (*number != value) {
        sched_yield();
    }
}

static int new_socket(const struct scenario *scenario, int number, struct sockaddr_storage *address,
                      socklen_t *length)
{
    const bool ipv6 = scenario->family == IPV6 || (scenario->family == BOTH && number % 2 == 0);
    memset(address, 0, sizeof *address);
    if (ipv6) {
        *(struct sockaddr_in6 *)address =
            (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
    } else {
        *(struct sockaddr_in *)address =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(PORT)};
    }
    *length = ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    const int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("socket");
    }
    return fd;
}

static void set_reuse(int fd)
{
    const int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        fail("SO_REUSEADDR");
    }
}

/* ---- a contestant ------------------------------------------------------------------------ */

static void contest(int number)
{
    const struct scenario *scenario = &arena->scenario;
    for (int turn = 1;; turn++) {
        struct sockaddr_storage address;
        socklen_t length;
        const int fd = new_socket(scenario, number, &address, &length);
        if (scenario->mixed && number % 2 == 1) {
            set_reuse(fd);
        }
        arena->ready++;
        while (arena->turn != turn) {
            if (arena->turn < 0) {
                exit(0);
            }
            sched_yield();
        }
        const bool bound = bind(fd, (struct sockaddr *)&address, length) == 0;
        arena->results[number].listens = bound && scenario->listens && listen(fd, 8) == 0;
        arena->results[number].bound = bound;
        arena->done++;
        wait_until(&arena->closing, turn);
        close(fd);
        arena->closed++;
    }
}

static void start(const char *self, const char *library, int number, int arena_fd)
{
    const pid_t pid = fork();
    if (pid < 0) {
        fail("fork");
    }
    if (pid > 0) {
        return;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    char numbers[2][16];
    snprintf(numbers[0], sizeof numbers[0], "%d", number);
    snprintf(numbers[1], sizeof numbers[1], "%d", arena_fd);
    unsetenv("LD_PRELOAD");
    if (library != NULL) {
        setenv("LD_PRELOAD", library, 1);
        setenv("LIBREUSE_LOG", "none", 1);
    }
    execl(self, "race", "contestant", numbers[0], numbers[1], (char *)NULL);
    fail(self);
}

/* ---- the referee ------------------------------------------------------------------------- */

/* An armed TIME_WAIT socket of IPv4 or IPv6 on the port, as a run under the library leaves it. */
static void leave_time_wait(enum family family)
{
    const struct scenario like = {.family = family == BOTH ? IPV6 : family};
    struct sockaddr_storage address;
    socklen_t length;
    const int listener = new_socket(&like, 0, &address, &length);
    set_reuse(listener);
    if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 8) != 0) {
        fail("a listener that leaves TIME_WAIT behind");
    }
    const struct scenario client_like = {.family = family == BOTH ? IPV4 : family};
    const int client = new_socket(&client_like, 0, &address, &length);
    if (connect(client, (struct sockaddr *)&address, length) != 0) {
        fail("connect");
    }
    const int connection = accept(listener, NULL, NULL);
    char end;
    close(connection);
    if (connection < 0 || read(client, &end, 1) != 0) {
        fail("the end of a connection");
    }
    close(client);
    close(listener);
}

struct tally {
    int two_bound;
    int nobody; /* serves; or is bound, where nobody is to listen */
    int several_serve;
};

static void count(struct tally *tally)
{
    int bound = 0;
    int serving = 0;
    for (int i = 0; i < arena->scenario.processes; i++) {
        bound += arena->results[i].bound;
        serving += arena->scenario.listens ? arena->results[i].listens : arena->results[i].bound;
    }
    tally->two_bound += bound > 1;
    tally->nobody += serving == 0;
    tally->several_serve += serving > 1;
}

static struct tally run(const struct scenario *scenario, const char *self, const char *library,
                        int arena_fd, int tries)
{
    struct tally tally = {0};
    memset(arena, 0, sizeof *arena);
    arena->scenario = *scenario;
    for (int i = 0; i < scenario->processes; i++) {
        start(self, library, i, arena_fd);
    }
    time_t left_behind = 0;
    for (int turn = 1; turn <= tries; turn++) {
        wait_until(&arena->ready, scenario->processes);
        if (scenario->past_time_wait && time(NULL) - left_behind >= TIME_WAIT_SECONDS) {
            leave_time_wait(scenario->family);
            left_behind = time(NULL);
        }
        arena->ready = 0;
        arena->done = 0;
        arena->closed = 0;
        arena->turn = turn;
        wait_until(&arena->done, scenario->processes);
        count(&tally);
        arena->closing = turn;
        wait_until(&arena->closed, scenario->processes);
    }
    wait_until(&arena->ready, scenario->processes);
    arena->turn = -1;
    for (int i = 0; i < scenario->processes; i++) {
        int status;
        if (wait(&status) < 0 || status != 0) {
            fprintf(stderr, "race: a process ended with wait status 0x%x\n", (unsigned)status);
            exit(2);
        }
    }
    return tally;
}

/* A network of its own, in which the port is free and TIME_WAIT sockets disturb nobody. */
static void enter_network(void)
{
    if (unshare(CLONE_NEWNET) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        fail("a network namespace");
    }
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    if (ioctl(fd, SIOCSIFFLAGS, &loopback) != 0) {
        fail("the loopback interface");
    }
    close(fd);
}

/*
 * Where one sets the option, two may be bound: its socket is open to others with the option until
 * it listens (docs/design.md, "What a program can notice").
 */
static bool is_wrong(const struct scenario *scenario, const struct tally *tally)
{
    return tally->nobody > 0 || tally->several_serve > 0 ||
           (tally->two_bound > 0 && !scenario->mixed);
}

int main(int argc, char **argv)
{
    const bool is_contestant = argc == 4 && strcmp(argv[1], "contestant") == 0;
    const int tries = argc == 3 ? atoi(argv[2]) : 0;
    if (!is_contestant && tries <= 0) {
        fprintf(stderr, "usage: race LIBRARY TRIES\n");
        return 2;
    }
    const int arena_fd = is_contestant ? atoi(argv[3]) : memfd_create("arena", 0);
    if (arena_fd < 0 || ftruncate(arena_fd, sizeof *arena) != 0) {
        fail("memory to share");
    }
    arena = mmap(NULL, sizeof *arena, PROT_READ | PROT_WRITE, MAP_SHARED, arena_fd, 0);
    if (arena == MAP_FAILED) {
        fail("memory to share");
    }
    if (is_contestant) {
        contest(atoi(argv[2]));
    }
    enter_network();
    bool failed = false;
    printf("of %d tries each:                            two bound      nobody serves\n", tries);
    printf("%-34s %-9s %-6s %-8s %-6s %-8s\n", "", "processes", "native", "libreuse", "native",
           "libreuse");
    for (int i = 0; i < SCENARIOS; i++) {
        const struct scenario *scenario = &scenarios[i];
        const struct tally native = run(scenario, "/proc/self/exe", NULL, arena_fd, tries);
        const struct tally ours = run(scenario, "/proc/self/exe", argv[1], arena_fd, tries);
        const bool wrong = is_wrong(scenario, &ours);
        printf("%-34s %-9d %-6d %-8d %-6d %-8d%s\n", scenario->name, scenario->processes,
               native.two_bound, ours.two_bound, native.nobody, ours.nobody, wrong ? " WRONG" : "");
        fflush(stdout);
        failed = failed || wrong;
    }
    return failed ? 1 : 0;
}
