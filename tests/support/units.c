#include "units.h"

#include "namespace.h"
#include "skip.h"
#include "target.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define STAND_IN PRIVATE_FOLDER "/systemctl"
#define SHOWN    PRIVATE_FOLDER "/units/"

void enter_private_units(void)
{
    static const char stand_in[] = "#!/bin/sh\n"
                                   "if [ \"$1\" = show-environment ]; then\n"
                                   "    cat " SHOWN "environment 2>/dev/null\n"
                                   "    exit 0\n"
                                   "fi\n"
                                   "for unit; do :; done\n"
                                   "cat \"" SHOWN "$unit\" 2>/dev/null ||\n"
                                   "    printf 'Id=%s\\nLoadState=not-found\\n' \"$unit\"\n";
    enter_private_folder();
    if (mount("tmpfs", UNITS, "tmpfs", 0, "mode=755") != 0) {
        skip_because("no folder can be mounted on %s: %s", UNITS, strerror(errno));
    }
    cr_assert_eq(mkdir(SHOWN, 0755), 0);
    write_file(STAND_IN, stand_in, 0755);
    char *path;
    cr_assert_geq(asprintf(&path, PRIVATE_FOLDER ":%s", getenv("PATH")), 0);
    setenv("PATH", path, 1);
    free(path);
}

void show_exactly(const char *name, const char *text)
{
    write_file(path_in(SHOWN, name), text, 0644);
}

void show_unit(const char *name, const char *lines)
{
    char *text;
    cr_assert_geq(asprintf(&text,
                           "Id=%s\nLoadState=loaded\nActiveState=inactive\nMainPID=0\n"
                           "NeedDaemonReload=no\nSystemCallFilter=~\nRestrictAddressFamilies=~\n"
                           "ExecStart={ path=" TARGETS "dynamic ; argv[]=x ; ignore_errors=no }\n"
                           "%s\n",
                           name, lines),
                  0);
    show_exactly(name, text);
    free(text);
}

void show_environment(const char *text)
{
    show_exactly("environment", text);
}

void break_systemctl(int status, const char *message)
{
    char *script;
    cr_assert_geq(asprintf(&script, "#!/bin/sh\necho '%s' >&2\nexit %d\n", message, status), 0);
    write_file(STAND_IN, script, 0755);
    free(script);
}

void remove_systemctl(void)
{
    cr_assert_eq(unlink(STAND_IN), 0);
    setenv("PATH", PRIVATE_FOLDER, 1);
}

char *file_content(const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return NULL;
    }
    char *text = content_of(fd);
    close(fd);
    return text;
}

void expect_entries(const char *path, unsigned int count)
{
    unsigned int found = 0;
    DIR *folder = opendir(path);
    for (const struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        found += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    cr_assert_eq(found, count, "%s has %u entries", path, found);
}
