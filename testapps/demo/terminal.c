#include "terminal.h"

#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEP_S      5
#define MOMENT_MS   2
#define PAUSE_MS    600
#define EXIT_SIGNAL 128

static volatile sig_atomic_t caught_signal;
static time_t step_ends; /* CLOCK_MONOTONIC */

bool verbose;

const char *paint(FILE *out, const char *colour)
{
    const char *no_color = getenv("NO_COLOR");
    bool wanted = no_color == NULL || no_color[0] == '\0';

    return wanted && isatty(fileno(out)) == 1 ? colour : "";
}

void tell(const char *text)
{
    while (text[0] != '\0') {
        int length = (int)strcspn(text, "\n");

        printf(INDENT "%.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
}

static void remember_signal(int number)
{
    caught_signal = number;
}

/* Handlers, and never SIG_IGN, because exec() would hand that on to the servers. */
void catch_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    struct sigaction action = {.sa_handler = remember_signal, .sa_flags = SA_RESTART};

    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}

/* The exit status is the one that a shell would give. */
static void stop_if_interrupted(void)
{
    int number = caught_signal;

    if (number != 0)
        errx(EXIT_SIGNAL + number, "stopped by signal %d (%s)", number, strsignal(number));
}

static time_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

void pause_between_steps(void)
{
    if (isatty(STDOUT_FILENO) == 1)
        poll(NULL, 0, PAUSE_MS);
    stop_if_interrupted();
    step_ends = now() + STEP_S;
}

bool wait_a_moment(void)
{
    poll(NULL, 0, MOMENT_MS);
    stop_if_interrupted();
    return now() < step_ends;
}
