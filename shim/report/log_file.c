#include "log_file.h"

#include "guest/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_ROOM = 512, LINK_ROOM = 256, LINKS = 8 };

/* How far the walk has come: an open folder, and the path that is left from there. */
struct walk {
    int folder;
    unsigned int links;
    struct log_failure *failure; /* why there is no next step */
    char *rest;                  /* within `path` */
    char path[PATH_ROOM];
};

static bool enter(struct walk *walk, int folder)
{
    if (walk->folder >= 0) {
        kernel_close(walk->folder);
    }
    walk->folder = folder;
    return folder >= 0;
}

static bool enter_root(struct walk *walk)
{
    return enter(walk, kernel_open_as(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0));
}

/* Puts what a link says in front of the rest, which is empty or begins with a slash. */
static bool follow(struct walk *walk, const char *target, size_t length)
{
    const size_t rest = strlen(walk->rest) + 1;
    if (length + rest > sizeof walk->path) {
        return false;
    }
    memmove(walk->path + length, walk->rest, rest);
    memcpy(walk->path, target, length);
    walk->rest = walk->path;
    return target[0] != '/' || enter_root(walk);
}

static bool fail(struct walk *walk, enum log_trouble trouble, int error)
{
    walk->failure->trouble = trouble;
    walk->failure->error = error;
    return false;
}

static bool is_trusted(int folder)
{
    struct kernel_file file;
    return kernel_file(folder, &file) && (file.mode & S_IWOTH) == 0;
}

/* Whether what was opened as the next step may be used. */
static bool may_use(struct walk *walk, int next, bool is_last)
{
    struct kernel_file file;
    if (!kernel_file(next, &file)) {
        return fail(walk, LOG_TROUBLE_ERROR, errno);
    }
    if (is_last && !S_ISREG(file.mode) && !S_ISFIFO(file.mode)) {
        return fail(walk, LOG_TROUBLE_TYPE, 0);
    }
    if (is_trusted(walk->folder)) {
        return true;
    }
    if (file.uid != 0 && file.uid != walk->failure->uid) {
        walk->failure->uid = file.uid;
        return fail(walk, LOG_TROUBLE_OWNER, 0);
    }
    return !is_last || file.links == 1 || fail(walk, LOG_TROUBLE_LINKS, 0);
}

/*
 * The next step was not opened: the walk goes on where it is a link that may be followed. What the
 * links in /proc say is no path.
 */
static bool follow_link(struct walk *walk, const char *name)
{
    char target[LINK_ROOM];
    const int error = errno;
    fail(walk, LOG_TROUBLE_ERROR, error);
    if (error != ELOOP && error != ENOTDIR) {
        return false;
    }
    const long length = kernel_read_link(walk->folder, name, target, sizeof target);
    if (length <= 0 || (size_t)length >= sizeof target || walk->links++ == LINKS) {
        return false;
    }
    if (!is_trusted(walk->folder)) {
        return fail(walk, LOG_TROUBLE_SYMLINK, 0);
    }
    return !kernel_is_proc(walk->folder) && follow(walk, target, (size_t)length);
}

/* Takes one step. False at the end: then `walk->folder` is the file, or -1. */
static bool step(struct walk *walk)
{
    char name[NAME_MAX + 1];
    walk->rest += strspn(walk->rest, "/");
    const size_t length = strcspn(walk->rest, "/");
    if (length == 0 || length >= sizeof name) {
        fail(walk, LOG_TROUBLE_TYPE, 0);
        enter(walk, -1); /* a folder is no file */
        return false;
    }
    memcpy(name, walk->rest, length);
    name[length] = '\0';
    walk->rest += length;
    const bool is_last = *walk->rest == '\0';
    const int how =
        is_last ? O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY : O_PATH | O_DIRECTORY;
    const int next = kernel_open_as(walk->folder, name, how | O_NOFOLLOW, 0640);
    if (next < 0 && follow_link(walk, name)) {
        return true;
    }
    if (next >= 0 && may_use(walk, next, is_last)) {
        return enter(walk, next) && !is_last;
    }
    if (next >= 0) {
        kernel_close(next);
    }
    enter(walk, -1);
    return false;
}

int log_file_open(const char *path, struct log_failure *failure)
{
    struct walk walk = {.folder = -1, .failure = failure, .rest = walk.path};
    *failure = (struct log_failure){.trouble = LOG_TROUBLE_ERROR, .uid = kernel_user()};
    const size_t length = strlen(path);
    if (length >= sizeof walk.path) {
        failure->error = ENAMETOOLONG;
        return -1;
    }
    memcpy(walk.path, path, length + 1);
    if (!enter_root(&walk)) {
        failure->error = errno;
        return -1;
    }
    while (step(&walk)) {
    }
    return walk.folder;
}
