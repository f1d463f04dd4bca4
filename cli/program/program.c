#include "program.h"

#include "extensions.h"
#include "reach.h"
#include "script_target.h"
#include "search.h"
#include "shebang.h"
#include "terminal/output.h"
#include "terminal/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel follows so many #! lines for one execve(2); env(1) makes one of its own. */
enum { SCRIPTS_MAX = 5, STEPS_MAX = 16 };

static void add_step(struct program *program, char *path)
{
    if (program->steps == NULL) {
        program->steps = output_allocate(STEPS_MAX, sizeof program->steps[0]);
    }
    program->steps[program->count++] = (struct step){.path = path};
}

static void note_not_found(struct program *program, const char *name, int error)
{
    if (program->count > 0) {
        const char *carriage = strchr(name, '\r');
        set_obstacle(
            program, OBSTACLE_NO_INTERPRETER,
            output_format("is a script for %s, which is not there: %s", name, strerror(error)),
            carriage != NULL ? "take the carriage returns out of the script's lines"
                             : "install that, or change the script's first line");
    } else if (name[0] == '\0') {
        set_obstacle(program, OBSTACLE_NOT_FOUND, output_format("has an empty name"),
                     "give its name or path");
    } else if (strchr(name, '/') != NULL) {
        set_obstacle(program, OBSTACLE_NOT_FOUND,
                     output_format("is not there: %s", strerror(error)), "check the path");
    } else {
        set_obstacle(program, OBSTACLE_NOT_FOUND, output_format("is in no folder of PATH"),
                     "give its path, or set PATH");
    }
}

static void note_not_executable(struct program *program, int error)
{
    if (error == EISDIR) {
        set_obstacle(program, OBSTACLE_NOT_EXECUTABLE, output_format("is a folder"),
                     "give a program that is in it");
    } else if (error == EACCES) {
        set_obstacle(program, OBSTACLE_NOT_EXECUTABLE,
                     output_format("may not be executed: %s", strerror(error)),
                     "look at its mode (chmod +x), at the folders above it, and whether the volume "
                     "is mounted noexec");
    } else {
        set_obstacle(program, OBSTACLE_NOT_EXECUTABLE,
                     output_format("cannot be executed: %s", strerror(error)), "check the path");
    }
}

static void note_read_error(struct program *program, int error)
{
    if (error == EACCES) {
        set_obstacle(program, OBSTACLE_UNREADABLE,
                     output_format("may be executed but not read, so it cannot be examined"),
                     "run this as a user who may read it");
    } else {
        set_obstacle(program, OBSTACLE_UNREADABLE,
                     output_format("cannot be read: %s", strerror(error)),
                     "look at the system's log");
    }
}

/* The first bytes are text, as far as a shell would look: no NUL in the first line. */
static bool looks_like_text(const char *bytes, size_t length)
{
    const char *newline = memchr(bytes, '\n', length);
    const size_t line = newline != NULL ? (size_t)(newline - bytes) : length;
    return memchr(bytes, '\0', line) == NULL;
}

/* What is to be examined next, after a script. */
struct next {
    char name[SHEBANG_SIZE]; /* empty: the examination is over */
    bool is_new_execution;   /* env(1) executes it, not the kernel */
};

/* Examines the last step, which is not ELF. */
static void examine_script(struct program *program, int fd, struct next *next)
{
    char bytes[SHEBANG_SIZE];
    const ssize_t length = pread(fd, bytes, sizeof bytes, 0);
    struct shebang shebang;
    struct shebang_env env;
    next->is_new_execution = false;
    if (length < 0) {
        note_read_error(program, errno);
    } else if (!looks_like_text(bytes, (size_t)length)) {
        set_obstacle(program, OBSTACLE_NO_PROGRAM,
                     output_format("is neither an ELF program nor a script"), "give a program");
    } else if (!shebang_parse(bytes, (size_t)length, &shebang)) {
        last_step(program)->line = output_format("%s", "");
        strcpy(next->name, "/bin/sh"); /* as execvp(3) does */
    } else {
        last_step(program)->line =
            output_format("%s%s%s", shebang.interpreter, shebang.argument[0] != '\0' ? " " : "",
                          shebang.argument);
        strcpy(next->name, shebang.interpreter);
        if (shebang_is_env(&shebang, &env) && access(shebang.interpreter, X_OK) == 0) {
            next->is_new_execution = true;
            strcpy(next->name, env.command);
            if (env.drops_preload) {
                set_obstacle(program, OBSTACLE_ENVIRONMENT,
                             output_format("is a script whose first line drops LD_PRELOAD: #!%s",
                                           last_step(program)->line),
                             "change that line");
            } else if (env.command[0] == '\0') {
                set_obstacle(program, OBSTACLE_NO_INTERPRETER,
                             output_format("is a script for env, which is given no program"),
                             "change its first line");
            }
        }
    }
}

/*
 * Reads one file: an ELF file ends the examination, a script names the next one. Without a caller
 * it is running already.
 */
static void examine_file(struct program *program, const char *file,
                         const struct libraries *libraries, const struct caller *caller,
                         struct next *next)
{
    const int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        note_read_error(program, errno);
        return;
    }
    switch (elf_read(fd, &program->elf)) {
    case ELF_READ:
        examine_elf(program, libraries, caller);
        break;
    case ELF_NOT_ELF:
        examine_script(program, fd, next);
        break;
    case ELF_DAMAGED:
        set_obstacle(program, OBSTACLE_DAMAGED,
                     output_format("is a damaged ELF file, which the kernel does not execute"),
                     "install it again");
        break;
    case ELF_ERROR:
        note_read_error(program, errno);
        break;
    }
    close(fd);
}

/* Follows a name from script to script to an ELF file, and examines that. */
static void examine(struct program *program, const char *name, const struct libraries *libraries,
                    const struct caller *caller)
{
    *program = (struct program){0};
    struct next next = {{0}, true};
    char *wanted = output_format("%s", name);
    unsigned int scripts = 0;
    while (program->obstacle == OBSTACLE_NONE && !program->has_elf) {
        int error;
        char *path = search_program(wanted, &error);
        if (path == NULL) {
            note_not_found(program, wanted, error);
            break;
        }
        scripts = next.is_new_execution ? 0 : scripts + 1;
        if (scripts > SCRIPTS_MAX || program->count == STEPS_MAX) {
            free(path);
            set_obstacle(program, OBSTACLE_NO_INTERPRETER,
                         output_format("is a script for a script for a script, too often"),
                         "change its first line");
            break;
        }
        add_step(program, path);
        if (error != 0) {
            note_not_executable(program, error);
            break;
        }
        next.name[0] = '\0';
        examine_file(program, path, libraries, caller, &next);
        free(wanted);
        wanted = output_format("%s", next.name);
    }
    free(wanted);
}

/* The text of a script, as much of it as there is in any that a person wrote. */
static char *read_script(const char *path, size_t *length)
{
    enum { SCRIPT_SIZE = 256 * 1024 };
    char *text = output_allocate(SCRIPT_SIZE, 1);
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const ssize_t got = fd >= 0 ? read(fd, text, SCRIPT_SIZE) : 0;
    *length = got > 0 ? (size_t)got : 0;
    if (fd >= 0) {
        close(fd);
    }
    return text;
}

static bool is_shell(const char *path)
{
    static const char *const shells[] = {"sh",  "dash", "bash", "ash",
                                         "ksh", "mksh", "zsh",  "busybox"};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(file_name(path), shells[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* It is the interpreter of a script that is reached. What the script becomes is another question.
 */
static void look_into_script(struct program *program, const struct libraries *libraries,
                             const struct caller *caller)
{
    size_t length;
    size_t line = 0;
    const char *interpreter = last_step(program)->path;
    char *text = read_script(program->steps[0].path, &length);
    char *name = is_shell(interpreter) ? script_target(text, length, &line) : NULL;
    struct program target = {0};
    if (name != NULL) {
        examine(&target, name, libraries, caller);
    }
    if (name != NULL && target.obstacle != OBSTACLE_NONE) {
        char *reason = program_reason(&target, name);
        program->warning = output_format("%s, which is reached, executes in line %zu %s; %s",
                                         interpreter, line, reason, target.way_out);
        free(reason);
    } else if (program->notice == NULL) {
        program->notice =
            name != NULL
                ? output_format("a script: %s is reached, and %s, which it executes in line "
                                "%zu",
                                interpreter, name, line)
                : output_format("a script: %s is reached; of the programs that it starts, "
                                "those that a preload can reach",
                                interpreter);
    }
    program_free(&target);
    free(name);
    free(text);
}

void program_examine_for(struct program *program, const char *name,
                         const struct libraries *libraries, const struct caller *caller)
{
    examine(program, name, libraries, caller);
    if (program->obstacle != OBSTACLE_NONE) {
        return;
    }
    char *extensions = extensions_that_bind(last_step(program)->path);
    if (extensions != NULL) {
        program->warning = output_format("PHP opens its extensions with RTLD_DEEPBIND, past every "
                                         "preload: what these bind is not reached: %s; libreuse "
                                         "guard reaches it",
                                         extensions);
    } else if (program->count > 1) {
        look_into_script(program, libraries, caller);
    }
    free(extensions);
}

void program_examine(struct program *program, const char *name, const struct libraries *libraries)
{
    struct caller self;
    privilege_of_self(&self);
    program_examine_for(program, name, libraries, &self);
}

void program_examine_file(struct program *program, const char *file, const char *name,
                          const struct libraries *libraries)
{
    *program = (struct program){0};
    struct next ignored = {{0}, false};
    add_step(program, output_format("%s", name));
    examine_file(program, file, libraries, NULL, &ignored);
}

void program_free(struct program *program)
{
    for (size_t i = 0; i < program->count; i++) {
        free(program->steps[i].path);
        free(program->steps[i].line);
    }
    free(program->steps);
    free(program->reason);
    free(program->way_out);
    free(program->notice);
    free(program->warning);
    free(program->preload);
    *program = (struct program){0};
}

char *program_reason(const struct program *program, const char *name)
{
    const char *reason = program->reason;
    if (program->count > 1 && strncmp(reason, "is a script", 11) != 0) {
        return output_format("%s: is a script for %s, which %s", name, last_step(program)->path,
                             reason);
    }
    return output_format("%s: %s", name, reason);
}
