#include "target.h"

#include "invoke.h"
#include "skip.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOT_EXECUTABLE 126

struct process call(int status, struct program program)
{
    if (program.path == NULL) {
        program.path = LIBREUSE_PATH;
    }
    struct process process = start(program);
    expect_exit(&process, status);
    return process;
}

void need_target(const char *path)
{
    if (access(path, X_OK) != 0 && access(path, R_OK) != 0) {
        skip_because("%s could not be built on this machine", path);
    }
}

void need_to_run(const char *path)
{
    need_target(path);
    const pid_t child = fork();
    cr_assert_geq(child, 0, "fork: %s", strerror(errno));
    if (child == 0) {
        const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(nowhere, STDOUT_FILENO);
        execl(path, path, (char *)NULL);
        _exit(errno == ENOEXEC ? NOT_EXECUTABLE : EXIT_FAILURE);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child, "waitpid: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_EXECUTABLE) {
        skip_because("this kernel does not run 32-bit programs");
    }
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: status %#x", path, status);
}

static char folder[64];

static int remove_one(const char *path, const struct stat *file, int type, struct FTW *walk)
{
    (void)file;
    (void)type;
    (void)walk;
    return remove(path);
}

static void remove_folder(void)
{
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *new_folder(void)
{
    cr_assert_str_empty(folder, "a test has one folder");
    strcpy(folder, "/tmp/libreuse-test-XXXXXX");
    cr_assert_not_null(mkdtemp(folder), "mkdtemp: %s", strerror(errno));
    cr_assert_eq(chmod(folder, 0755), 0, "%s: %s", folder, strerror(errno));
    atexit(remove_folder);
    return folder;
}

char *path_in(const char *in, const char *name)
{
    char *path;
    cr_assert_geq(asprintf(&path, "%s/%s", in, name), 0, "no memory");
    return path;
}

static void write_all(int fd, const char *path, const void *data, size_t size)
{
    cr_assert_eq(write(fd, data, size), (ssize_t)size, "%s: %s", path, strerror(errno));
}

static int create(const char *path)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0, "%s: %s", path, strerror(errno));
    return fd;
}

/* The mode comes last: writing takes the set-user-ID bit away. */
static void finish(int fd, const char *path, unsigned int mode)
{
    cr_assert_eq(fchmod(fd, mode), 0, "%s: %s", path, strerror(errno));
    close(fd);
}

void copy_file(const char *from, const char *to, unsigned int mode)
{
    char buffer[16384];
    const int source = open(from, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(source, 0, "%s: %s", from, strerror(errno));
    const int copy = create(to);
    for (ssize_t size; (size = read(source, buffer, sizeof buffer)) > 0;) {
        write_all(copy, to, buffer, (size_t)size);
    }
    close(source);
    finish(copy, to, mode);
}

void write_file(const char *path, const char *content, unsigned int mode)
{
    const int fd = create(path);
    write_all(fd, path, content, strlen(content));
    finish(fd, path, mode);
}

const char *new_installation(void)
{
    const char *in = new_folder();
    copy_file(LIBREUSE_PATH, path_in(in, "libreuse"), 0755);
    copy_file(SHIM_PATH, path_in(in, "libreuse.so"), 0644);
    return in;
}
