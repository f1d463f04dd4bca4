#include "network.h"

#include "sockets/processes.h"
#include "terminal/exit_status.h"
#include "terminal/output.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char own[] = "/proc/self/ns/net";

static bool is_namespace(const char *path, uint32_t number)
{
    struct stat file;
    return stat(path, &file) == 0 && file.st_ino == number;
}

/* In a folder, "/proc" or "/run/netns": the first NAME whose file NAME`below` is the namespace. */
static char *find_in(const char *folder, const char *below, uint32_t number)
{
    char *found = NULL;
    DIR *entries = opendir(folder);
    for (const struct dirent *entry;
         found == NULL && entries != NULL && (entry = readdir(entries)) != NULL;) {
        char *path = output_format("%s/%s%s", folder, entry->d_name, below);
        if (entry->d_name[0] != '.' && is_namespace(path, number)) {
            found = path;
        } else {
            free(path);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
    return found;
}

/* A file that is the network namespace of the record; its process may be gone, or in another. */
static char *find_network(const struct watch_record *record)
{
    char *path = process_path((int)record->process, "ns/net");
    if (is_namespace(path, record->network)) {
        return path;
    }
    free(path);
    path = find_in("/run/netns", "", record->network);
    return path != NULL ? path : find_in("/proc", "/ns/net", record->network);
}

bool network_enter(struct visit *visit, const struct watch_record *record)
{
    *visit = (struct visit){.home_fd = -1};
    if (record->network == 0 || is_namespace(own, record->network)) {
        return true;
    }
    visit->path = find_network(record);
    const int there = visit->path != NULL ? open(visit->path, O_RDONLY | O_CLOEXEC) : -1;
    visit->home_fd = open(own, O_RDONLY | O_CLOEXEC);
    struct stat file;
    const bool is_it = there >= 0 && fstat(there, &file) == 0 && file.st_ino == record->network;
    const bool is_there = visit->home_fd >= 0 && is_it && setns(there, CLONE_NEWNET) == 0;
    if (there >= 0) {
        close(there);
    }
    if (!is_there && visit->home_fd >= 0) {
        close(visit->home_fd);
        visit->home_fd = -1;
    }
    return is_there;
}

char *network_leave(struct visit *visit)
{
    if (visit->home_fd >= 0) {
        if (setns(visit->home_fd, CLONE_NEWNET) != 0) {
            output_error("watch: this process cannot go back to its own network namespace");
            exit(STATUS_REFUSED);
        }
        close(visit->home_fd);
    }
    char *enter = visit->path != NULL ? output_format("nsenter --net=%s ", visit->path) : NULL;
    free(visit->path);
    return enter;
}
