#include "search.h"

#include "terminal/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

char *search_program(const char *name, int *error)
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
