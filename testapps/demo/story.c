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

static const char *const as_it_is[] = {"./server1", NULL};
static const char *const preloaded[] = {"LD_PRELOAD=./libreuse.so", "./server1", NULL};
static const char *const by_the_command[] = {"./libreuse", "run", "./server1", NULL};
static const char *const client[] = {"./server2", NULL};

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
    printf("%s%s%d. %s%s\n", verbose ? "\n" : "", paint(stdout, BOLD), number, title,
           paint(stdout, PLAIN));
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
    if (verbose) {
        putchar('\n');
        print_sockets(stdout);
        putchar('\n');
    }
}

static void start(struct program *program, const char *const words[])
{
    launch(program, words);
    expect(comes_up(program), "a program that says that it listens, and runs on");
    show_said();
}

static void end(struct program *program)
{
    interrupt(program);
    expect(comes_to_an_end(program), "a program that ends on ctrl-c");
}

/* A call of the libreuse command, which ends by itself with one of two exit statuses. */
static void call(const char *const words[], int status, int other)
{
    launch(&command, words);
    expect(comes_to_an_end(&command) && (command.status == status || command.status == other),
           "a libreuse command that does what it says");
    show_said();
}

static void connect_and_serve(void)
{
    start(&server2, client);
    expect(has_said(&server2, "hello from server1"), "server2 receives server1's greeting");
}

/* server1 first, so that it is the one whose port the kernel keeps. */
static void end_both(void)
{
    end(&server1);
    EXPECT_SOCKETS(LISTENER_2, CLOSED_1, TOLD_2);
    end(&server2);
    EXPECT_SOCKETS(LEFTOVER_1);
}

/* Returns the port that server1 has got instead of 9999. */
static unsigned lose_the_port(void)
{
    unsigned port;

    begin_act("ACT ONE: two old programs, as they are");

    begin_step("server1 is started, and server2 connects to it");
    start(&server1, as_it_is);
    connect_and_serve();
    EXPECT_SOCKETS(LISTENER_1, LISTENER_2, CONNECTED_1, CONNECTED_2);

    begin_step("Both are ended, server1 first");
    end_both();
    tell("The end of the connection that closed first, server1's, stays in TIME_WAIT: the\n"
         "kernel keeps port 9999 occupied for 60 s.");

    begin_step("server1 is started again");
    start(&server1, as_it_is);
    EXPECT_SOCKETS(MISPLACED_1, LEFTOVER_1);
    port = find_socket(TCP_LISTEN)->local_port;
    expect(port != SERVER1_PORT, "server1 listens on another port than 9999");
    expect(bind_error(SERVER1_PORT) == EADDRINUSE, "bind() of port 9999 fails with EADDRINUSE");
    launch(&server2, client);
    expect(comes_to_an_end(&server2) && has_said(&server2, strerror(ECONNREFUSED)),
           "server2 is refused, says so, and ends");
    show_said();
    tell("bind() had failed, server1 did not look, and listen() got it another port:");
    printf(INDENT "%s%u%s. It looks healthy, and nobody reaches it.\n", paint(stdout, YELLOW), port,
           paint(stdout, PLAIN));
    end(&server1);
    EXPECT_SOCKETS(LEFTOVER_1);
    return port;
}

static void hear_of_it(void)
{
    begin_act("ACT TWO: the same start with libreuse is not silent");

    begin_step("server1 is started with libreuse");
    start(&server1, preloaded);
    EXPECT_SOCKETS(MISPLACED_1, LEFTOVER_1);
    expect(has_said(&server1, "bind-failed: 0.0.0.0:9999: EADDRINUSE") &&
               has_said(&server1, "swallowed: bind to 0.0.0.0:9999 had failed"),
           "libreuse reports on server1's stderr: bind-failed and swallowed");
    tell("These connections were made without libreuse, so it cannot pass them. It says so.");

    begin_step("A person asks, and takes the way out");
    call((const char *const[]){"./libreuse", "why", "9999", NULL}, 1, 1);
    call((const char *const[]){"./libreuse", "free", "--yes", "9999", NULL}, 0, 3);
    end(&server1);
    if (command.status != 0) {
        tell("Not permitted here, or a kernel before 6.0: the demo itself removes the socket.");
        remove_time_waits();
    }
    EXPECT_NO_SOCKET();
}

static void keep_the_port(void)
{
    begin_act("ACT THREE: restarts with libreuse");

    begin_step("server1 is started with libreuse, and server2 connects to it");
    start(&server1, by_the_command);
    connect_and_serve();
    EXPECT_SOCKETS(LISTENER_1, LISTENER_2, CONNECTED_1, CONNECTED_2);

    begin_step("Both are ended, server1 first: TIME_WAIT, as in act one");
    end_both();

    begin_step("server1 is started again, with libreuse");
    start(&server1, by_the_command);
    EXPECT_SOCKETS(LISTENER_1, LEFTOVER_1);
    expect(has_said(&server1, "rescued: 0.0.0.0:9999"),
           "libreuse reports on server1's stderr: rescued: 0.0.0.0:9999");
    connect_and_serve();
    EXPECT_SOCKETS(LISTENER_1, LISTENER_2, CONNECTED_1, CONNECTED_2, LEFTOVER_1);
    tell("Connected and served at once, with no change to either program.");
}

static void leave_nothing_behind(void)
{
    pause_between_steps();
    end(&server1);
    end(&server2);
    remove_time_waits();
    EXPECT_NO_SOCKET();
}

/* The commands that it shows can be typed as they are, but only there. */
static void say_where(void)
{
    char *folder = get_current_dir_name();

    if (folder == NULL)
        err(EXIT_FAILURE, "cannot read the name of the working folder");
    printf("The commands behind a $ are typed in %s.\n", folder);
    free(folder);
}

static const char usage[] =
    "Usage: demo [--no-namespace]\n"
    "Shows a server that loses its port when it is restarted, and how libreuse keeps it.\n"
    "\n"
    "  --no-namespace  use ports 9999 and 8888 of this machine's own loopback\n"
    "  --help          show this text\n"
    "\n"
    "VERBOSE=1 in the environment adds the kernel's table of sockets at each step, NO_COLOR=1\n"
    "switches colours off. The exit status is 0 if everything came out as told, 1 if not, 2\n"
    "for an argument that is not understood.\n";

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

static bool wants_tables(void)
{
    const char *value = getenv("VERBOSE");

    return value != NULL && value[0] != '\0' && strcmp(value, "0") != 0;
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
    verbose = wants_tables();
    if (verbose)
        printf("Every table is what the kernel shows at that moment, in /proc/net/tcp.\n");
    find_a_place(want_namespace);
    say_where();

    /* Whatever happens; the last of these is called first. */
    atexit(remove_time_waits);
    atexit(kill_all);
    port = lose_the_port();
    hear_of_it();
    keep_the_port();
    leave_nothing_behind();
    printf("\n%sAs told: server1 came back on port %u without libreuse, on 9999 with it.%s\n"
           "Next: install it (README.md). Then, for a server of yours: libreuse run ./server;\n"
           "for a systemd service: libreuse enable UNIT; to undo that: libreuse disable UNIT.\n",
           paint(stdout, GREEN), port, paint(stdout, PLAIN));
    if (fflush(stdout) != 0 || ferror(stdout))
        errx(EXIT_FAILURE, "cannot write to stdout");
    return EXIT_SUCCESS;
}
