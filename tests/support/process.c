#include "process.h"

#include "deadline.h"
#include "emulator.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The exit status of a child that could not become the program; a shell uses the same. */
#define CANNOT_START 127

static void forget_settings_of_the_tester(void)
{
    unsetenv("LD_PRELOAD");
    for (char **entry = environ; *entry != NULL;) {
        char name[64];
        size_t length = strcspn(*entry, "=");
        if (strncmp(*entry, "LIBREUSE_", strlen("LIBREUSE_")) == 0 && length < sizeof name) {
            memcpy(name, *entry, length);
            name[length] = '\0';
            unsetenv(name);
            entry = environ;
        } else {
            entry++;
        }
    }
}

static void set_environment(const struct program *program)
{
    forget_settings_of_the_tester();
    const char *libraries[] = {program->preloaded_first,
                               program->shim == WITH_SHIM ? SHIM_PATH : NULL,
                               program->preloaded_last};
    char preload[4096] = "";
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        if (libraries[i] != NULL) {
            size_t used = strlen(preload);
            snprintf(preload + used, sizeof preload - used, "%s%s", used > 0 ? ":" : "",
                     libraries[i]);
        }
    }
    if (preload[0] != '\0') {
        setenv("LD_PRELOAD", preload, 1);
    }
    for (size_t i = 0; program->settings[i] != NULL; i++) {
        char *setting = strdup(program->settings[i]);
        if (setting == NULL || putenv(setting) != 0) {
            _exit(CANNOT_START);
        }
    }
}

/* The test runner's own descriptors need not all be close-on-exec. */
static void close_all_but(int inherited)
{
    const int more_than_any = 256;
    for (int fd = 3; fd < more_than_any; fd++) {
        if (fd != inherited) {
            close(fd);
        }
    }
}

static bool set_descriptors(const struct program *program, int output, int errors)
{
    int input = program->input != 0 ? program->input : open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (dup2(input, 0) < 0 || dup2(output, 1) < 0) {
        return false;
    }
    bool done = program->errors_closed ? close(2) == 0 : dup2(errors, 2) == 2;
    close_all_but(program->inherited);
    return done;
}

/* A shell starts what runs in the background with SIGINT ignored, and that is inherited. */
static void take_signals_as_usual(void)
{
    sigset_t none;
    for (int signal_number = 1; signal_number < NSIG; signal_number++) {
        signal(signal_number, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void enter_group(const char *group)
{
    if (group != NULL) {
        const int fd = open(group, O_WRONLY | O_CLOEXEC);
        if (write(fd, "0", 1) != 1) { /* the process that writes it */
            _exit(CANNOT_START);
        }
        close(fd);
    }
}

static void become(const struct program *program, pid_t parent, int output, int errors)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) {
        _exit(CANNOT_START);
    }
    enter_group(program->group);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    take_signals_as_usual();
    set_environment(program);
    const char *arguments[10] = {program->title != NULL ? program->title : program->path};
    for (size_t i = 0; program->arguments[i] != NULL; i++) {
        arguments[i + 1] = program->arguments[i];
    }
    if (set_descriptors(program, output, errors)) {
        execute(program->path, arguments);
    }
    _exit(CANNOT_START);
}

/* What a test has started and not yet seen the end of: it is ended with the test. */
static pid_t running[256];
static size_t running_count;

static void end_all(void)
{
    for (size_t i = 0; i < running_count; i++) {
        kill(running[i], SIGKILL);
        waitpid(running[i], NULL, 0);
    }
}

/* Those for which a test has waited by itself are no children any more. */
static void forget_ended(void)
{
    size_t kept = 0;
    for (size_t i = 0; i < running_count; i++) {
        siginfo_t info;
        if (waitid(P_PID, (id_t)running[i], &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
            running[kept++] = running[i];
        }
    }
    running_count = kept;
}

static void remember(pid_t pid)
{
    static bool registered;
    if (!registered) {
        registered = atexit(end_all) == 0;
    }
    if (running_count == sizeof running / sizeof running[0]) {
        forget_ended();
    }
    cr_assert_lt(running_count, sizeof running / sizeof running[0], "too many processes");
    running[running_count++] = pid;
}

/* The number of a process that was waited for may be somebody else's by now. */
static void forget(pid_t pid)
{
    for (size_t i = 0; i < running_count; i++) {
        if (running[i] == pid) {
            running[i] = running[--running_count];
            return;
        }
    }
}

static int new_capture(const char *name)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    cr_assert_geq(fd, 0, "memfd_create: %s", strerror(errno));
    cr_assert_eq(fcntl(fd, F_SETFL, O_APPEND), 0, "O_APPEND: %s", strerror(errno));
    return fd;
}

static void expect_readable(const char *path)
{
    cr_assert(path == NULL || access(path, R_OK) == 0, "%s: %s; build it first", path,
              strerror(errno));
}

struct process start(struct program program)
{
    /* The loader goes on without a library that is missing: then a test would prove nothing. */
    expect_readable(program.path);
    expect_readable(program.preloaded_first);
    expect_readable(program.preloaded_last);
    expect_readable(program.shim == WITH_SHIM ? SHIM_PATH : NULL);

    struct process process = {.name = strrchr(program.path, '/') + 1,
                              .output = new_capture("output"),
                              .errors = new_capture("errors")};
    pid_t parent = getpid();
    process.pid = fork();
    cr_assert_geq(process.pid, 0, "fork: %s", strerror(errno));
    if (process.pid == 0) {
        become(&program, parent, process.output,
               program.errors != 0 ? program.errors : process.errors);
    }
    remember(process.pid);
    return process;
}

bool has_ended(struct process *process)
{
    if (!process->ended) {
        pid_t pid = waitpid(process->pid, &process->status, WNOHANG);
        cr_assert_geq(pid, 0, "waitpid: %s", strerror(errno));
        process->ended = pid == process->pid;
        if (process->ended) {
            forget(pid);
        }
    }
    return process->ended;
}

static void expect_status(struct process *process, bool expected, const char *expectation,
                          int number)
{
    cr_assert(
        expected, "%s should have ended with %s %d, but %s %d; it wrote:\n%s%s", process->name,
        expectation, number, WIFSIGNALED(process->status) ? "was killed by signal" : "returned",
        WIFSIGNALED(process->status) ? WTERMSIG(process->status) : WEXITSTATUS(process->status),
        output_of(process), errors_of(process));
}

void expect_exit(struct process *process, int code)
{
    EVENTUALLY(has_ended(process));
    expect_status(process, WIFEXITED(process->status) && WEXITSTATUS(process->status) == code,
                  "status", code);
}

void end_by_signal(struct process *process, int signal_number)
{
    cr_assert(!has_ended(process), "%s ended on its own; it wrote:\n%s", process->name,
              errors_of(process));
    kill(process->pid, signal_number);
    EVENTUALLY(has_ended(process));
    expect_status(process,
                  WIFSIGNALED(process->status) && WTERMSIG(process->status) == signal_number,
                  "signal", signal_number);
}

struct process run(struct program program)
{
    struct process process = start(program);
    expect_exit(&process, 0);
    return process;
}

char *content_of(int fd)
{
    size_t size = 0;
    size_t room = 4096;
    char *text = malloc(room);
    while (text != NULL) {
        ssize_t got = pread(fd, text + size, room - size - 1, (off_t)size);
        cr_assert_geq(got, 0, "pread: %s", strerror(errno));
        if (got == 0) {
            text[size] = '\0';
            return text;
        }
        size += (size_t)got;
        if (size + 1 == room) {
            room *= 2;
            text = realloc(text, room);
        }
    }
    cr_assert_fail("no memory for what a program wrote");
    return NULL;
}

char *output_of(const struct process *process)
{
    return content_of(process->output);
}

char *errors_of(const struct process *process)
{
    return content_of(process->errors);
}
