#include "receivers.h"

#include "process.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Device files are bound, not made: an ordinary user's namespace does not allow mknod(2). */
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom",
                                      "/dev/random"};
enum { DEVICES = sizeof devices / sizeof devices[0] };

static void mount_or_fail(const char *source, const char *target, const char *type,
                          unsigned long flags, const char *options)
{
    cr_assert_eq(mount(source, target, type, flags, options), 0,
                 "this test needs a mount namespace of its own, and mount(%s) failed: %s", target,
                 strerror(errno));
}

void make_folder(const char *path, unsigned mode)
{
    cr_assert(mkdir(path, mode) == 0 && chmod(path, mode) == 0, "%s: %s", path, strerror(errno));
}

void make_file(const char *path, unsigned mode, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    cr_assert(fd >= 0 && fchmod(fd, mode) == 0 &&
                  write(fd, content, strlen(content)) == (ssize_t)strlen(content),
              "%s: %s", path, strerror(errno));
    close(fd);
}

void mount_tmpfs(const char *folder, const char *options)
{
    if (access(folder, F_OK) != 0) {
        make_folder(folder, 0755);
    }
    mount_or_fail("tmpfs", folder, "tmpfs", MS_NOSUID, options);
}

void make_read_only(const char *folder)
{
    mount_or_fail(NULL, folder, NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID, NULL);
}

static void replace_devices(void)
{
    int held[DEVICES];
    for (size_t i = 0; i < DEVICES; i++) {
        held[i] = open(devices[i], O_PATH | O_CLOEXEC);
        cr_assert_geq(held[i], 0, "%s: %s", devices[i], strerror(errno));
    }
    mount_tmpfs("/dev", "mode=0755");
    for (size_t i = 0; i < DEVICES; i++) {
        char source[64];
        snprintf(source, sizeof source, "/proc/self/fd/%d", held[i]);
        make_file(devices[i], 0666, "");
        mount_or_fail(source, devices[i], NULL, MS_BIND, NULL);
        close(held[i]);
    }
    /* Terminals of the test's own: a bound device would make them of those of the machine. */
    make_folder("/dev/pts", 0755);
    mount_or_fail("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC,
                  "newinstance,ptmxmode=0666,mode=0620");
    cr_assert_eq(symlink("pts/ptmx", "/dev/ptmx"), 0, "/dev/ptmx: %s", strerror(errno));
}

void enter_private_files(void)
{
    cr_assert_eq(
        unshare(CLONE_NEWNS), 0,
        "this test needs a mount namespace of its own and unshare(CLONE_NEWNS) failed: %s; "
        "run the tests as root, or allow user namespaces",
        strerror(errno));
    mount_or_fail(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
    replace_devices();
    mount_tmpfs("/run", "mode=0755");
    make_folder("/run/systemd", 0755);
    make_folder("/run/systemd/journal", 0755);
    make_folder(OWN_FOLDER, 0755);
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cr_assert_lt(strlen(path), sizeof address.sun_path, "too long: %s", path);
    strcpy(address.sun_path, path);
    return address;
}

static int datagram_socket(void)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_geq(fd, 0, "socket: %s", strerror(errno));
    return fd;
}

int receive_at(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = datagram_socket();
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0, "%s: %s", path,
                 strerror(errno));
    cr_assert_eq(chmod(path, 0666), 0, "%s: %s", path, strerror(errno));
    return fd;
}

void fill_receiver(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = datagram_socket();
    while (sendto(fd, "", 1, 0, (struct sockaddr *)&address, sizeof address) == 1) {
    }
    cr_assert_eq(errno, EAGAIN, "%s: %s", path, strerror(errno));
    close(fd);
}

bool receive(int receiver, struct datagram *datagram)
{
    ssize_t got = recv(receiver, datagram->bytes, sizeof datagram->bytes - 1, MSG_TRUNC);
    if (got < 0) {
        cr_assert_eq(errno, EAGAIN, "recv: %s", strerror(errno));
        return false;
    }
    cr_assert_lt((size_t)got, sizeof datagram->bytes, "a datagram of %zd bytes", got);
    datagram->length = (size_t)got;
    datagram->bytes[got] = '\0';
    return true;
}

const char *file_at(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        cr_assert_eq(errno, ENOENT, "%s: %s", path, strerror(errno));
        return NULL;
    }
    const char *content = content_of(fd);
    close(fd);
    return content;
}
