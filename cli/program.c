#include "program.h"

#include "output.h"
#include "privilege.h"
#include "shebang.h"
#include "users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel follows so many #! lines for one execve(2); env(1) makes one of its own. */
enum { SCRIPTS_MAX = 5, STEPS_MAX = 16 };

static void set_obstacle(struct program *program, enum obstacle obstacle, char *reason,
                         const char *way_out)
{
    program->obstacle = obstacle;
    program->reason = reason;
    program->way_out = output_format("%s", way_out);
}

/*
 * What execve(2) would say of a path, before it looks into the file: 0 or errno. `is_there` tells
 * whether there is such a file, as far as one can see.
 */
static int execution_error(const char *path, bool *is_there)
{
    struct stat file;
    *is_there = stat(path, &file) == 0;
    if (!*is_there) {
        return errno;
    }
    if (S_ISDIR(file.st_mode)) {
        return EISDIR;
    }
    return !S_ISREG(file.st_mode) || eaccess(path, X_OK) != 0 ? EACCES : 0;
}

/*
 * The file that execvp(3) would execute, as a path with a slash, and 0; or NULL and the errno. A
 * file that may not be executed is the answer, with its errno, where no folder of PATH has another.
 * The caller frees it.
 */
static char *find(const char *name, int *error)
{
    bool is_there;
    *error = ENOENT;
    if (name[0] == '\0') {
        return NULL;
    }
    if (strchr(name, '/') != NULL) {
        *error = execution_error(name, &is_there);
        return is_there || *error == EACCES ? output_format("%s", name) : NULL;
    }
    const char *folders = getenv("PATH");
    folders = folders != NULL ? folders : "/bin:/usr/bin"; /* as glibc's confstr(_CS_PATH) */
    char *refused = NULL;
    int refused_error = ENOENT;
    for (bool is_last = false; !is_last;) {
        const size_t length = strcspn(folders, ":");
        char *path = length > 0 ? output_format("%.*s/%s", (int)length, folders, name)
                                : output_format("./%s", name);
        const int result = execution_error(path, &is_there);
        if (result == 0) {
            free(refused);
            *error = 0;
            return path;
        }
        if (is_there && refused == NULL) {
            refused = path;
            refused_error = result;
        } else {
            free(path);
        }
        is_last = folders[length] == '\0';
        folders += length + 1;
    }
    *error = refused_error;
    return refused;
}

static void add_step(struct program *program, char *path)
{
    if (program->steps == NULL) {
        program->steps = output_allocate(STEPS_MAX, sizeof program->steps[0]);
    }
    program->steps[program->count++] = (struct step){.path = path};
}

static struct step *last_step(const struct program *program)
{
    return &program->steps[program->count - 1];
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

static const char ignores[] = "so the dynamic loader ignores LD_PRELOAD and says nothing";

static void note_set_user_id(struct program *program, uid_t uid)
{
    char *user = user_name(uid);
    const char *path = last_step(program)->path;
    const char *slash = strrchr(path, '/');
    char *way_out = output_format("start it as user %s; or let it start libreuse: %s ... libreuse "
                                  "run SERVER",
                                  user, slash != NULL ? slash + 1 : path);
    set_obstacle(program, OBSTACLE_SET_USER_ID,
                 output_format("is set-user-ID %s, %s", user, ignores), way_out);
    free(way_out);
    free(user);
}

static void note_set_group_id(struct program *program, gid_t gid)
{
    char *group = group_name(gid);
    char *way_out = output_format("start it with %s as the group (setpriv --regid), or take the "
                                  "bit away (chmod g-s)",
                                  group);
    set_obstacle(program, OBSTACLE_SET_GROUP_ID,
                 output_format("is set-group-ID %s, %s", group, ignores), way_out);
    free(way_out);
    free(group);
}

/* What the file carries does not matter to this caller, but would to others. */
static void notice_privilege(struct program *program, const struct privilege *privilege)
{
    if (privilege->set_user_id) {
        char *user = user_name(privilege->uid);
        program->notice =
            output_format("set-user-ID %s: not reached when another user starts it", user);
        free(user);
    } else if (privilege->set_group_id) {
        char *group = group_name(privilege->gid);
        program->notice = output_format("set-group-ID %s: not reached with another group", group);
        free(group);
    } else if (privilege->capabilities) {
        program->notice =
            output_format("file capabilities: not reached when a user other than root starts it");
    }
}

static void examine_privilege(struct program *program, const struct caller *caller)
{
    const char *path = last_step(program)->path;
    struct privilege privilege;
    if (!privilege_of(path, &privilege)) {
        return;
    }
    switch (privilege_on_execution(path, &privilege, caller)) {
    case SECURE_NO:
        notice_privilege(program, &privilege);
        break;
    case SECURE_SET_USER_ID:
        note_set_user_id(program, privilege.uid);
        break;
    case SECURE_SET_GROUP_ID:
        note_set_group_id(program, privilege.gid);
        break;
    case SECURE_CAPABILITIES:
        set_obstacle(program, OBSTACLE_CAPABILITIES,
                     output_format("has file capabilities, %s", ignores),
                     "take them away (setcap -r) and have them given by systemd's "
                     "AmbientCapabilities= or by setpriv --ambient-caps");
        break;
    case SECURE_ALREADY:
        set_obstacle(program, OBSTACLE_OTHER_IDS,
                     output_format("would be started with an effective id that is not the real "
                                   "one, as libreuse has it now, %s",
                                   ignores),
                     "start libreuse with equal ids");
        break;
    }
}

static bool asan_is_content(void)
{
    const char *options = getenv("ASAN_OPTIONS");
    return options != NULL && strstr(options, "verify_asan_link_order=0") != NULL;
}

/* Whether the program has a loader at all, and calls libraries. */
static void examine_linking(struct program *program)
{
    const struct elf *elf = &program->elf;
    if (elf->use == ELF_OTHER || elf->use == ELF_LIBRARY) {
        set_obstacle(program, OBSTACLE_NO_PROGRAM,
                     output_format("is %s, and no program",
                                   elf->use == ELF_LIBRARY ? "a library" : "an object file"),
                     "give the program that uses it");
    } else if (elf->is_go && elf->needed == 0) {
        set_obstacle(program, OBSTACLE_GO,
                     output_format("is a Go program without libc, so a preloaded library sees none "
                                   "of its calls"),
                     "Go's net package sets SO_REUSEADDR on listeners itself; for others, after "
                     "they were stopped: libreuse free PORT");
    } else if (elf->use == ELF_STATIC_PROGRAM) {
        set_obstacle(program, OBSTACLE_STATIC,
                     output_format("is statically linked, so nothing can be preloaded into it"),
                     "link it dynamically; or, after it was stopped: libreuse free PORT");
    } else if (elf->use == ELF_PROGRAM && elf->needed == 0) {
        set_obstacle(program, OBSTACLE_NO_LIBRARIES,
                     output_format("uses no library, so a preloaded one sees none of its calls"),
                     "after it was stopped: libreuse free PORT");
    }
}

static void examine_loader(struct program *program)
{
    const char *loader = program->elf.loader;
    if (loader[0] != '\0' && access(loader, F_OK) != 0) {
        set_obstacle(program, OBSTACLE_NO_LOADER,
                     output_format("needs the dynamic loader %s, which is not there: %s", loader,
                                   strerror(errno)),
                     "install the C library that it was built for");
    } else if (program->elf.needs_asan && !asan_is_content()) {
        set_obstacle(program, OBSTACLE_ASAN,
                     output_format("is built with AddressSanitizer, which ends it when another "
                                   "library comes first"),
                     "set ASAN_OPTIONS=verify_asan_link_order=0");
    }
}

/* "x86-64 and i386": the platforms that there is a library for. The caller frees it. */
static char *platforms(const struct libraries *libraries)
{
    char *list = output_format("%s", "");
    for (size_t i = 0; i < libraries->count; i++) {
        char *longer = output_format("%s%s%s", list, i > 0 ? " and " : "",
                                     platform_name(&libraries->list[i].platform));
        free(list);
        list = longer;
    }
    return list;
}

static void note_other_platform(struct program *program, const struct libraries *libraries)
{
    char *there = platforms(libraries);
    char *here = output_format("%s", platform_name(&program->elf.platform));
    char *way_out = output_format("install the library for %s, too", here);
    set_obstacle(program, OBSTACLE_PLATFORM,
                 output_format("is for %s, and libreuse.so is here for %s only", here, there),
                 way_out);
    free(way_out);
    free(here);
    free(there);
}

static void examine_library(struct program *program, const struct libraries *libraries)
{
    const struct library *of_platform;
    if (libraries->count == 0) {
        set_obstacle(program, OBSTACLE_NO_LIBRARY,
                     output_format("cannot be reached without libreuse.so, which is neither beside "
                                   "this command nor in its library folders"),
                     "install it, or put it beside the command");
        return;
    }
    program->library = libraries_for(libraries, &program->elf, &of_platform);
    if (program->library == NULL && of_platform == NULL) {
        note_other_platform(program, libraries);
    } else if (program->library == NULL) {
        set_obstacle(program, OBSTACLE_C_LIBRARY,
                     output_format("is built for %s, which cannot load %s, built for %s",
                                   c_library_name(program->elf.c_library), of_platform->path,
                                   c_library_name(of_platform->c_library)),
                     "build libreuse.so with the compiler that built the program");
    } else {
        program->preload = library_preload_path(libraries, program->library, &program->elf);
        if (program->preload == NULL) {
            set_obstacle(program, OBSTACLE_LIBRARY_PATH,
                         output_format("cannot be reached: the path %s has a blank, a colon or a $ "
                                       "in it, which LD_PRELOAD cannot express",
                                       program->library->path),
                         "move libreuse to another folder");
        }
    }
}

static void notice_go(struct program *program)
{
    if (program->elf.is_go && program->notice == NULL) {
        program->notice = output_format("a Go program: only its C code is reached; Go's net "
                                        "package sets SO_REUSEADDR on listeners itself");
    }
}

/* Examines what was read of the last step, an ELF file. */
static void examine_elf(struct program *program, const struct libraries *libraries,
                        const struct caller *caller)
{
    program->has_elf = true;
    examine_linking(program);
    if (program->obstacle == OBSTACLE_NONE && caller != NULL) {
        examine_privilege(program, caller);
    }
    if (program->obstacle == OBSTACLE_NONE) {
        examine_loader(program);
    }
    if (program->obstacle == OBSTACLE_NONE) {
        examine_library(program, libraries);
        notice_go(program);
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

void program_examine_for(struct program *program, const char *name,
                         const struct libraries *libraries, const struct caller *caller)
{
    *program = (struct program){0};
    struct next next = {{0}, true};
    char *wanted = output_format("%s", name);
    unsigned int scripts = 0;
    while (program->obstacle == OBSTACLE_NONE && !program->has_elf) {
        int error;
        char *path = find(wanted, &error);
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
    free(program->preload);
    *program = (struct program){0};
}

const char *program_obstacle_name(enum obstacle obstacle)
{
    static const char *const names[] = {
        [OBSTACLE_NONE] = "none",
        [OBSTACLE_NOT_FOUND] = "not-found",
        [OBSTACLE_NOT_EXECUTABLE] = "not-executable",
        [OBSTACLE_UNREADABLE] = "unreadable",
        [OBSTACLE_NO_PROGRAM] = "no-program",
        [OBSTACLE_DAMAGED] = "damaged",
        [OBSTACLE_NO_INTERPRETER] = "no-interpreter",
        [OBSTACLE_ENVIRONMENT] = "environment",
        [OBSTACLE_STATIC] = "static",
        [OBSTACLE_GO] = "go",
        [OBSTACLE_NO_LIBRARIES] = "no-libraries",
        [OBSTACLE_SET_USER_ID] = "set-user-id",
        [OBSTACLE_SET_GROUP_ID] = "set-group-id",
        [OBSTACLE_CAPABILITIES] = "file-capabilities",
        [OBSTACLE_OTHER_IDS] = "other-ids",
        [OBSTACLE_NO_LOADER] = "no-loader",
        [OBSTACLE_ASAN] = "address-sanitizer",
        [OBSTACLE_NO_LIBRARY] = "no-library",
        [OBSTACLE_PLATFORM] = "platform",
        [OBSTACLE_C_LIBRARY] = "c-library",
        [OBSTACLE_LIBRARY_PATH] = "library-path",
    };
    return names[obstacle];
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
