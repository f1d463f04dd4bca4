#include "processes.h"

#include "guest/kernel.h"
#include "script.h"
#include "terminal/output.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct search {
    struct processes *processes;
    const uint64_t *inodes;
    size_t count;
};

static int compare_inodes(const void *one, const void *other)
{
    const uint64_t a = *(const uint64_t *)one;
    const uint64_t b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

static int compare_users(const void *one, const void *other)
{
    const struct user *a = one;
    const struct user *b = other;
    if (a->inode != b->inode) {
        return a->inode < b->inode ? -1 : 1;
    }
    return a->pid != b->pid ? (a->pid > b->pid) - (a->pid < b->pid)
                            : (a->fd > b->fd) - (a->fd < b->fd);
}

static void add(struct processes *processes, struct user user)
{
    if (processes->count == processes->room) {
        const size_t room = processes->room > 0 ? processes->room * 2 : 64;
        struct user *larger = output_allocate(room, sizeof *larger);
        if (processes->count > 0) {
            memcpy(larger, processes->users, processes->count * sizeof *larger);
        }
        free(processes->users);
        processes->users = larger;
        processes->room = room;
    }
    processes->users[processes->count++] = user;
}

static void add_forbidden(struct processes *processes, int pid)
{
    processes->forbidden = output_reallocate(processes->forbidden, processes->forbidden_count + 1,
                                             sizeof processes->forbidden[0]);
    processes->forbidden[processes->forbidden_count++] = pid;
}

/* The number that a name is; -1 where it is none. */
static int number_of(const char *name)
{
    char *end;
    if (!isdigit((unsigned char)name[0])) {
        return -1;
    }
    errno = 0;
    const long number = strtol(name, &end, 10);
    return *end == '\0' && errno == 0 && number <= INT32_MAX ? (int)number : -1;
}

/* The inode in "socket:[INODE]"; 0 for other links. */
static uint64_t inode_of(const char *link)
{
    static const char prefix[] = "socket:[";
    if (strncmp(link, prefix, sizeof prefix - 1) != 0) {
        return 0;
    }
    return strtoull(link + sizeof prefix - 1, NULL, 10);
}

static bool is_refusal(int error)
{
    return error == EACCES || error == EPERM;
}

/* False where it may not be looked at, though the folder may: root without CAP_SYS_PTRACE. */
static bool look_at(const struct search *search, int folder_fd, int pid, int fd, const char *name)
{
    char link[64];
    const ssize_t length = readlinkat(folder_fd, name, link, sizeof link - 1);
    if (length < 0) {
        return !is_refusal(errno);
    }
    link[length] = '\0';
    const uint64_t inode = inode_of(link);
    if (inode != 0 &&
        bsearch(&inode, search->inodes, search->count, sizeof inode, compare_inodes) != NULL) {
        add(search->processes, (struct user){inode, pid, fd});
    }
    return true;
}

static bool has_ended(int thread)
{
    char *path = output_format("/proc/%d/stat", thread);
    char state = '?';
    char text[512];
    FILE *file = fopen(path, "re");
    free(path);
    text[file != NULL ? fread(text, 1, sizeof text - 1, file) : 0] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    const char *name_end = strrchr(text, ')');
    return name_end != NULL && sscanf(name_end + 1, " %c", &state) == 1 && state == 'Z';
}

int process_thread(int pid)
{
    enum { LINKS_WITH_ONE_THREAD = 3 }; /* a zombie as a whole has one, too */
    int thread = pid;
    struct stat file;
    char *path = output_format("/proc/%d/task", pid);
    const bool has_others = stat(path, &file) == 0 && file.st_nlink > LINKS_WITH_ONE_THREAD;
    DIR *folder = has_others && has_ended(pid) ? opendir(path) : NULL;
    free(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        const int number = number_of(entry->d_name);
        thread = number > 0 && thread == pid ? number : thread;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return thread;
}

char *process_path(int pid, const char *file)
{
    return output_format("/proc/%d/%s", process_thread(pid), file);
}

/* False where the process may not be looked into. */
static bool look_into(const struct search *search, int pid)
{
    char *path = process_path(pid, "fd");
    DIR *folder = opendir(path);
    const int error = errno;
    free(path);
    if (folder == NULL) {
        return !is_refusal(error);
    }
    bool allowed = true;
    for (struct dirent *entry; allowed && (entry = readdir(folder)) != NULL;) {
        const int fd = number_of(entry->d_name);
        allowed = fd < 0 || look_at(search, dirfd(folder), pid, fd, entry->d_name);
    }
    closedir(folder);
    return allowed;
}

void processes_find(struct processes *processes, uint64_t *inodes, size_t count)
{
    *processes = (struct processes){0};
    if (count > 0) {
        qsort(inodes, count, sizeof inodes[0], compare_inodes);
    }
    const struct search search = {processes, inodes, count};
    DIR *proc = opendir("/proc");
    if (proc == NULL) {
        processes->proc_error = errno;
        return;
    }
    size_t seen = 0;
    for (struct dirent *entry; (entry = readdir(proc)) != NULL;) {
        const int pid = number_of(entry->d_name);
        if (pid > 0) {
            seen++;
            if (!look_into(&search, pid)) {
                add_forbidden(processes, pid);
            }
        }
    }
    closedir(proc);
    processes->proc_error = seen == 0 ? ENOENT : 0; /* a folder, and nothing mounted on it */
    if (processes->count > 0) {
        qsort(processes->users, processes->count, sizeof processes->users[0], compare_users);
    }
}

void processes_find_of(struct processes *processes, const struct sockets *sockets)
{
    uint64_t *inodes = output_allocate(sockets->count, sizeof inodes[0]);
    for (size_t i = 0; i < sockets->count; i++) {
        inodes[i] = sockets->entries[i].facts.inode;
    }
    processes_find(processes, inodes, sockets->count);
    free(inodes);
}

void processes_free(struct processes *processes)
{
    free(processes->users);
    free(processes->forbidden);
    *processes = (struct processes){0};
}

static int compare_with_inode(const void *inode, const void *user)
{
    return compare_inodes(inode, &((const struct user *)user)->inode);
}

const struct user *processes_users(const struct processes *processes, uint64_t inode, size_t *count)
{
    *count = 0;
    if (inode == 0 || processes->count == 0) {
        return NULL;
    }
    const struct user *first =
        bsearch(&inode, processes->users, processes->count, sizeof *first, compare_with_inode);
    if (first == NULL) {
        return NULL;
    }
    while (first > processes->users && first[-1].inode == inode) {
        first--;
    }
    const struct user *const end = processes->users + processes->count;
    while (first + *count < end && first[*count].inode == inode) {
        (*count)++;
    }
    return first;
}

/* The user of a process; that of one that has ended is nobody's. */
static bool is_of_user(int pid, uint32_t uid)
{
    char path[32];
    struct stat folder;
    snprintf(path, sizeof path, "/proc/%d", pid);
    return stat(path, &folder) == 0 && folder.st_uid == uid;
}

void processes_note_unseen(const struct processes *processes, uint32_t uid, struct owner *owner)
{
    for (int pass = 0; pass < 2 && owner->unseen == 0; pass++) {
        for (size_t i = 0; i < processes->forbidden_count; i++) {
            const int pid = processes->forbidden[i];
            if (is_of_user(pid, uid) == (pass == 0)) {
                char name[PROGRAM_SIZE];
                process_name(pid, name);
                owner_note_unseen(owner, pid, name);
            }
        }
    }
}

size_t processes_in(const struct user *users, size_t count)
{
    size_t different = 0;
    for (size_t i = 0; i < count; i++) {
        different += i == 0 || users[i].pid != users[i - 1].pid;
    }
    return different;
}

const char *processes_why_forbidden(void)
{
    if (kernel_has_capability(CAP_SYS_PTRACE)) {
        return "its process may not be looked into, although CAP_SYS_PTRACE is there: a security "
               "module refuses it, or the process is in another user namespace";
    }
    return geteuid() == 0
               ? "its process may not be looked into: that needs CAP_SYS_PTRACE, which root has "
                 "not got here; in a container: --cap-add=SYS_PTRACE"
               : "its process may not be looked into: that needs CAP_SYS_PTRACE, or the process's "
                 "own user; run this as root";
}

bool processes_may_be_unseen(const struct processes *processes)
{
    return processes->forbidden_count > 0 || owner_may_be_hidden();
}

const char *processes_why_unknown(const struct processes *processes)
{
    if (processes->proc_error != 0) {
        return "there is no /proc, by which its process could be found; mount it";
    }
    if (processes_may_be_unseen(processes)) {
        return processes_why_forbidden();
    }
    return "every process that /proc shows was looked into, and none has it: it is on its way "
           "between two (SCM_RIGHTS), in io_uring, in another PID namespace, hidden by /proc's "
           "options, or the kernel's own (NFS; of UDP: vxlan, wireguard; see: ip -d link, wg)";
}

char *process_runs(int pid)
{
    enum { ARGUMENTS = 65536 };
    char *path = process_path(pid, "cmdline");
    char *arguments = output_allocate(ARGUMENTS, 1);
    char script[SCRIPT_SIZE];
    FILE *file = fopen(path, "re");
    const size_t length = file != NULL ? fread(arguments, 1, ARGUMENTS, file) : 0;
    script_find(script, sizeof script, arguments, length);
    if (file != NULL) {
        fclose(file);
    }
    free(arguments);
    free(path);
    return script[0] != '\0' ? output_format("%s", script) : NULL;
}

void process_add_script(struct owner *owner)
{
    char *script = process_runs(owner->pid);
    snprintf(owner->script, sizeof owner->script, "%s", script != NULL ? script : "");
    free(script);
}

char *process_program(int pid)
{
    char path[32];
    char name[64];
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd < 0 ? -1 : read(fd, name, sizeof name - 1);
    if (fd >= 0) {
        close(fd);
    }
    if (length <= 0) {
        return output_format("?");
    }
    name[name[length - 1] == '\n' ? length - 1 : length] = '\0';
    return output_format("%s", name);
}

char *process_file(int pid)
{
    static const char deleted[] = " (deleted)";
    enum { LONGEST = 4096 };
    char *link = process_path(pid, "exe");
    char *path = output_allocate(LONGEST, 1);
    const ssize_t got = readlink(link, path, LONGEST - 1);
    size_t length = got > 0 ? (size_t)got : 0;
    if (length > sizeof deleted &&
        memcmp(path + length - (sizeof deleted - 1), deleted, sizeof deleted - 1) == 0) {
        length -= sizeof deleted - 1;
    }
    path[length] = '\0';
    free(link);
    if (length == 0) {
        free(path);
        return NULL;
    }
    return path;
}

void process_name(int pid, char name[PROGRAM_SIZE])
{
    char *program = process_program(pid);
    snprintf(name, PROGRAM_SIZE, "%s", program);
    free(program);
}

bool process_maps_shim(char *line)
{
    static const char deleted[] = " (deleted)";
    static const char file[] = "/libreuse.so";
    line[strcspn(line, "\n")] = '\0';
    size_t length = strlen(line);
    if (length > sizeof deleted && strcmp(line + length - (sizeof deleted - 1), deleted) == 0) {
        length -= sizeof deleted - 1;
        line[length] = '\0';
    }
    const char *name = strrchr(line, '/');
    return name != NULL && strncmp(name, file, sizeof file - 1) == 0 &&
           (name[sizeof file - 1] == '\0' || name[sizeof file - 1] == '.');
}

enum presence process_has_shim(int pid)
{
    char *path = process_path(pid, "maps");
    FILE *maps = fopen(path, "re");
    free(path);
    if (maps == NULL) {
        return PRESENCE_UNKNOWN;
    }
    char *line = NULL;
    size_t size = 0;
    bool found = false;
    errno = 0;
    while (!found && getline(&line, &size, maps) >= 0) {
        found = process_maps_shim(line);
    }
    const bool failed = ferror(maps) != 0;
    free(line);
    fclose(maps);
    if (found) {
        return PRESENCE_YES;
    }
    return failed ? PRESENCE_UNKNOWN : PRESENCE_NO;
}

enum presence process_is_in_this_network(int pid)
{
    struct stat own;
    struct stat its;
    char *path = process_path(pid, "ns/net");
    const bool is_known = stat("/proc/self/ns/net", &own) == 0 && stat(path, &its) == 0;
    free(path);
    if (!is_known) {
        return PRESENCE_UNKNOWN;
    }
    return own.st_ino == its.st_ino && own.st_dev == its.st_dev ? PRESENCE_YES : PRESENCE_NO;
}

bool process_exists(int pid)
{
    char path[32];
    struct stat folder;
    snprintf(path, sizeof path, "/proc/%d", pid);
    return stat(path, &folder) == 0;
}

bool process_is_service_manager(int pid)
{
    char *program = process_program(pid);
    const bool is_manager = strcmp(program, "systemd") == 0;
    free(program);
    return is_manager;
}
