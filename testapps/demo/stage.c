#include "stage.h"

#include "terminal.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_SAID            8192
#define REPORT              "libreuse:"
#define MAX_VARIABLES       8
#define EXIT_CANNOT_EXECUTE 127 /* as in a shell */
#define EXIT_SIGNAL         128 /* likewise */

struct program server1 = {.name = "server1", .said = -1};
struct program server2 = {.name = "server2", .said = -1};
struct program command = {.name = "libreuse", .said = -1};

/* Relative paths from here on: LD_PRELOAD could not carry a folder with blanks or colons. */
void enter_own_folder(void)
{
    char folder[PATH_MAX] = "";

    if (readlink("/proc/self/exe", folder, sizeof(folder) - 1) <= 0)
        err(EXIT_FAILURE, "cannot read /proc/self/exe");
    strrchr(folder, '/')[1] = '\0';
    if (chdir(folder) != 0)
        err(EXIT_FAILURE, "cannot enter the folder %s", folder);
    if (access("libreuse.so", R_OK) != 0)
        err(EXIT_FAILURE, "run make first: %slibreuse.so", folder);
}

/*
 * In the child. The terminal's ctrl-c must not reach it, because both servers would end at once:
 * the connection would then leave TIME_WAIT at both ends, where each keeps the port that is needed
 * to remove the other.
 */
_Noreturn static void become(const struct program *program, const char *const words[])
{
    char *environment[MAX_VARIABLES + 1] = {NULL};

    for (size_t i = 0; i < MAX_VARIABLES && strchr(words[0], '=') != NULL; i++)
        environment[i] = (char *)*words++;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    dup2(program->said, STDOUT_FILENO);
    dup2(program->said, STDERR_FILENO);
    execve(words[0], (char *const *)words, environment);
    dprintf(STDERR_FILENO, "demo: cannot run %s: %s\n", words[0], strerror(errno));
    _exit(EXIT_CANNOT_EXECUTE);
}

void launch(struct program *program, const char *const words[])
{
    pid_t pid;

    printf(INDENT "$");
    for (size_t i = 0; words[i] != NULL; i++)
        printf(" %s", words[i]);
    putchar('\n');
    close(program->said);
    program->shown = 0;
    program->said = memfd_create(program->name, MFD_CLOEXEC);
    if (program->said < 0)
        err(EXIT_FAILURE, "cannot make a file in memory");
    pid = fork();
    if (pid == 0)
        become(program, words);
    if (pid < 0)
        err(EXIT_FAILURE, "cannot start %s", program->name);
    program->pid = pid;
}

static bool has_ended(struct program *program)
{
    int status;

    if (program->pid != 0 && waitpid(program->pid, &status, WNOHANG) == program->pid) {
        program->pid = 0;
        program->status =
            WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return program->pid == 0;
}

bool comes_up(struct program *program)
{
    while (!has_said(program, "listening\n")) {
        if (has_ended(program) || !wait_a_moment())
            return false;
    }
    return true;
}

bool comes_to_an_end(struct program *program)
{
    while (!has_ended(program)) {
        if (!wait_a_moment())
            return false;
    }
    return true;
}

void interrupt(struct program *program)
{
    if (program->pid == 0)
        return;
    if (verbose)
        printf(INDENT "ctrl-c ends %s[%d]\n", program->name, program->pid);
    kill(program->pid, SIGINT);
}

static void kill_if_running(struct program *program)
{
    if (program->pid == 0)
        return;
    kill(program->pid, SIGKILL);
    waitpid(program->pid, NULL, 0);
    program->pid = 0;
}

/* One after the other, so that TIME_WAIT is left at one end only. */
void kill_all(void)
{
    kill_if_running(&command);
    kill_if_running(&server1);
    kill_if_running(&server2);
}

static size_t read_said(const struct program *program, char *text)
{
    ssize_t length = pread(program->said, text, MAX_SAID - 1, 0);

    if (length < 0)
        length = 0;
    text[length] = '\0';
    return (size_t)length;
}

bool has_said(const struct program *program, const char *what)
{
    char text[MAX_SAID];

    read_said(program, text);
    return strstr(text, what) != NULL;
}

/* In colour: what libreuse reports, and whether that is good news. */
static const char *colour_of(const char *line)
{
    if (strncmp(line, REPORT, strlen(REPORT)) != 0)
        return "";
    return strstr(line, ": rescued: ") != NULL ? GREEN : RED;
}

/* What the story can do without, but for its tables. */
static bool is_small_talk(const char *line)
{
    return strstr(line, "accepted") != NULL || strcmp(line, "server2: listening") == 0;
}

/* Each line as it is, however long, so that it can be searched for. */
static void show_said_by(struct program *program)
{
    char text[MAX_SAID], *rest = text + program->shown, *line;

    program->shown = read_said(program, text);
    while ((line = strsep(&rest, "\n")) != NULL) {
        if (line[0] != '\0' && (verbose || !is_small_talk(line)))
            printf(INDENT "  %s%s%s\n", paint(stdout, colour_of(line)), line, paint(stdout, PLAIN));
    }
}

void show_said(void)
{
    show_said_by(&server1);
    show_said_by(&server2);
    show_said_by(&command);
}
