#include "unseen.h"

#include "guest/kernel.h"
#include "sockets/processes.h"
#include "terminal/output.h"

#include <dirent.h>
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How many are named. */
enum { NAMED = 3 };

struct unseen {
    char *names;
    unsigned int count;
};

static void add(struct unseen *unseen, int pid)
{
    if (unseen->count++ >= NAMED) {
        return;
    }
    char *program = process_program(pid);
    char *names = output_format("%s%s%s[%d]", unseen->names != NULL ? unseen->names : "",
                                unseen->names != NULL ? ", " : "", program, pid);
    free(program);
    free(unseen->names);
    unseen->names = names;
}

static void say(struct unseen *unseen, const char *what)
{
    if (unseen->count > NAMED) {
        output_error("watch: %s: %s and %u more", what, unseen->names, unseen->count - NAMED);
    } else if (unseen->count > 0) {
        output_error("watch: %s: %s", what, unseen->names);
    }
    free(unseen->names);
}

static bool is_of_32_bits(int process_fd)
{
    unsigned char ident[EI_NIDENT] = {0};
    const int fd = openat(process_fd, "exe", O_RDONLY | O_CLOEXEC);
    const ssize_t length = fd >= 0 ? read(fd, ident, sizeof ident) : -1;
    if (fd >= 0) {
        close(fd);
    }
    return length == (ssize_t)sizeof ident && memcmp(ident, ELFMAG, SELFMAG) == 0 &&
           ident[EI_CLASS] == ELFCLASS32;
}

static bool has_ring(int process_fd)
{
    static const char ring[] = "anon_inode:[io_uring]";
    const int fd = openat(process_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    bool found = false;
    for (const struct dirent *entry;
         !found && folder != NULL && (entry = readdir(folder)) != NULL;) {
        char link[sizeof ring] = "";
        found = readlinkat(fd, entry->d_name, link, sizeof link) == (ssize_t)sizeof ring - 1 &&
                memcmp(link, ring, sizeof ring - 1) == 0;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return found;
}

void unseen_say(void)
{
    struct unseen narrow = {0};
    struct unseen rings = {0};
    const bool may_bind = kernel_is_at_least(6, 11);
    DIR *processes = opendir("/proc");
    for (const struct dirent *entry; processes != NULL && (entry = readdir(processes)) != NULL;) {
        const int pid = atoi(entry->d_name);
        const int fd =
            pid > 0 ? openat(dirfd(processes), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                    : -1;
        if (fd < 0) {
            continue;
        }
        if (is_of_32_bits(fd)) {
            add(&narrow, pid);
        }
        if (may_bind && has_ring(fd)) {
            add(&rings, pid);
        }
        close(fd);
    }
    if (processes != NULL) {
        closedir(processes);
    }
    say(&narrow, "these 32-bit programs run here, whose calls are not seen");
    say(&rings, "these programs use io_uring, over which calls are not seen");
}
