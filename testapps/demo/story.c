/*
 * The story, step by step, for a person who has never heard of TIME_WAIT. Nothing is told from
 * memory: each step does something, waits until the kernel shows the sockets that the story
 * expects, prints what the kernel shows, and ends the demo with status 1 if that does not come.
 */
#include "namespace.h"
#include "port.h"
#include "sockets.h"
#include "stage.h"
#include "terminal.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXIT_USAGE 2

/* The sockets that the story expects, as the viewer sees them. */
#define LISTENER_1  "LISTEN       0.0.0.0:9999     -                server1*"
#define LISTENER_2  "LISTEN       0.0.0.0:8888     -                server2*"
#define MISPLACED_1 "LISTEN       0.0.0.0:???????  -                server1*"
#define CONNECTED_1 "ESTABLISHED  127.0.0.1:9999   127.0.0.1:?????  server1*"
#define CONNECTED_2 "ESTABLISHED  127.0.0.1:?????  127.0.0.1:9999   server2*"
#define CLOSED_1    "FIN_WAIT2    127.0.0.1:9999   127.0.0.1:?????  none*"
#define TOLD_2      "CLOSE_WAIT   127.0.0.1:?????  127.0.0.1:9999   server2*"
#define LEFTOVER_1  "TIME_WAIT    127.0.0.1:9999   127.0.0.1:?????  none*"

/* Waits until the kernel shows these sockets, in any order, and no other. */
#define EXPECT_SOCKETS(...) expect_sockets((const char *const[]){__VA_ARGS__, NULL})
#define EXPECT_NO_SOCKET()  EXPECT_SOCKETS(NULL)

static char *const as_it_is[] = {NULL};
static char *const with_libreuse[] = {"LD_PRELOAD=./libreuse.so", NULL};

static int number;
static const char *title;

static void begin_act(const char *name)
{
    printf("\n%s%s%s\n", paint(stdout, BOLD), name, paint(stdout, PLAIN));
}

static void begin_step(const char *name)
{
    title = name;
    number++;
    pause_between_steps();
    printf("\n%s%d. %s%s\n", paint(stdout, BOLD), number, title, paint(stdout, PLAIN));
}

static void print_state(const struct program *program)
{
    fprintf(stderr, INDENT "%s %s; its last exit status is %d\n", program->name,
            program->pid != 0 ? "runs" : "does not run", program->status);
}

_Noreturn static void fail(const char *const expected[])
{
    show_said();
    look_at_sockets();
    fprintf(stderr, "\ndemo: step %d did not come out as told: %s\n", number, title);
    fprintf(stderr, "demo: expected:\n");
    if (expected[0] == NULL)
        fprintf(stderr, INDENT "(no socket)\n");
    for (; *expected != NULL; expected++)
        fprintf(stderr, INDENT "%s\n", *expected);
    fprintf(stderr, "demo: seen:\n");
    print_state(&server1);
    print_state(&server2);
    print_sockets(stderr);
    exit(EXIT_FAILURE);
}

static void expect(bool is_as_told, const char *expected)
{
    if (!is_as_told)
        fail((const char *const[]){expected, NULL});
}

static void expect_sockets(const char *const expected[])
{
    while (!sockets_are(expected)) {
        if (!wait_a_moment())
            fail(expected);
    }
    show_said();
    putchar('\n');
    print_sockets(stdout);
    putchar('\n');
}

static void start(struct program *program, char *const environment[])
{
    launch(program, environment);
    expect(comes_up(program), "a program that says that it listens, and runs on");
    show_said();
}

static void end(struct program *program)
{
    interrupt(program);
    expect(comes_to_an_end(program), "a program that ends on ctrl-c");
}

/* Returns the port that server1 has got instead of 9999. */
static unsigned lose_the_port(void)
{
    unsigned port;

    begin_act("ACT ONE: server1 and server2, two old programs, as they are");

    begin_step("server1 is started, and server2 connects to it");
    start(&server1, as_it_is);
    start(&server2, as_it_is);
    EXPECT_SOCKETS(LISTENER_1, LISTENER_2, CONNECTED_1, CONNECTED_2);
    tell("server1 listens on port 9999. The connection between the two has two ends;\n"
         "both are ESTABLISHED.");

    begin_step("server1 is ended first");
    end(&server1);
    EXPECT_SOCKETS(LISTENER_2, CLOSED_1, TOLD_2);
    tell("server1's end has closed and waits for the other end to close: FIN_WAIT2.\n"
         "server2 was told, but keeps its end open: CLOSE_WAIT.");

    begin_step("server2 is ended, too");
    end(&server2);
    EXPECT_SOCKETS(LEFTOVER_1);
    tell("Both programs are gone. The end that closed first, server1's, stays behind:\n"
         "TIME_WAIT. No late packet of this connection shall get into a new one, so the\n"
         "kernel keeps port 9999 occupied, for 60 s.");

    begin_step("server1 is started again");
    start(&server1, as_it_is);
    EXPECT_SOCKETS(MISPLACED_1, LEFTOVER_1);
    port = find_socket(TCP_LISTEN)->local_port;
    expect(port != SERVER1_PORT, "server1 listens on another port than 9999");
    expect(bind_error(SERVER1_PORT) == EADDRINUSE, "bind() of port 9999 fails with EADDRINUSE");
    tell("The demo asks for the same bind() of port 9999: \"Address already in use\".\n"
         "server1 did not look at that answer and went on to listen(). The kernel gave");
    printf(INDENT "its socket a port, and this is where server1 really listens: %u.\n", port);
    tell("It runs, it says that it listens, it looks healthy.");

    begin_step("server2 is started again");
    launch(&server2, as_it_is);
    expect(comes_to_an_end(&server2) && has_said(&server2, strerror(ECONNREFUSED)),
           "server2 is refused, says so, and ends");
    EXPECT_SOCKETS(MISPLACED_1, LEFTOVER_1);
    tell("Nobody listens on port 9999. Every client is refused, and server1 does not\n"
         "know. This is the trouble that libreuse is for.");

    return port;
}

static void free_the_port(void)
{
    begin_act("BETWEEN THE ACTS");

    begin_step("server1 is ended, and port 9999 is freed");
    end(&server1);
    remove_time_waits();
    EXPECT_NO_SOCKET();
    tell("Normally this takes 60 s. The demo has removed the TIME_WAIT socket with a\n"
         "reset packet (RFC 1337), so that you need not wait.");
}

static void keep_the_port(void)
{
    begin_act("ACT TWO: the same two programs, server1 with libreuse");

    begin_step("server1 is started with libreuse, and server2 connects to it");
    start(&server1, with_libreuse);
    start(&server2, as_it_is);
    EXPECT_SOCKETS(LISTENER_1, LISTENER_2, CONNECTED_1, CONNECTED_2);
    tell("Nothing looks different. But libreuse has set SO_REUSEADDR on the listening\n"
         "socket, and the connections that come from it inherit that.");

    begin_step("server1 is ended first");
    end(&server1);
    EXPECT_SOCKETS(LISTENER_2, CLOSED_1, TOLD_2);
    tell("As before.");

    begin_step("server2 is ended, too");
    end(&server2);
    EXPECT_SOCKETS(LEFTOVER_1);
    tell("As before: TIME_WAIT on port 9999, and no process that could be asked to go.");

    begin_step("server1 is started again, with libreuse");
    start(&server1, with_libreuse);
    EXPECT_SOCKETS(LISTENER_1, LEFTOVER_1);
    expect(has_said(&server1, "rescued: 0.0.0.0:9999"),
           "libreuse reports on server1's stderr: rescued: 0.0.0.0:9999");
    tell("server1 listens on port 9999, although TIME_WAIT is still there. The line\n"
         "that begins with \"libreuse:\" is what libreuse reported.");

    begin_step("server2 is started again");
    start(&server2, as_it_is);
    EXPECT_SOCKETS(LISTENER_1, LISTENER_2, CONNECTED_1, CONNECTED_2, LEFTOVER_1);
    expect(has_said(&server2, "hello from server1"), "server2 receives server1's greeting");
    tell("Connected and served, with no change to either program.");
}

static void leave_nothing_behind(void)
{
    begin_act("AFTER THE PLAY");

    begin_step("both are ended, and port 9999 is freed");
    end(&server1);
    end(&server2);
    remove_time_waits();
    EXPECT_NO_SOCKET();
    tell("Nothing stays behind; the TIME_WAIT sockets were removed as before.");
}

static const char usage[] =
    "Usage: demo [--no-namespace]\n"
    "Shows a server that loses its port when it is restarted, and how libreuse keeps it.\n"
    "\n"
    "  --no-namespace  use ports 9999 and 8888 of this machine's own loopback\n"
    "  --help          show this text\n"
    "\n"
    "NO_COLOR in the environment switches colours off. The exit status is 0 if everything\n"
    "came out as told, 1 if not, 2 for an argument that is not understood.\n";

static bool wants_namespace(int argc, char **argv)
{
    bool wanted = true;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        }
        if (strcmp(argv[i], "--no-namespace") != 0) {
            fprintf(stderr, "demo: unknown argument \"%s\"\n%s", argv[i], usage);
            exit(EXIT_USAGE);
        }
        wanted = false;
    }
    return wanted;
}

/* So that nothing that the demo opens gets the number of a stream that it was started without. */
static void open_missing_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", O_RDONLY);
    }
}

int main(int argc, char **argv)
{
    bool want_namespace = wants_namespace(argc, argv);
    unsigned port;

    open_missing_streams();
    setvbuf(stdout, NULL, _IOLBF, 0);
    catch_signals();
    enter_own_folder();

    printf("%slibreuse demo%s: a server is restarted, without libreuse and with it.\n",
           paint(stdout, BOLD), paint(stdout, PLAIN));
    printf("Every table is what the kernel shows at that moment, in /proc/net/tcp.\n");
    find_a_place(want_namespace);

    /* Whatever happens; the last of these is called first. */
    atexit(remove_time_waits);
    atexit(kill_both);
    port = lose_the_port();
    free_the_port();
    keep_the_port();
    leave_nothing_behind();
    printf("\n%sAs told: server1 came back on port %u without libreuse, on 9999 with it.%s\n",
           paint(stdout, GREEN), port, paint(stdout, PLAIN));
    if (fflush(stdout) != 0 || ferror(stdout))
        errx(EXIT_FAILURE, "cannot write to stdout");
    return EXIT_SUCCESS;
}
