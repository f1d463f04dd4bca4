#include "guards.h"

#include "control_group.h"
#include "guard_programs.h"
#include "terminal/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#define BPF_FILES "/sys/fs/bpf"

/* BPF_FS_MAGIC of <linux/magic.h>. */
static const unsigned long bpf_files = 0xcafe4a11;

/* The first that lets a program of a control group set SO_REUSEADDR. */
enum { MAJOR = 6, MINOR = 1 };

static const char *const map_names[GUARD_MAPS] = {
    [GUARD_PORTS] = "ports", [GUARD_TURNS] = "turns", [GUARD_COUNTS] = "counts"};

bool guards_fit_the_kernel(void)
{
    struct utsname name;
    int major = 0;
    int minor = 0;
    uname(&name);
    sscanf(name.release, "%d.%d", &major, &minor);
    return major > MAJOR || (major == MAJOR && minor >= MINOR);
}

bool guards_are_possible(char **why)
{
    struct utsname name;
    struct statfs files;
    *why = NULL;
    uname(&name);
    if (!guards_fit_the_kernel()) {
        *why = output_format("this kernel, %s, lets no BPF program set SO_REUSEADDR: that needs "
                             "Linux %d.%d; what a preload reaches: libreuse run, libreuse enable",
                             name.release, MAJOR, MINOR);
    } else if (geteuid() != 0) {
        *why = output_format("only root (CAP_BPF, CAP_NET_ADMIN) may do this: run it as root");
    } else if (statfs(BPF_FILES, &files) != 0 || (unsigned long)files.f_type != bpf_files) {
        *why = output_format("no BPF file system is mounted at " BPF_FILES ", where guards live "
                             "on; run: mount -t bpf bpf " BPF_FILES);
    } else {
        char *mount = control_groups_mount();
        if (mount == NULL) {
            *why = output_format("no cgroup2 file system is mounted, and BPF programs go with no "
                                 "other control groups; run: mkdir -p /sys/fs/cgroup/unified && "
                                 "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified");
        }
        free(mount);
    }
    return *why == NULL;
}

/* A name as it can stand in the BPF file system, which takes no '.' and no '/'. */
static char *escape(const char *name)
{
    char *text = output_allocate(3 * strlen(name) + 1, 1);
    for (char *to = text; *name != '\0'; name++) {
        if (strchr("%./", *name) != NULL) {
            to += sprintf(to, "%%%02x", (unsigned char)*name);
        } else {
            *to++ = *name;
        }
    }
    return text;
}

static char *unescape(const char *text)
{
    char *name = output_allocate(strlen(text) + 1, 1);
    for (char *to = name; *text != '\0'; text++) {
        unsigned int byte;
        if (*text == '%' && sscanf(text + 1, "%2x", &byte) == 1) {
            *to++ = (char)byte;
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    return name;
}

static char *folder_of(const char *name)
{
    char *escaped = escape(name);
    char *folder = output_format(GUARDS_FOLDER "/%s", escaped);
    free(escaped);
    return folder;
}

static char *path_of(const char *folder, const char *file)
{
    return output_format("%s/%s", folder, file);
}

/* Where everybody may make folders, as in a BPF file system with mode 1777, it may be a stranger's.
 */
static bool is_ours(const char *folder)
{
    struct stat status;
    return lstat(folder, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
           (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static bool make_folder(const char *folder, char **why)
{
    if (mkdir(folder, S_IRWXU) != 0 && errno != EEXIST) {
        *why = output_format("%s: cannot be made: %s", folder, strerror(errno));
    } else if (!is_ours(folder)) {
        *why = output_format("%s: belongs to somebody else, or others may write to it; remove it, "
                             "and see who made it",
                             folder);
    }
    return *why == NULL;
}

static int open_pinned(const char *folder, const char *file)
{
    char *path = path_of(folder, file);
    const int fd = bpf_open_pinned(path);
    const int error = errno;
    free(path);
    errno = error;
    return fd;
}

/* Pins it in place of what was there. */
static bool pin_instead(int fd, const char *folder, const char *file)
{
    char *path = path_of(folder, file);
    unlink(path);
    const bool done = bpf_pin(fd, path);
    const int error = errno;
    free(path);
    errno = error;
    return done;
}

/* Opens the map that is there, or else makes it. */
static int have_map(const char *folder, enum guard_map map)
{
    int fd = open_pinned(folder, map_names[map]);
    if (fd >= 0 && guard_map_fits(map, fd)) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    fd = guard_map_create(map);
    if (fd >= 0 && map == GUARD_COUNTS) {
        const struct guard_counts counts = {.since = (uint64_t)time(NULL)};
        bpf_map_update(fd, &(uint32_t){0}, &counts, BPF_ANY);
    }
    if (fd >= 0 && !pin_instead(fd, folder, map_names[map])) {
        const int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

/* Why the kernel does not take a program. */
static char *explain_load(enum guard_program program, const char *log)
{
    return errno == EPERM
               ? output_format("the kernel refuses BPF programs (EPERM): that needs CAP_BPF and "
                               "CAP_NET_ADMIN of the host; in a container, run it on the host")
               : output_format("the kernel does not load %s: %s%s%s", guard_program_name(program),
                               strerror(errno), log != NULL && log[0] != '\0' ? ": " : "",
                               log != NULL ? log : "");
}

static char *explain_link(const char *group)
{
    return errno == EPERM
               ? output_format("%s: a BPF program there, or at a group above it, bears no other "
                               "beside it (it was attached without BPF_F_ALLOW_MULTI); see: "
                               "bpftool cgroup tree",
                               group)
               : output_format("%s: no BPF program can be attached: %s", group, strerror(errno));
}

static bool place(enum guard_program program, const char *folder, const int *maps, int group_fd,
                  const char *group, char **why)
{
    char *log;
    const int fd = guard_program_load(program, maps, &log);
    if (fd < 0) {
        *why = explain_load(program, log);
        free(log);
        return false;
    }
    free(log);
    const int link = bpf_cgroup_link(fd, group_fd, guard_program_place(program));
    if (link < 0) {
        *why = explain_link(group);
    } else if (!pin_instead(link, folder, guard_program_name(program))) {
        *why = output_format("%s: cannot be pinned: %s", folder, strerror(errno));
    }
    if (link >= 0) {
        close(link);
    }
    close(fd);
    return *why == NULL;
}

static bool place_all(const char *folder, int group_fd, const char *group, char **why)
{
    int maps[GUARD_MAPS];
    int opened = 0;
    while (opened < GUARD_MAPS && (maps[opened] = have_map(folder, (enum guard_map)opened)) >= 0) {
        opened++;
    }
    if (opened < GUARD_MAPS) {
        *why = errno == EPERM
                   ? explain_load(GUARD_LISTEN, NULL)
                   : output_format("the kernel does not make a BPF map: %s", strerror(errno));
    }
    for (int i = 0; i < GUARD_PROGRAMS && *why == NULL; i++) {
        place((enum guard_program)i, folder, maps, group_fd, group, why);
    }
    while (opened > 0) {
        close(maps[--opened]);
    }
    return *why == NULL;
}

bool guard_attach(const char *name, const char *group, char **why)
{
    *why = NULL;
    const int group_fd = control_group_open(group);
    if (group_fd < 0) {
        *why = output_format("%s: there is no such control group: %s", group, strerror(errno));
        return false;
    }
    char *folder = folder_of(name);
    const bool is_new = access(folder, F_OK) != 0;
    if (make_folder(GUARDS_FOLDER, why) && make_folder(folder, why)) {
        /* Two that put it on at the same time do it one after the other. */
        const int lock = open(GUARDS_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        flock(lock, LOCK_EX);
        place_all(folder, group_fd, group, why);
        close(lock);
        if (*why != NULL && is_new) {
            guard_remove(name);
        }
    }
    free(folder);
    close(group_fd);
    return *why == NULL;
}

bool guard_is_there(const char *name)
{
    char *folder = folder_of(name);
    const bool is_there = access(folder, F_OK) == 0;
    free(folder);
    return is_there;
}

bool guard_remove(const char *name)
{
    char *folder = folder_of(name);
    DIR *entries = opendir(folder);
    bool done = entries != NULL;
    for (const struct dirent *entry; done && (entry = readdir(entries)) != NULL;) {
        if (entry->d_name[0] != '.') {
            unlinkat(dirfd(entries), entry->d_name, 0);
        }
    }
    if (entries != NULL) {
        closedir(entries);
        done = rmdir(folder) == 0;
        rmdir(GUARDS_FOLDER); /* fails where there are others, as it should */
    }
    free(folder);
    return done;
}

bool guard_note(const char *name, const struct guard_port *port)
{
    char *folder = folder_of(name);
    const int map = open_pinned(folder, map_names[GUARD_PORTS]);
    free(folder);
    if (map < 0) {
        return false;
    }
    const struct guard_noted noted = {0};
    const bool done = bpf_map_update(map, port, &noted, BPF_NOEXIST) || errno == EEXIST;
    close(map);
    return done;
}

/* The group that a program is on. NULL where that is gone, or the program. The caller frees it. */
static char *group_of(const char *folder, enum guard_program program, bool *is_there)
{
    struct bpf_link_info info = {0};
    const int link = open_pinned(folder, guard_program_name(program));
    *is_there = link >= 0;
    char *group = NULL;
    if (link >= 0 && bpf_describe(link, &info, sizeof info) && info.cgroup.cgroup_id != 0) {
        group = control_group_by_id(info.cgroup.cgroup_id);
    }
    if (link >= 0) {
        close(link);
    }
    return group;
}

static struct guard examine(const char *entry)
{
    struct guard guard = {.name = unescape(entry), .is_whole = true};
    char *folder = output_format(GUARDS_FOLDER "/%s", entry);
    for (int i = 0; i < GUARD_PROGRAMS; i++) {
        bool is_there;
        char *group = group_of(folder, (enum guard_program)i, &is_there);
        guard.is_whole = guard.is_whole && is_there;
        if (guard.group == NULL) {
            guard.group = group;
        } else {
            free(group);
        }
    }
    const int counts = open_pinned(folder, map_names[GUARD_COUNTS]);
    if (counts >= 0) {
        bpf_map_lookup(counts, &(uint32_t){0}, &guard.counts);
        close(counts);
    }
    free(folder);
    return guard;
}

static int compare(const void *one, const void *other)
{
    return strcmp(((const struct guard *)one)->name, ((const struct guard *)other)->name);
}

struct guard *guards_list(size_t *count)
{
    struct guard *guards = output_allocate(1, sizeof *guards);
    *count = 0;
    DIR *folder = opendir(GUARDS_FOLDER);
    if (folder == NULL && errno != ENOENT) {
        free(guards);
        return NULL;
    }
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] != '.') {
            guards = output_reallocate(guards, *count + 1, sizeof *guards);
            guards[(*count)++] = examine(entry->d_name);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    qsort(guards, *count, sizeof *guards, compare);
    return guards;
}

void guards_free(struct guard *guards, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(guards[i].name);
        free(guards[i].group);
    }
    free(guards);
}

static bool is_at_or_below(const char *group, const char *above)
{
    const size_t length = strcmp(above, "/") == 0 ? 0 : strlen(above);
    return strncmp(group, above, length) == 0 && (group[length] == '/' || group[length] == '\0');
}

const struct guard *guards_over(const struct guard *guards, size_t count, const char *group)
{
    for (size_t i = 0; i < count; i++) {
        if (guards[i].group != NULL && guards[i].is_whole &&
            is_at_or_below(group, guards[i].group)) {
            return &guards[i];
        }
    }
    return NULL;
}

const struct guard *guards_over_process(const struct guard *guards, size_t count, int pid)
{
    char *group = count > 0 ? control_group_of(pid) : NULL;
    const struct guard *over = group != NULL ? guards_over(guards, count, group) : NULL;
    free(group);
    return over;
}
