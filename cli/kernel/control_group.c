#include "control_group.h"

#include "terminal/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the file handle of a group is its ID alone: FILEID_KERNFS of the kernel. */
enum { HANDLE_TYPE = 0xfe };

char *control_groups_mount(void)
{
    char *found = NULL;
    char *line = NULL;
    size_t size = 0;
    FILE *mounts = fopen("/proc/self/mounts", "re");
    while (mounts != NULL && found == NULL && getline(&line, &size, mounts) >= 0) {
        char path[PATH_MAX];
        char type[16];
        if (sscanf(line, "%*s %4095s %15s", path, type) == 2 && strcmp(type, "cgroup2") == 0) {
            found = output_format("%s", path);
        }
    }
    free(line);
    if (mounts != NULL) {
        fclose(mounts);
    }
    return found;
}

char *control_group_of(int pid)
{
    static const char second_version[] = "0::";
    char *path = output_format("/proc/%d/cgroup", pid);
    FILE *file = fopen(path, "re");
    free(path);
    char *found = NULL;
    char *line = NULL;
    size_t size = 0;
    while (file != NULL && found == NULL && getline(&line, &size, file) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, second_version, sizeof second_version - 1) == 0) {
            found = output_format("%s", line + sizeof second_version - 1);
        }
    }
    free(line);
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

int control_group_open(const char *group)
{
    char *mount = control_groups_mount();
    if (mount == NULL) {
        errno = ENODEV;
        return -1;
    }
    char *path = output_format("%s/%s", mount, group);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const int error = errno;
    free(path);
    free(mount);
    errno = error;
    return fd;
}

char *control_group_by_id(uint64_t id)
{
    union {
        struct file_handle handle;
        char room[sizeof(struct file_handle) + sizeof id];
    } all = {.handle = {.handle_bytes = sizeof id, .handle_type = HANDLE_TYPE}};
    memcpy(all.room + sizeof all.handle, &id, sizeof id);
    char *mount = control_groups_mount();
    const int mount_fd = mount != NULL ? open(mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    const int fd =
        mount_fd >= 0 ? open_by_handle_at(mount_fd, &all.handle, O_PATH | O_CLOEXEC) : -1;
    char *found = NULL;
    if (fd >= 0) {
        char path[PATH_MAX] = "";
        char *link = output_format("/proc/self/fd/%d", fd);
        const size_t prefix = strlen(mount);
        const ssize_t length = readlink(link, path, sizeof path - 1);
        if (length > 0 && strncmp(path, mount, prefix) == 0) {
            found = output_format("%s", path[prefix] != '\0' ? path + prefix : "/");
        }
        free(link);
        close(fd);
    }
    if (mount_fd >= 0) {
        close(mount_fd);
    }
    free(mount);
    return found;
}

struct list {
    int *pids;
    size_t count;
};

/* Takes the descriptor. */
static void add_processes(struct list *list, int fd)
{
    FILE *file = fdopen(fd, "r");
    for (int pid; file != NULL && fscanf(file, "%d", &pid) == 1;) {
        list->pids = output_reallocate(list->pids, list->count + 1, sizeof pid);
        list->pids[list->count++] = pid;
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* Takes the descriptor, of a group's folder. */
static void add_group(struct list *list, int group)
{
    const int fd = openat(group, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        add_processes(list, fd);
    }
    DIR *folder = fdopendir(group);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0) {
            const int below =
                openat(dirfd(folder), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (below >= 0) {
                add_group(list, below);
            }
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

int *control_group_processes(const char *group, size_t *count)
{
    struct list list = {0};
    const int fd = control_group_open(group);
    if (fd >= 0) {
        add_group(&list, fd);
    }
    *count = list.count;
    return list.pids;
}
