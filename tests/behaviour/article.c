/*
 * The article's two programs, in its ten figures: server1 listens on port 9999; server2 connects to
 * it and listens on port 8888. What each figure shows is the kernel's list of sockets.
 *
 * Figures 1 to 5 are without the shim, 6 to 10 are the same with it.
 */
#include "deadline.h"
#include "host.h"
#include "namespace.h"
#include "process.h"
#include "reports.h"
#include "sockets.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define SERVER1_PORT 9999
#define SERVER2_PORT 8888

static bool has_said(const struct process *process, const char *text)
{
    return strstr(output_of(process), text) != NULL;
}

static struct process start_server1(enum shim shim)
{
    struct process server = start((struct program){.path = BUILD_FOLDER "/server1", .shim = shim});
    EVENTUALLY(has_said(&server, "listening\n"));
    return server;
}

static struct process start_server2(enum shim shim)
{
    return start((struct program){.path = BUILD_FOLDER "/server2", .shim = shim});
}

static bool is_connected(void)
{
    return count_sockets(SERVER1_PORT, TCP_ESTABLISHED) == 1;
}

struct play {
    struct process server1;
    struct process server2;
};

/* Figures 1 to 3, and 6 to 8: both run; server1 ends; server2 ends. */
static struct play play_first_run(enum shim shim)
{
    struct play play = {.server1 = start_server1(shim)};
    EXPECT_VALUE(count_sockets(SERVER1_PORT, TCP_LISTEN), 1);
    play.server2 = start_server2(shim);
    EVENTUALLY(is_connected() && count_sockets(SERVER2_PORT, TCP_LISTEN) == 1);
    EVENTUALLY(has_said(&play.server2, "hello from server1"));

    end_by_signal(&play.server1, SIGINT);
    EVENTUALLY(count_sockets(SERVER1_PORT, TCP_FIN_WAIT2) == 1);
    EXPECT_VALUE(count_sockets(SERVER1_PORT, TCP_LISTEN), 0);

    end_by_signal(&play.server2, SIGINT);
    EVENTUALLY(count_sockets(SERVER1_PORT, TCP_TIME_WAIT) == 1);
    EXPECT_VALUE(count_leftovers(SERVER1_PORT), 1);
    return play;
}

static void expect_server2_is_refused(void)
{
    struct process server2 = start_server2(WITHOUT_SHIM);
    EVENTUALLY(has_ended(&server2));
    cr_assert(WIFEXITED(server2.status) && WEXITSTATUS(server2.status) != 0,
              "server2 should have failed");
    cr_assert_not_null(strstr(errors_of(&server2), strerror(ECONNREFUSED)), "server2 said:\n%s",
                       errors_of(&server2));
}

Test(article, figures_1_to_5_the_restart_without_the_shim_fails_in_silence)
{
    enter_private_network();
    play_first_run(WITHOUT_SHIM);

    struct process again = start_server1(WITHOUT_SHIM);
    EXPECT_VALUE(count_sockets(SERVER1_PORT, TCP_LISTEN), 0);
    expect_server2_is_refused();
    cr_assert(!has_ended(&again), "server1 should not have noticed");
    expect_silence(&again);
}

Test(article, figures_6_to_10_the_restart_with_the_shim_works)
{
    enter_private_network();
    play_first_run(WITH_SHIM);

    struct process again = start_server1(WITH_SHIM);
    EXPECT_VALUE(count_sockets(SERVER1_PORT, TCP_LISTEN), 1);
    struct process server2 = start_server2(WITH_SHIM);
    EVENTUALLY(is_connected() && count_sockets(SERVER2_PORT, TCP_LISTEN) == 1);
    EVENTUALLY(has_said(&server2, "hello from server1"));
    expect_report(&again, "rescued: 0.0.0.0:9999: bind succeeded with SO_REUSEADDR");
    EXPECT_VALUE(count_sockets(SERVER1_PORT, TCP_TIME_WAIT), 1);
}

/* server2 keeps its half of the old connection open all the time: FIN_WAIT2 instead. */
Test(article, the_restart_works_while_server2_still_runs)
{
    enter_private_network();
    struct process server1 = start_server1(WITH_SHIM);
    struct process server2 = start_server2(WITHOUT_SHIM);
    EVENTUALLY(is_connected() && has_said(&server2, "hello from server1"));
    end_by_signal(&server1, SIGINT);
    EVENTUALLY(count_sockets(SERVER1_PORT, TCP_FIN_WAIT2) == 1);

    start_server1(WITH_SHIM);
    EXPECT_VALUE(count_sockets(SERVER1_PORT, TCP_LISTEN), 1);
    EXPECT_SUCCESS(connect_error("127.0.0.1:9999"));
}

Test(article, ten_restarts_in_a_row_work)
{
    enter_private_network();
    for (unsigned run = 0; run < 10; run++) {
        struct process server1 = start_server1(WITH_SHIM);
        EXPECT_VALUE(count_sockets(SERVER1_PORT, TCP_LISTEN), 1);
        EXPECT_VALUE(count_reports(&server1, "rescued"), run == 0 ? 0 : 1);
        struct process server2 = start_server2(WITHOUT_SHIM);
        EVENTUALLY(is_connected() && has_said(&server2, "hello from server1"));
        end_by_signal(&server1, SIGINT);
        end_by_signal(&server2, SIGINT);
        EVENTUALLY(count_sockets(SERVER1_PORT, TCP_TIME_WAIT) == run + 1);
    }
}

Test(article, the_first_restart_after_a_run_without_the_shim_fails_aloud)
{
    enter_private_network();
    play_first_run(WITHOUT_SHIM);

    struct process again = start_server1(WITH_SHIM);
    EXPECT_VALUE(count_sockets(SERVER1_PORT, TCP_LISTEN), 0);
    expect_report(&again, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
    expect_report(&again, "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; ");
}

Test(article, a_second_server1_is_refused_and_told_so)
{
    enter_private_network();
    start_server1(WITH_SHIM);
    struct process second = start_server1(WITH_SHIM);
    EXPECT_VALUE(count_sockets(SERVER1_PORT, TCP_LISTEN), 1);
    expect_report(&second, "bind-failed: 0.0.0.0:9999: EADDRINUSE: ");
    expect_report(&second, "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; ");
}

/* What fits a person's patience; with VERBOSE=1 the kernel's tables come on top. */
#define STORY_LINES 64

static unsigned lines_of(struct process *demo)
{
    unsigned lines = 0;
    for (const char *c = output_of(demo); *c != '\0'; c++) {
        lines += *c == '\n';
    }
    return lines;
}

Test(demo, tells_its_story_to_the_end)
{
    enter_private_network();
    struct process demo = run((struct program){.path = BUILD_FOLDER "/demo"});
    static const char *const told[] = {
        "bind-failed: 0.0.0.0:9999: EADDRINUSE: ",
        "swallowed: bind to 0.0.0.0:9999 had failed with EADDRINUSE; ",
        "libreuse why 9999",
        "$ ./libreuse run ./server1",
        "rescued: 0.0.0.0:9999",
        "As told: ",
        "libreuse enable UNIT",
    };
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        cr_assert(has_said(&demo, told[i]), "no \"%s\"; the demo said:\n%s", told[i],
                  output_of(&demo));
    }
    cr_assert_leq(lines_of(&demo), STORY_LINES, "the demo said:\n%s", output_of(&demo));
}

Test(demo, shows_the_sockets_at_each_step_where_that_is_wanted)
{
    enter_private_network();
    struct process demo =
        run((struct program){.path = BUILD_FOLDER "/demo", .settings = {"VERBOSE=1"}});
    cr_assert(has_said(&demo, "FIN_WAIT2    127.0.0.1:9999"), "the demo said:\n%s",
              output_of(&demo));
}
