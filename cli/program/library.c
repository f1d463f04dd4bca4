#include "library.h"

#include "terminal/output.h"

#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char library_name[] = "libreuse.so";

/* What separates paths in LD_PRELOAD: ld.so(8), and isspace(3) in musl. */
static const char separators[] = ": \t\n\v\f\r";

/* The folders under a prefix where distributions keep libraries. */
static const char *const folders[] = {
    "lib/x86_64-linux-gnu",
    "lib/i386-linux-gnu",
    "lib/x86_64-linux-gnux32",
    "lib/aarch64-linux-gnu",
    "lib/arm-linux-gnueabihf",
    "lib/arm-linux-gnueabi",
    "lib/riscv64-linux-gnu",
    "lib/s390x-linux-gnu",
    "lib/powerpc64le-linux-gnu",
    "lib/loongarch64-linux-gnu",
    "lib64",
    "lib",
    "lib32",
    "libx32",
};
enum { FOLDERS = sizeof folders / sizeof folders[0] };

/* The dynamic loaders of glibc for the platforms that a machine of another may run, too. */
static const struct {
    struct platform platform;
    const char *loader;
} usual_loaders[] = {
    {{64, false, EM_X86_64}, "/lib64/ld-linux-x86-64.so.2"},
    {{32, false, EM_386}, "/lib/ld-linux.so.2"},
    {{32, false, EM_X86_64}, "/libx32/ld-linux-x32.so.2"},
    {{64, false, EM_AARCH64}, "/lib/ld-linux-aarch64.so.1"},
    {{32, false, EM_ARM}, "/lib/ld-linux-armhf.so.3"},
    {{64, true, EM_S390}, "/lib/ld64.so.1"},
    {{32, true, EM_S390}, "/lib/ld.so.1"},
};

static bool is_known(const struct libraries *libraries, const struct elf *elf)
{
    for (size_t i = 0; i < libraries->count; i++) {
        if (platform_is_same(&libraries->list[i].platform, &elf->platform) &&
            libraries->list[i].c_library == elf->c_library) {
            return true;
        }
    }
    return false;
}

/* Looks for the library in one folder. */
static void look_into(struct libraries *libraries, const char *folder)
{
    char *path = output_format("%s/%s", folder, library_name);
    struct elf elf;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    const bool is_library = fd >= 0 && elf_read(fd, &elf) == ELF_READ && elf.use == ELF_LIBRARY;
    if (fd >= 0) {
        close(fd);
    }
    if (!is_library || is_known(libraries, &elf)) {
        free(path);
        return;
    }
    libraries->list =
        output_reallocate(libraries->list, libraries->count + 1, sizeof libraries->list[0]);
    libraries->list[libraries->count++] =
        (struct library){.path = path, .platform = elf.platform, .c_library = elf.c_library};
}

static void look_into_prefix(struct libraries *libraries, const char *prefix)
{
    for (size_t i = 0; i < FOLDERS; i++) {
        char *folder = output_format("%s/%s", prefix, folders[i]);
        look_into(libraries, folder);
        free(folder);
    }
}

/* Cuts the last part off a path. False where there is nothing left. */
static bool to_parent(char *path)
{
    char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        return false;
    }
    *slash = '\0';
    return true;
}

void libraries_find(struct libraries *libraries)
{
    *libraries = (struct libraries){0};
    char *place = realpath("/proc/self/exe", NULL);
    if (place != NULL && to_parent(place)) {
        look_into(libraries, place);
        if (to_parent(place)) {
            look_into_prefix(libraries, place);
        }
    }
    free(place);
    look_into(libraries, LIBREUSE_LIBDIR);
    look_into_prefix(libraries, "/usr/local");
    look_into_prefix(libraries, "/usr");
}

void libraries_free(struct libraries *libraries)
{
    for (size_t i = 0; i < libraries->count; i++) {
        free(libraries->list[i].path);
    }
    free(libraries->list);
    *libraries = (struct libraries){0};
}

/*
 * musl's loader takes a glibc library, if that needs no more than this one does: it has its own
 * libc in the place of libc.so.6, and knows no symbol versions. No other takes a foreign one.
 */
static bool can_load(enum c_library program, enum c_library library)
{
    return program == library || library == C_LIBRARY_NONE ||
           (program == C_LIBRARY_MUSL && library == C_LIBRARY_GLIBC) ||
           program == C_LIBRARY_UNKNOWN;
}

const struct library *libraries_for(const struct libraries *libraries, const struct elf *program,
                                    const struct library **of_platform)
{
    const struct library *found = NULL;
    *of_platform = NULL;
    for (size_t i = 0; i < libraries->count; i++) {
        const struct library *library = &libraries->list[i];
        if (!platform_is_same(&library->platform, &program->platform)) {
            continue;
        }
        *of_platform = library;
        if (library->c_library == program->c_library) {
            return library;
        }
        if (found == NULL && can_load(program->c_library, library->c_library)) {
            found = library;
        }
    }
    return found;
}

/*
 * The folder that glibc's $LIB stands for, without a slash before or behind it. It is the one that
 * the loader itself is installed in, under / or /usr. NULL where that is another place. The caller
 * frees it.
 */
static char *lib_token(const char *loader)
{
    char *path = realpath(loader, NULL);
    if (path == NULL || !to_parent(path)) {
        free(path);
        return NULL;
    }
    const char *folder = strncmp(path, "/usr/", 5) == 0 ? path + 5 : path + 1;
    char *token = strncmp(folder, "lib", 3) == 0 ? output_format("%s", folder) : NULL;
    free(path);
    return token;
}

/*
 * Whether a library is where $LIB leads to for that loader: the length of what stands before it in
 * the path, or 0.
 */
static size_t prefix_before_lib(const struct library *library, const char *loader)
{
    char *token = lib_token(loader);
    if (token == NULL) {
        return 0;
    }
    char *end = output_format("/%s/%s", token, library_name);
    const size_t length = strlen(library->path);
    const size_t end_length = strlen(end);
    const bool fits = length > end_length && strcmp(library->path + length - end_length, end) == 0;
    free(end);
    free(token);
    return fits ? length - end_length : 0;
}

/* Whether a library of another platform is where $LIB leads to behind the same prefix. */
static bool has_sibling(const struct libraries *libraries, const struct library *library,
                        size_t prefix)
{
    for (size_t i = 0; i < libraries->count; i++) {
        const struct library *other = &libraries->list[i];
        if (platform_is_same(&other->platform, &library->platform) ||
            strncmp(other->path, library->path, prefix) != 0) {
            continue;
        }
        for (size_t k = 0; k < sizeof usual_loaders / sizeof usual_loaders[0]; k++) {
            if (platform_is_same(&usual_loaders[k].platform, &other->platform) &&
                prefix_before_lib(other, usual_loaders[k].loader) == prefix) {
                return true;
            }
        }
    }
    return false;
}

char *library_preload_path(const struct libraries *libraries, const struct library *library,
                           const struct elf *program)
{
    if (strpbrk(library->path, separators) != NULL || strchr(library->path, '$') != NULL) {
        return NULL;
    }
    const size_t prefix =
        program->c_library == C_LIBRARY_GLIBC ? prefix_before_lib(library, program->loader) : 0;
    if (prefix > 0 && has_sibling(libraries, library, prefix)) {
        return output_format("%.*s/$LIB/%s", (int)prefix, library->path, library_name);
    }
    return output_format("%s", library->path);
}

/* Replaces the first of a token in a text, which it frees, where the token is there. */
static char *replaced(char *text, const char *token, const char *value)
{
    const char *at = strstr(text, token);
    if (at == NULL) {
        return text;
    }
    char *result = output_format("%.*s%s%s", (int)(at - text), text, value, at + strlen(token));
    free(text);
    return result;
}

/* Whether a path as it stands in LD_PRELOAD leads to the file. */
static bool leads_to(const char *item, size_t length, const struct stat *file,
                     const struct elf *program)
{
    char *path = output_format("%.*s", (int)length, item);
    char *token = program->c_library == C_LIBRARY_GLIBC ? lib_token(program->loader) : NULL;
    if (token != NULL) {
        path = replaced(path, "${LIB}", token);
        path = replaced(path, "$LIB", token);
    }
    struct stat other;
    const bool same = strchr(path, '/') != NULL && stat(path, &other) == 0 &&
                      other.st_dev == file->st_dev && other.st_ino == file->st_ino;
    free(token);
    free(path);
    return same;
}

char *library_add_to_preload(const char *preload, const char *path, const struct library *library,
                             const struct elf *program)
{
    struct stat file;
    const char *item = preload != NULL ? preload : "";
    const bool is_there = stat(library->path, &file) == 0;
    while (item += strspn(item, separators), *item != '\0') {
        const size_t length = strcspn(item, separators);
        if ((length == strlen(path) && strncmp(item, path, length) == 0) ||
            (is_there && leads_to(item, length, &file, program))) {
            return output_format("%s", preload);
        }
        item += length;
    }
    const bool is_empty = preload == NULL || preload[strspn(preload, separators)] == '\0';
    return output_format("%s%s%s", path, is_empty ? "" : ":", is_empty ? "" : preload);
}
