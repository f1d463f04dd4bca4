/*
 * The program under test. Without the library it may do by itself what the library is to do, at
 * each step or not: what remains to be seen then is what is allowed.
 */
#include "scenario.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

enum { ERRNO_BEFORE = 77, LOOKED_AT = 64 };

static struct record *record;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const size_t room = sizeof record->text - record->length;
    const int length = vsnprintf(record->text + record->length, room, format, arguments);
    va_end(arguments);
    record->length += (size_t)length < room ? (size_t)length : room - 1;
}

socklen_t scenario_address(const char *text, struct sockaddr_storage *address)
{
    char host[128];
    memset(address, 0, sizeof *address);
    if (text[0] == '/') {
        struct sockaddr_un *path = (struct sockaddr_un *)address;
        path->sun_family = AF_UNIX;
        strcpy(path->sun_path, text);
        return sizeof *path;
    }
    const char *colon = strrchr(text, ':');
    const in_port_t port = htons((in_port_t)atoi(colon + 1));
    if (text[0] == '[') {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
        *in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
        snprintf(host, sizeof host, "%.*s", (int)(colon - text) - 2, text + 1);
        inet_pton(AF_INET6, host, &in6->sin6_addr);
        return sizeof *in6;
    }
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    inet_pton(AF_INET, host, &in->sin_addr);
    return sizeof *in;
}

/* ---- what is to be seen ------------------------------------------------------------------ */

static int option(int fd, int level, int name)
{
    int value = 0;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) == 0 ? value : -errno;
}

/* A port that the kernel has chosen is another one each time. */
static void say_name(int fd)
{
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    char host[INET6_ADDRSTRLEN] = "";
    if (getsockname(fd, (struct sockaddr *)&name, &length) != 0) {
        say(" name: errno %d", errno);
    } else if (name.ss_family == AF_UNIX) {
        say(" name '%s'",
            length > sizeof(sa_family_t) ? ((struct sockaddr_un *)&name)->sun_path : "");
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&name;
        const struct sockaddr_in *in = (const struct sockaddr_in *)&name;
        const bool is_ipv6 = name.ss_family == AF_INET6;
        const void *bytes = is_ipv6 ? (const void *)&in6->sin6_addr : (const void *)&in->sin_addr;
        const int port = ntohs(is_ipv6 ? in6->sin6_port : in->sin_port);
        say(" name %s ", inet_ntop(name.ss_family, bytes, host, sizeof host));
        port < 10000 ? say("%d", port) : say("some port");
    }
}

static void say_socket(int fd)
{
    say("\n  socket %d: SO_REUSEADDR %d, SO_REUSEPORT %d, SO_ACCEPTCONN %d, SO_ERROR %d, flags %x,",
        fd, option(fd, SOL_SOCKET, SO_REUSEADDR), option(fd, SOL_SOCKET, SO_REUSEPORT),
        option(fd, SOL_SOCKET, SO_ACCEPTCONN), option(fd, SOL_SOCKET, SO_ERROR),
        (unsigned)fcntl(fd, F_GETFL));
    say_name(fd);
}

static void say_descriptors(void)
{
    say("\n  descriptors:");
    for (int fd = 0; fd < LOOKED_AT; fd++) {
        struct stat file;
        if (fstat(fd, &file) == 0) {
            say(" %d(%o %x %x)", fd, file.st_mode & S_IFMT, (unsigned)fcntl(fd, F_GETFD),
                (unsigned)fcntl(fd, F_GETFL));
        }
    }
}

static void say_signals(void)
{
    uint64_t blocked = 0;
    uint64_t pending = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &blocked, sizeof blocked);
    syscall(SYS_rt_sigpending, &pending, sizeof pending);
    say("\n  signals blocked %llx, pending %llx", (unsigned long long)blocked,
        (unsigned long long)pending);
}

static char maps_before[16384];
static char maps_after[sizeof maps_before];

static void read_maps(char *maps)
{
    const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    for (ssize_t more; (more = read(fd, maps + length, sizeof maps_before - 1 - length)) > 0;) {
        length += (size_t)more;
    }
    close(fd);
    maps[length] = '\0';
    char *stack = strstr(maps, "[stack]"); /* it grows; no other line's place changes by that */
    while (stack != NULL && stack > maps && stack[-1] != '\n') {
        *--stack = '-';
    }
}

static void find_library(void)
{
    char *name = maps_before;
    while ((name = strstr(name, "libreuse.so\n")) != NULL) {
        char *line = name;
        while (line > maps_before && line[-1] != '\n') {
            line--;
        }
        unsigned long start;
        unsigned long end;
        if (sscanf(line, "%lx-%lx r-x", &start, &end) == 2 && strstr(line, "r-xp") < name &&
            strstr(line, "r-xp") != NULL) {
            record->library_start = start;
            record->library_end = end;
        }
        name++;
    }
}

/* ---- what it does ------------------------------------------------------------------------ */

static void set_reuse(int fd, int on)
{
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
}

static bool may_be_helped(int fd)
{
    return option(fd, SOL_SOCKET, SO_PROTOCOL) == IPPROTO_TCP;
}

static int bind_with_help(int fd, const struct sockaddr *address, socklen_t length)
{
    const int result = bind(fd, address, length);
    if (result == 0 || errno != EADDRINUSE || !may_be_helped(fd) ||
        option(fd, SOL_SOCKET, SO_REUSEADDR) != 0) {
        return result;
    }
    set_reuse(fd, 1);
    const int second = bind(fd, address, length);
    set_reuse(fd, 0);
    errno = second == 0 ? ERRNO_BEFORE : EADDRINUSE;
    return second;
}

static int listen_with_help(int fd)
{
    int result = listen(fd, 8);
    if (result != 0 && errno == EADDRINUSE && may_be_helped(fd) &&
        option(fd, SOL_SOCKET, SO_REUSEADDR) == 0) {
        set_reuse(fd, 1);
        result = listen(fd, 8);
        if (result != 0) {
            set_reuse(fd, 0);
        }
        errno = result == 0 ? ERRNO_BEFORE : EADDRINUSE;
    } else if (result == 0 && may_be_helped(fd)) {
        set_reuse(fd, 1);
    }
    return result;
}

static int make_step(const struct step *step, int fd, bool helps, bool keeps)
{
    struct sockaddr_storage address;
    int result;
    const socklen_t length = step->address != NULL ? scenario_address(step->address, &address) : 0;
    errno = ERRNO_BEFORE;
    syscall(SYS_getppid); /* tells the tracer that a step begins */
    if (keeps) {
        errno = EADDRINUSE;
        result = -1;
    } else if (step->call == BIND) {
        result = helps ? bind_with_help(fd, (struct sockaddr *)&address, length)
                       : bind(fd, (struct sockaddr *)&address, length);
    } else {
        result = helps ? listen_with_help(fd) : listen(fd, 8);
    }
    const int error = errno;
    syscall(SYS_getppid); /* and that it has ended */
    say("%s: %d, errno %d", step->call == BIND ? "bind" : "listen", result, error);
    return result;
}

static void ignore_alarm(int signal)
{
    (void)signal;
}

static void prepare(const struct scenario *scenario, int fds[MOST_SOCKETS])
{
    for (int i = 0; i < MOST_SOCKETS && scenario->sockets[i].type != 0; i++) {
        fds[i] = socket(scenario->sockets[i].family, scenario->sockets[i].type, 0);
        if (scenario->sockets[i].sets_option) {
            set_reuse(fds[i], 1);
        }
    }
    if (scenario->has_no_input) {
        close(STDIN_FILENO);
    }
    if (scenario->lacks_rights) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
        syscall(SYS_capset, &header, none);
    }
    if (scenario->has_pending_signals) {
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGPIPE);
        sigaddset(&signals, SIGUSR1);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        raise(SIGPIPE);
        raise(SIGUSR1);
    }
    if (scenario->gets_alarm) {
        const struct sigaction action = {.sa_handler = ignore_alarm};
        const struct itimerval soon = {.it_value = {.tv_usec = 4000},
                                       .it_interval = {.tv_usec = 20000}};
        sigaction(SIGALRM, &action, NULL);
        setitimer(ITIMER_REAL, &soon, NULL);
    }
}

int host_main(const struct scenario *scenario, unsigned int help, int record_fd)
{
    record = mmap(NULL, sizeof *record, PROT_READ | PROT_WRITE, MAP_SHARED, record_fd, 0);
    if (record == MAP_FAILED) {
        fail("the record of a run");
    }
    close(record_fd);
    int fds[MOST_SOCKETS] = {-1, -1};
    prepare(scenario, fds);
    read_maps(maps_before);
    find_library();
    bool has_failed = false;
    for (int i = 0; i < MOST_STEPS && scenario->steps[i].call != NO_CALL; i++) {
        const struct step *step = &scenario->steps[i];
        if (scenario->clears_option &&
            (i == MOST_STEPS - 1 || scenario->steps[i + 1].call == NO_CALL)) {
            set_reuse(fds[1], 0);
        }
        const bool helps = (help >> i & 1) != 0;
        read_maps(maps_before);
        const int result =
            make_step(step, fds[step->socket], helps, (help >> MOST_STEPS & 1) != 0 && has_failed);
        read_maps(maps_after);
        has_failed = result != 0;
        for (int j = 0; j < MOST_SOCKETS && fds[j] >= 0; j++) {
            say_socket(fds[j]);
        }
        say_descriptors();
        say_signals();
        say("\n  memory %s\n", strcmp(maps_before, maps_after) == 0 ? "as before" : "changed");
    }
    record->is_complete = true;
    return 0;
}
