#include "drop_in.h"

#include "terminal/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Far more than is ever written. */
enum { TEXT_MAX = 65536 };

static const struct {
    const char *name;
    const char *temporary; /* systemd reads "*.conf" only */
    const char *mark;
} files[] = {
    [DROP_IN_PRELOAD] = {DROP_IN_NAME, "." DROP_IN_NAME ".new", DROP_IN_MARK},
    [DROP_IN_GUARD] = {DROP_IN_GUARD_NAME, "." DROP_IN_GUARD_NAME ".new", DROP_IN_GUARD_MARK},
};

bool drop_in_is_unit_name(const char *unit)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  ":-_.\\@";
    return unit[0] != '\0' && unit[0] != '.' && unit[0] != '-' && unit[0] != '@' &&
           unit[strspn(unit, allowed)] == '\0' && strlen(unit) < 256;
}

static char *folder_of(const char *unit)
{
    return output_format("%s/%s.d", DROP_IN_FOLDER, unit);
}

char *drop_in_path(enum drop_in_file file, const char *unit)
{
    return output_format("%s/%s.d/%s", DROP_IN_FOLDER, unit, files[file].name);
}

/* The unit's folder, not through a symbolic link; -1 and errno. */
static int open_folder(const char *unit)
{
    char *path = folder_of(unit);
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const int error = errno;
    free(path);
    errno = error;
    return fd;
}

static bool is_link_in_the_way(int error)
{
    return error == ELOOP || error == ENOTDIR;
}

static enum drop_in read_file(int fd, const char *mark, char **text)
{
    struct stat status;
    *text = output_allocate(TEXT_MAX, 1);
    const ssize_t length =
        fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? read(fd, *text, TEXT_MAX - 1) : 0;
    if (length >= 0 && strncmp(*text, mark, strlen(mark)) == 0) {
        return DROP_IN_OURS;
    }
    free(*text);
    *text = NULL;
    return length < 0 ? DROP_IN_UNREADABLE : DROP_IN_FOREIGN;
}

enum drop_in drop_in_read(enum drop_in_file file, const char *unit, char **text)
{
    *text = NULL;
    int fd = -1;
    const int folder = open_folder(unit);
    if (folder >= 0) {
        fd = openat(folder, files[file].name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        const int error = errno;
        close(folder);
        errno = error;
    }
    if (fd < 0) {
        return errno == ENOENT             ? DROP_IN_NONE
               : is_link_in_the_way(errno) ? DROP_IN_FOREIGN
                                           : DROP_IN_UNREADABLE;
    }
    const enum drop_in result = read_file(fd, files[file].mark, text);
    close(fd);
    return result;
}

/* The unit's folder, which is made where it is not there: `is_new` says so. */
static int make_folder(const char *unit, bool *is_new)
{
    *is_new = false;
    int fd = open_folder(unit);
    if (fd >= 0 || errno != ENOENT) {
        return fd;
    }
    char *path = folder_of(unit);
    *is_new = mkdir(path, 0755) == 0;
    free(path);
    fd = *is_new ? open_folder(unit) : -1;
    if (fd >= 0 && fchmod(fd, 0755) != 0) { /* whatever the umask is */
        close(fd);
        return -1;
    }
    return fd;
}

static bool write_text(int fd, const char *text)
{
    const size_t length = strlen(text);
    for (size_t done = 0; done < length;) {
        const ssize_t written = write(fd, text + done, length - done);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return fchmod(fd, 0644) == 0 && fsync(fd) == 0;
}

bool drop_in_write(enum drop_in_file file, const char *unit, const char *text)
{
    bool is_new;
    const int folder = make_folder(unit, &is_new);
    if (folder < 0) {
        return false;
    }
    unlinkat(folder, files[file].temporary, 0); /* of one that was interrupted */
    const int fd = openat(folder, files[file].temporary,
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool done = fd >= 0 && write_text(fd, text) &&
                renameat(folder, files[file].temporary, folder, files[file].name) == 0 &&
                fsync(folder) == 0;
    const int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (!done) {
        char *path = folder_of(unit);
        unlinkat(folder, files[file].temporary, 0);
        if (is_new) {
            rmdir(path);
        }
        free(path);
    }
    close(folder);
    errno = error;
    return done;
}

bool drop_in_remove(enum drop_in_file file, const char *unit)
{
    const int folder = open_folder(unit);
    if (folder < 0) {
        return false;
    }
    const bool done = unlinkat(folder, files[file].name, 0) == 0;
    const int error = errno;
    close(folder);
    if (done) {
        char *path = folder_of(unit);
        rmdir(path); /* fails where something else is in it, as it should */
        free(path);
    }
    errno = error;
    return done;
}

static int compare_texts(const void *one, const void *other)
{
    return strcmp(*(char *const *)one, *(char *const *)other);
}

char **drop_in_units(enum drop_in_file file, size_t *count)
{
    char **units = NULL;
    *count = 0;
    DIR *folder = opendir(DROP_IN_FOLDER);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        const size_t length = strlen(entry->d_name);
        if (length < 3 || strcmp(entry->d_name + length - 2, ".d") != 0) {
            continue;
        }
        char *unit = output_format("%.*s", (int)(length - 2), entry->d_name);
        char *text = NULL;
        if (drop_in_is_unit_name(unit) && drop_in_read(file, unit, &text) == DROP_IN_OURS) {
            units = output_reallocate(units, *count + 1, sizeof units[0]);
            units[(*count)++] = unit;
        } else {
            free(unit);
        }
        free(text);
    }
    if (folder != NULL) {
        closedir(folder);
    }
    if (*count > 0) {
        qsort(units, *count, sizeof units[0], compare_texts);
    }
    return units;
}
