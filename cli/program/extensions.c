#include "extensions.h"

#include "terminal/output.h"
#include "terminal/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file's bytes, to be looked at only. */
struct content {
    const char *bytes;
    size_t length;
};

static bool content_open(struct content *content, const char *path)
{
    struct stat file;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    *content = (struct content){0};
    if (fd >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes != MAP_FAILED) {
            *content = (struct content){bytes, (size_t)file.st_size};
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return content->bytes != NULL;
}

static void content_close(struct content *content)
{
    munmap((void *)content->bytes, content->length);
}

/*
 * PHP_EXTENSION_DIR, whose last part is the date of PHP's module interface: 20220829, or
 * no-debug-non-zts-20220829. It is a whole string of the program. The caller frees it.
 */
static char *extension_folder(const struct content *program)
{
    enum { DATE = 8 };
    for (size_t at = 1; at < program->length;) {
        const char *start = memmem(program->bytes + at, program->length - at, "\0/", 2);
        if (start == NULL) {
            return NULL;
        }
        start++;
        at = (size_t)(start - program->bytes);
        const char *end = memchr(start, '\0', program->length - at);
        const size_t length = end != NULL ? (size_t)(end - start) : 0;
        if (length > DATE && length < PATH_MAX && start[length - DATE] == '2' &&
            start[length - DATE + 1] == '0') {
            char *folder = output_format("%.*s", (int)length, start);
            struct stat file;
            if (strspn(folder + length - DATE, "0123456789") == DATE && stat(folder, &file) == 0 &&
                S_ISDIR(file.st_mode)) {
                return folder;
            }
            free(folder);
        }
    }
    return NULL;
}

/* Whether a module names bind() among its symbols. */
static bool names_bind(const char *path)
{
    static const char bind[] = "\0bind";
    struct content module;
    if (!content_open(&module, path)) {
        return false;
    }
    const bool answer = memmem(module.bytes, module.length, bind, sizeof bind) != NULL;
    content_close(&module);
    return answer;
}

/* "ftp.so, sockets.so", empty where there are none. The caller frees it. */
static char *binding_modules(const char *folder)
{
    char *list = output_format("%s", "");
    struct dirent **entries;
    const int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char *path = output_format("%s/%s", folder, entries[i]->d_name);
        if (ends_with(path, ".so") && names_bind(path)) {
            char *longer =
                output_format("%s%s%s", list, list[0] != '\0' ? ", " : "", entries[i]->d_name);
            free(list);
            list = longer;
        }
        free(path);
        free(entries[i]);
    }
    if (count >= 0) {
        free(entries);
    }
    return list;
}

char *extensions_that_bind(const char *path)
{
    struct content program;
    if (!starts_with(file_name(path), "php") || !content_open(&program, path)) {
        return NULL;
    }
    char *folder = extension_folder(&program);
    content_close(&program);
    char *modules = folder != NULL ? binding_modules(folder) : NULL;
    char *text =
        modules != NULL && modules[0] != '\0' ? output_format("%s in %s", modules, folder) : NULL;
    free(modules);
    free(folder);
    return text;
}
