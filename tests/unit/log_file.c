/* shim/report/log_file.h: paths that lead nowhere, or too far. */
#include "report/log_file.h"

#include "namespace.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void enter_folder(void)
{
    enter_private_folder();
    cr_assert_eq(chmod(PRIVATE_FOLDER, 0755), 0);
}

TestSuite(log_file_open, .init = enter_folder);

static struct log_failure failure;

static bool opens(const char *path)
{
    const int fd = log_file_open(path, &failure);
    close(fd);
    return fd >= 0;
}

Test(log_file_open, takes_no_path_that_has_no_room)
{
    char path[1024];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[512] = '\0';
    cr_assert_not(opens(path));
    cr_assert_eq(failure.error, ENAMETOOLONG);
}

Test(log_file_open, takes_no_name_that_is_longer_than_any_file_has)
{
    char path[300];
    memset(path, 'x', sizeof path);
    path[0] = '/';
    path[257] = '\0';
    cr_assert_not(opens(path));
}

/* Eight links, as in a chain of releases, and not for ever where they lead in a circle. */
Test(log_file_open, follows_eight_links_and_no_more)
{
    char name[64] = PRIVATE_FOLDER "/log";
    char link[64];
    for (int i = 1; i <= 9; i++) {
        snprintf(link, sizeof link, PRIVATE_FOLDER "/link%d", i);
        cr_assert_eq(symlink(name, link), 0);
        strcpy(name, link);
    }
    cr_assert(opens(PRIVATE_FOLDER "/link8"));
    cr_assert_not(opens(PRIVATE_FOLDER "/link9"));
    cr_assert_eq(failure.error, ELOOP);
    cr_assert_eq(symlink("circle", PRIVATE_FOLDER "/circle"), 0);
    cr_assert_not(opens(PRIVATE_FOLDER "/circle"));
}

static void link_to_length(const char *link, size_t length)
{
    char target[512];
    memset(target, '/', sizeof target);
    memcpy(target, PRIVATE_FOLDER, strlen(PRIVATE_FOLDER));
    target[length] = '\0';
    cr_assert_eq(symlink(target, link), 0);
}

Test(log_file_open, follows_no_link_that_says_more_than_there_is_room_for)
{
    link_to_length(PRIVATE_FOLDER "/short", 255);
    link_to_length(PRIVATE_FOLDER "/long", 256);
    cr_assert(opens(PRIVATE_FOLDER "/short/log"));
    cr_assert_not(opens(PRIVATE_FOLDER "/long/log"));
    char path[400] = PRIVATE_FOLDER "/short";
    memset(path + strlen(path), '/', 300);
    strcpy(path + 300, "log");
    cr_assert_not(opens(path), "link and rest have no room together");
}

Test(log_file_open, follows_no_link_of_proc)
{
    cr_assert_not(opens("/proc/self/cwd/log"));
}

Test(log_file_open, takes_a_file_with_one_name_in_a_folder_of_everybodys)
{
    cr_assert_eq(mkdir(PRIVATE_FOLDER "/all", 0777), 0);
    cr_assert_eq(chmod(PRIVATE_FOLDER "/all", 01777), 0);
    cr_assert(opens(PRIVATE_FOLDER "/all/log"));
    cr_assert_eq(link(PRIVATE_FOLDER "/all/log", PRIVATE_FOLDER "/all/other"), 0);
    cr_assert_not(opens(PRIVATE_FOLDER "/all/log"));
    cr_assert_eq(failure.trouble, LOG_TROUBLE_LINKS);
}
