/* shim/guest/kernel.h, and services.h on files of a root folder of the test's own. */
#include "guest/kernel.h"
#include "guest/services.h"

#include "filter.h"
#include "guest/address.h"
#include "guest/kernel_sockets.h"
#include "namespace.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(kernel);

static void enter_own_root(void)
{
    enter_private_folder();
    cr_assert_eq(chroot(PRIVATE_FOLDER), 0);
    cr_assert_eq(chdir("/"), 0);
}

static void write_to(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file, "%s", path);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

Test(kernel, a_number_is_what_a_file_begins_with)
{
    unsigned int number = 7;
    enter_own_root();
    static const char *const others[] = {"", "\n", "x1", "/1", ":1"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        write_to("/number", others[i]);
        cr_assert_not(kernel_read_number("/number", &number), "%s", others[i]);
    }
    cr_assert_eq(number, 7);
    write_to("/number", "1024\n");
    cr_assert(kernel_read_number("/number", &number));
    cr_assert_eq(number, 1024);
    write_to("/number", "80:");
    cr_assert(kernel_read_number("/number", &number));
    cr_assert_eq(number, 80);
    cr_assert_not(kernel_read_number("/none", &number));
}

Test(kernel, only_a_descriptor_that_was_opened_for_writing_may_be_written_to)
{
    static const struct {
        int flags;
        bool may_write;
    } ways[] = {{O_RDONLY, false}, {O_WRONLY, true}, {O_RDWR, true}, {O_PATH, false}};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        const int fd = open("/dev/null", ways[i].flags);
        cr_assert_eq(kernel_may_write(fd), ways[i].may_write, "%#x", ways[i].flags);
        close(fd);
    }
    cr_assert_not(kernel_may_write(-1));
}

Test(kernel, proc_is_no_other_folder)
{
    const int proc = open("/proc/self", O_PATH);
    const int root = open("/dev", O_PATH);
    cr_assert(kernel_is_proc(proc));
    cr_assert_not(kernel_is_proc(root));
    cr_assert_not(kernel_is_proc(-1));
}

Test(kernel, what_spans_more_than_two_pages_is_not_tried)
{
    static char text[3 * 4096];
    cr_assert(kernel_can_read(text, 4096));
    cr_assert_not(kernel_can_read(text, 4097));
    cr_assert_not(kernel_can_read(text, 0));
}

Test(kernel, its_version_is_compared_as_two_numbers)
{
    struct utsname name;
    unsigned int major;
    unsigned int minor;
    uname(&name);
    cr_assert_eq(sscanf(name.release, "%u.%u", &major, &minor), 2, "%s", name.release);
    cr_assert(kernel_is_at_least(major, minor));
    cr_assert(kernel_is_at_least(major - 1, minor + 1));
    cr_assert_not(kernel_is_at_least(major, minor + 1));
    cr_assert_not(kernel_is_at_least(major + 1, 0));
}

Test(kernel, a_process_with_the_rights_of_another_user_or_group_is_known)
{
    cr_assert_not(kernel_is_another_user());
    if (getuid() != 0) {
        cr_skip_test("only root can become another user");
    }
    cr_assert_eq(setegid(1), 0);
    cr_assert(kernel_is_another_user());
    cr_assert_eq(setegid(0), 0);
    cr_assert_eq(seteuid(1), 0);
    cr_assert(kernel_is_another_user());
    cr_assert_eq(kernel_user(), 1);
}

static unsigned int port_of(const char *name)
{
    return services_port(name, strlen(name));
}

Test(kernel, services_are_taken_from_lines_that_are_whole)
{
    char lines[2048] = "# comment\nnone\nletters x/tcp\nlarge 70000/tcp\nudp 53/udp\n"
                       "long ";
    enter_own_root();
    cr_assert_eq(port_of("http"), 0, "without a file");
    cr_assert_eq(mkdir("/etc", 0755), 0);
    const size_t length = strlen(lines);
    memset(lines + length, ' ', 1200);
    strcpy(lines + length + 1200, "81/tcp\nhttp\t80/tcp  www web # WorldWideWeb\nlast 82/tcp");
    write_to("/etc/services", lines);
    static const char *const none[] = {"none", "letters", "large", "udp", "long", "htt", "last"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        cr_assert_eq(port_of(none[i]), 0, "%s", none[i]);
    }
    cr_assert_eq(port_of("http"), 80);
    cr_assert_eq(port_of("web"), 80);
    write_to("/etc/services", "http 80/tcp");
    cr_assert_eq(port_of("http"), 0, "a line without an end");
}

Test(kernel, a_descriptor_may_be_the_first_of_all)
{
    close(STDIN_FILENO);
    cr_assert_eq(kernel_open("/dev/null"), STDIN_FILENO);
}

static void refuse(long call, int error)
{
    cr_assert_eq(filter_system_call((int)call, FILTER_ANY, SECCOMP_RET_ERRNO | (unsigned int)error),
                 0);
}

/* In a child: the test itself could not close anything any more. */
static void close_against(int error)
{
    const pid_t child = fork();
    if (child == 0) {
        const int fd = kernel_open("/dev/null");
        refuse(SYS_close, error);
        kernel_close(fd);
        _exit(fcntl(fd, F_GETFD) == -1 ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it is open: %#x", (unsigned)status);
}

Test(kernel, refusal_of_close_leaves_nothing_open)
{
    close_against(ENOSYS);
}

Test(kernel, refusal_of_close_as_wrong_leaves_nothing_open)
{
    close_against(EINVAL);
}

Test(kernel, refusal_of_rights_and_names_is_no_right_and_no_name)
{
    char name[KERNEL_DEVICE_SIZE];
    refuse(SYS_capget, EPERM);
    cr_assert_not(kernel_has_capability(0));
#ifndef SYS_socketcall
    refuse(SYS_socket, EPERM);
    cr_assert_not(kernel_device_name(1, name));
#else
    (void)name;
#endif
}

#ifndef SYS_socketcall
/* A filter that says 0 in the kernel's place has written nothing. */
Test(kernel, refusal_that_looks_like_an_answer_is_no_address)
{
    struct address address;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address_of_socket(&address, fd);
    cr_assert_eq(address.length, sizeof(struct sockaddr_in));
    refuse(SYS_getsockname, 0);
    address_of_socket(&address, fd);
    cr_assert_eq(address.length, 0);
}
#endif
