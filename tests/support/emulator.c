#include "emulator.h"

#include "not_emulated.h"
#include "process.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef EMULATOR

static const char *const emulator[] = {EMULATOR};

enum { EMULATOR_WORDS = sizeof emulator / sizeof emulator[0], MOST_WORDS = 32 };

/* The beginning of an ELF file, which is the same for 32 and 64 bits. */
struct beginning {
    unsigned char identification[EI_NIDENT];
    uint16_t type;
    uint16_t machine;
};

static bool read_beginning(const char *path, struct beginning *beginning)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const bool whole = fd >= 0 && read(fd, beginning, sizeof *beginning) == sizeof *beginning;
    close(fd);
    return whole && memcmp(beginning->identification, ELFMAG, SELFMAG) == 0;
}

static bool is_foreign(const char *path)
{
    struct beginning own;
    struct beginning program;
    return read_beginning("/proc/self/exe", &own) && read_beginning(path, &program) &&
           program.machine != own.machine;
}

/*
 * The name of a process, which the reports of others show, is that of the file which was executed:
 * so the emulator gets a name like the program's.
 */
static void execute_as(const char *name, const char *const words[])
{
    char link[4096];
    snprintf(link, sizeof link, BUILD_FOLDER "/emulator/%s", name);
    if (symlink(emulator[0], link) == 0 || errno == EEXIST) {
        execv(link, (char *const *)words);
    }
}

/* The emulator is a program of this machine: LD_PRELOAD is for the program that it runs alone. */
static void emulate(const char *path, const char *const arguments[])
{
    const char *words[MOST_WORDS] = {NULL};
    char preload[4096];
    size_t count = 0;
    while (count < EMULATOR_WORDS) {
        words[count] = emulator[count];
        count++;
    }
    if (getenv("LD_PRELOAD") != NULL) {
        snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
        unsetenv("LD_PRELOAD");
        words[count++] = "-E";
        words[count++] = preload;
    }
    words[count++] = "-0";
    words[count++] = arguments[0];
    words[count++] = path;
    for (size_t i = 1; arguments[i] != NULL && count < MOST_WORDS - 1; i++) {
        words[count++] = arguments[i];
    }
    execute_as(strrchr(path, '/') + 1, words);
}

void execute(const char *path, const char *const arguments[])
{
    if (is_foreign(path)) {
        emulate(path, arguments);
    } else {
        execv(path, (char *const *)arguments);
    }
}

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    struct beginning library;
    const bool big_endian =
        read_beginning(SHIM_PATH, &library) && library.identification[EI_DATA] == ELFDATA2MSB;
    FOREACH_SET(struct criterion_suite_set * suite, tests->suites)
    {
        if (suite->tests == NULL) {
            continue;
        }
        FOREACH_SET(struct criterion_test * test, suite->tests)
        {
            if (announce_not_emulated(test->category, test->name, big_endian)) {
                test->data->disabled = true;
            }
        }
    }
}

#else

void execute(const char *path, const char *const arguments[])
{
    execv(path, (char *const *)arguments);
}

#endif
