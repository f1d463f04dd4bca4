#include "host.h"

#include "deadline.h"
#include "orders.h"
#include "skip.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The shim is in the host's memory, or this proves nothing about the shim. */
static void expect_shim(const struct host *host)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)host->process.pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
    char *maps = content_of(fd);
    cr_assert_not_null(strstr(maps, "/libreuse.so"),
                       "the host runs without the shim; it wrote:\n%s", errors_of(&host->process));
    close(fd);
}

static void make_channel(int ends[2])
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0, "socketpair: %s",
                 strerror(errno));
    struct timeval limit = {.tv_sec = DEADLINE_SECONDS};
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

static struct answer receive_answer(struct host *host)
{
    struct answer answer;
    ssize_t got = recv(host->channel, &answer, sizeof answer, 0);
    if (got != (ssize_t)sizeof answer) {
        bool hangs = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        cr_assert_fail("the host %s; it wrote:\n%s",
                       hangs ? "hangs in what it was told to do" : "has died",
                       errors_of(&host->process));
    }
    return answer;
}

static void send_order(struct host *host, struct order order)
{
    ssize_t sent = send(host->channel, &order, sizeof order, MSG_NOSIGNAL);
    cr_assert_eq(sent, (ssize_t)sizeof order, "the host has died; it wrote:\n%s",
                 errors_of(&host->process));
}

static struct answer tell(struct host *host, struct order order)
{
    struct system_calls *trace = host->trace;
    if (trace != NULL) {
        begin_trace(host->process.pid);
    }
    send_order(host, order);
    if (trace != NULL) {
        end_trace(host->process.pid, trace);
        host->trace = NULL;
    }
    return receive_answer(host);
}

/* 0 or errno, of a call that returns 0 or -1 and leaves errno alone when it succeeds. */
static int error_of(struct answer answer)
{
    if (answer.result == 0) {
        cr_assert_eq(answer.error, UNTOUCHED_ERRNO, "a call that succeeded set errno to %d",
                     answer.error);
        return 0;
    }
    cr_assert_eq(answer.result, -1, "a call returned %ld", (long)answer.result);
    cr_assert_neq(answer.error, UNTOUCHED_ERRNO, "a call that failed did not set errno");
    return answer.error;
}

static int number_of(struct answer answer, const char *call)
{
    cr_assert_geq(answer.result, 0, "%s in the host: %s", call, strerror(answer.error));
    return (int)answer.result;
}

/* The child's channel has to have the number that the host knows; the harness keeps no other. */
static int at_number(int fd, int number)
{
    cr_assert_eq(dup2(fd, number), number, "dup2: %s", strerror(errno));
    close(fd);
    return number;
}

struct host start_host_as(enum shim shim, struct program program)
{
    int own[2];
    int childs[2];
    make_channel(own);
    make_channel(childs);
    program.path = BUILD_FOLDER "/fixtures/obedient_host";
    program.shim = shim;
    program.input = own[1];
    program.inherited = at_number(childs[1], CHILD_CHANNEL);
    struct host host = {
        .process = start(program), .channel = own[0], .child_channel = childs[0], .trace = NULL};
    close(own[1]);
    close(CHILD_CHANNEL);

    /* An order that asks for nothing: once it is answered the program has started. */
    tell(&host, (struct order){.kind = ORDER_CAUGHT});
    if (shim == WITH_SHIM) {
        expect_shim(&host);
    }
    return host;
}

struct host start_host(enum shim shim)
{
    return start_host_as(shim, (struct program){.shim = shim});
}

static void tell_to_exit(struct host *host)
{
    send_order(host, (struct order){.kind = ORDER_EXIT});
}

void end_host(struct host *host)
{
    tell_to_exit(host);
    expect_exit(&host->process, 0);
}

void end_forked_host(struct host *child)
{
    tell_to_exit(child);
    char byte;
    cr_assert_eq(recv(child->channel, &byte, 1, 0), 0, "the child of a host hangs in its end");
}

int host_socket(struct host *host, int family, int type, int protocol)
{
    return number_of(
        tell(host, (struct order){.kind = ORDER_SOCKET, .arguments = {family, type, protocol}}),
        "socket()");
}

int host_tcp_socket(struct host *host)
{
    return host_socket(host, AF_INET, SOCK_STREAM, 0);
}

static struct order order_to(enum order_kind kind, int fd, const struct address *address)
{
    struct order order = {.kind = kind, .arguments = {fd}, .length = address->length};
    memcpy(order.bytes, &address->storage, sizeof address->storage);
    make_address_alike(&order);
    return order;
}

static struct order order_with_address(enum order_kind kind, int fd, const char *text)
{
    struct address address = address_from(text);
    return order_to(kind, fd, &address);
}

static struct order order_with_text(enum order_kind kind, int fd, const char *text)
{
    struct order order = {.kind = kind, .arguments = {fd}, .length = (uint32_t)strlen(text)};
    cr_assert_lt(order.length, ORDER_BYTES, "too long for an order: %s", text);
    memcpy(order.bytes, text, order.length);
    return order;
}

int host_bind(struct host *host, int fd, const char *address)
{
    return error_of(tell(host, order_with_address(ORDER_BIND, fd, address)));
}

int host_bind_to(struct host *host, int fd, const struct address *address)
{
    return error_of(tell(host, order_to(ORDER_BIND, fd, address)));
}

int host_bind_at(struct host *host, int fd, uintptr_t pointer, uint32_t length)
{
    return error_of(tell(
        host, (struct order){.kind = ORDER_BIND_AT, .arguments = {fd, (int64_t)pointer, length}}));
}

int host_bind_at_edge(struct host *host, int fd, const char *address)
{
    return error_of(tell(host, order_with_address(ORDER_BIND_AT_EDGE, fd, address)));
}

int host_bind_in_vfork(struct host *host, int fd, const char *address)
{
    return number_of(tell(host, order_with_address(ORDER_BIND_IN_VFORK, fd, address)),
                     "bind() in a child");
}

int host_listen_with_queue(struct host *host, int fd, int backlog)
{
    return error_of(tell(host, (struct order){.kind = ORDER_LISTEN, .arguments = {fd, backlog}}));
}

int host_listen(struct host *host, int fd)
{
    return host_listen_with_queue(host, fd, 16);
}

void host_begin_bind(struct host *host, int fd, const char *address)
{
    send_order(host, order_with_address(ORDER_BIND, fd, address));
}

bool host_has_bound(struct host *host)
{
    struct pollfd channel = {.fd = host->channel, .events = POLLIN};
    return poll(&channel, 1, 0) > 0;
}

int host_end_bind(struct host *host)
{
    return error_of(receive_answer(host));
}

void expect_exit_in_listen(struct host *host, int fd, int status)
{
    send_order(host, (struct order){.kind = ORDER_LISTEN, .arguments = {fd, 16}});
    expect_exit(&host->process, status);
}

int host_connect(struct host *host, int fd, const char *address)
{
    return error_of(tell(host, order_with_address(ORDER_CONNECT, fd, address)));
}

int host_accept(struct host *host, int fd)
{
    return number_of(tell(host, (struct order){.kind = ORDER_ACCEPT, .arguments = {fd}}),
                     "accept()");
}

void host_close(struct host *host, int fd)
{
    number_of(tell(host, (struct order){.kind = ORDER_CLOSE, .arguments = {fd}}), "close()");
}

int host_dup2(struct host *host, int from, int to)
{
    return number_of(tell(host, (struct order){.kind = ORDER_DUP2, .arguments = {from, to}}),
                     "dup2()");
}

int host_get_option(struct host *host, int fd, int option)
{
    return number_of(
        tell(host, (struct order){.kind = ORDER_GET_OPTION, .arguments = {fd, SOL_SOCKET, option}}),
        "getsockopt()");
}

void host_set_option(struct host *host, int fd, int level, int option, int value)
{
    number_of(tell(host, (struct order){.kind = ORDER_SET_OPTION,
                                        .arguments = {fd, level, option, value}}),
              "setsockopt()");
}

uint16_t host_port(struct host *host, int fd)
{
    return (uint16_t)number_of(
        tell(host, (struct order){.kind = ORDER_GET_PORT, .arguments = {fd}}), "getsockname()");
}

static int host_echo(struct host *host, int fd)
{
    return number_of(tell(host, (struct order){.kind = ORDER_ECHO, .arguments = {fd}}),
                     "recv() and send()");
}

void expect_host_end_of_stream(struct host *host, int fd)
{
    EXPECT_VALUE(host_echo(host, fd), 0);
}

void expect_service(struct host *host, int fd, int client)
{
    static const char line[] = "are you there?";
    char back[sizeof line] = "";
    cr_assert_eq(send(client, line, sizeof line, MSG_NOSIGNAL), (ssize_t)sizeof line,
                 "a client cannot send: %s", strerror(errno));
    EXPECT_VALUE(host_echo(host, fd), (int)sizeof line);
    cr_assert_eq(recv(client, back, sizeof back, MSG_WAITALL), (ssize_t)sizeof line,
                 "a client gets no answer: %s", strerror(errno));
    cr_assert_str_eq(back, line);
}

int host_open(struct host *host, const char *path)
{
    return number_of(tell(host, order_with_text(ORDER_OPEN, 0, path)), "open()");
}

void host_write(struct host *host, int fd, const char *text)
{
    EXPECT_VALUE(number_of(tell(host, order_with_text(ORDER_WRITE, fd, text)), "write()"),
                 (int)strlen(text));
}

void host_limit_files(struct host *host, int size)
{
    number_of(tell(host, (struct order){.kind = ORDER_LIMIT_FILES, .arguments = {size}}),
              "setrlimit()");
}

void host_use_up_descriptors(struct host *host)
{
    number_of(tell(host, (struct order){.kind = ORDER_USE_UP_FDS}), "using up all descriptors");
}

/* The test ends as skipped where the host may not do it. */
static void need_success(struct answer answer, const char *what)
{
    if (answer.result != 0) {
        skip_because("a host may not %s here: %s", what, strerror(answer.error));
    }
}

void host_become_user(struct host *host, unsigned id)
{
    need_success(tell(host, (struct order){.kind = ORDER_BECOME_USER, .arguments = {id}}),
                 "become another user");
}

void host_drop_rights(struct host *host)
{
    need_success(tell(host, (struct order){.kind = ORDER_DROP_RIGHTS}), "drop its capabilities");
}

void host_filter_argument(struct host *host, long number, unsigned int place, int64_t argument,
                          uint32_t action)
{
    need_success(tell(host, (struct order){.kind = ORDER_FILTER,
                                           .arguments = {number, argument, action, place}}),
                 "install a seccomp filter");
}

void host_filter(struct host *host, long number, int64_t first_argument, uint32_t action)
{
    host_filter_argument(host, number, 0, first_argument, action);
}

void host_chroot(struct host *host, const char *path)
{
    need_success(tell(host, order_with_text(ORDER_CHROOT, 0, path)), "chroot()");
}

void host_unshare(struct host *host, int flags)
{
    need_success(tell(host, (struct order){.kind = ORDER_UNSHARE, .arguments = {flags}}),
                 "leave its namespaces");
}

void host_mount(struct host *host, const char *type, const char *folder, const char *options)
{
    char text[ORDER_BYTES];
    snprintf(text, sizeof text, "%s %s %s", type, folder, options);
    need_success(tell(host, order_with_text(ORDER_MOUNT, 0, text)), "mount a file system");
}

struct host fork_host(struct host *host)
{
    struct host child = *host;
    child.process.pid = number_of(tell(host, (struct order){.kind = ORDER_FORK}), "fork()");
    child.channel = host->child_channel;
    child.child_channel = -1;
    host->child_channel = -1;
    return child;
}

static bool has_left_main(const struct host *host)
{
    char path[32];
    char state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)host->process.pid);
    FILE *stat = fopen(path, "re");
    const bool is_read = stat != NULL && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1;
    if (stat != NULL) {
        fclose(stat);
    }
    return is_read && state == 'Z';
}

void host_leave_main(struct host *host)
{
    need_success(tell(host, (struct order){.kind = ORDER_LEAVE_MAIN}), "go on in another thread");
    EVENTUALLY(has_left_main(host));
}

void host_catch(struct host *host, int signal_number)
{
    number_of(tell(host, (struct order){.kind = ORDER_CATCH, .arguments = {signal_number}}),
              "signal()");
}

int host_caught(struct host *host)
{
    return number_of(tell(host, (struct order){.kind = ORDER_CAUGHT}), "counting signals");
}

void host_block(struct host *host, int signal_number)
{
    number_of(tell(host, (struct order){.kind = ORDER_BLOCK, .arguments = {signal_number}}),
              "sigprocmask()");
}

void host_raise(struct host *host, int signal_number)
{
    number_of(tell(host, (struct order){.kind = ORDER_RAISE, .arguments = {signal_number}}),
              "raise()");
}

bool host_has_pending(struct host *host, int signal_number)
{
    return number_of(
               tell(host, (struct order){.kind = ORDER_IS_PENDING, .arguments = {signal_number}}),
               "sigpending()") != 0;
}

unsigned count_descriptors(const struct host *host)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)host->process.pid);
    DIR *folder = opendir(path);
    cr_assert_not_null(folder, "%s: %s", path, strerror(errno));
    unsigned count = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        count += entry->d_name[0] != '.';
    }
    closedir(folder);
    return count;
}

int host_serve(struct host *host, const char *address)
{
    int fd = host_socket(host, address_from(address).storage.ss_family, SOCK_STREAM, 0);
    EXPECT_SUCCESS(host_bind(host, fd, address));
    EXPECT_SUCCESS(host_listen(host, fd));
    return fd;
}

uint16_t host_lose_port(struct host *host, const char *address)
{
    const int fd = host_tcp_socket(host);
    EXPECT_ERROR(host_bind(host, fd, address), EADDRINUSE);
    EXPECT_SUCCESS(host_listen(host, fd));
    return host_port(host, fd);
}

void leave_time_wait(enum shim shim, const char *address)
{
    struct host server = start_host(shim);
    int listener = host_serve(&server, address);
    uint16_t port = host_port(&server, listener);
    unsigned before = count_sockets(port, TCP_TIME_WAIT);
    int client = connected_client(address, 0);
    host_accept(&server, listener);
    end_by_signal(&server.process, SIGKILL);
    expect_end_of_stream(client);
    close(client);
    EVENTUALLY(count_sockets(port, TCP_TIME_WAIT) == before + 1);
}
