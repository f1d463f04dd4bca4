#include "reach.h"

#include "kernel/guards.h"
#include "privilege.h"
#include "terminal/output.h"
#include "terminal/text.h"
#include "terminal/users.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Whether the program can be run as it is, and no preload is in it then. */
static bool runs_past_a_preload(enum obstacle obstacle)
{
    switch (obstacle) {
    case OBSTACLE_STATIC:
    case OBSTACLE_GO:
    case OBSTACLE_NO_LIBRARIES:
    case OBSTACLE_SET_USER_ID:
    case OBSTACLE_SET_GROUP_ID:
    case OBSTACLE_CAPABILITIES:
    case OBSTACLE_OTHER_IDS:
    case OBSTACLE_ASAN:
    case OBSTACLE_PLATFORM:
    case OBSTACLE_C_LIBRARY:
        return true;
    default:
        return false;
    }
}

void set_obstacle(struct program *program, enum obstacle obstacle, char *reason,
                  const char *way_out)
{
    const bool has_guard = runs_past_a_preload(obstacle) && guards_fit_the_kernel();
    program->obstacle = obstacle;
    program->reason = reason;
    program->way_out = output_format(
        "%s%s", way_out, has_guard ? "; or without a preload: libreuse guard on UNIT" : "");
}

struct step *last_step(const struct program *program)
{
    return &program->steps[program->count - 1];
}

static const char ignores[] = "so the dynamic loader ignores LD_PRELOAD and says nothing";

static void note_set_user_id(struct program *program, uid_t uid)
{
    char *user = user_name(uid);
    char *way_out = output_format("start it as user %s; or let it start libreuse: %s ... libreuse "
                                  "run SERVER",
                                  user, file_name(last_step(program)->path));
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

void examine_elf(struct program *program, const struct libraries *libraries,
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
