#include "guards.h"

#include "deadline.h"
#include "invoke.h"
#include "namespace.h"
#include "skip.h"
#include "target.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

char group_folder[256];
char group[64];

/* A forked host waits for the end of this process, and this one would wait for its. */
void remove_group(void)
{
    FILE *kill_all = fopen(path_in(group_folder, "cgroup.kill"), "we");
    if (kill_all != NULL) {
        fputs("1", kill_all);
        fclose(kill_all);
    }
    for (int i = 0; i < 200 && rmdir(group_folder) != 0 && errno == EBUSY; i++) {
        usleep(10000); /* the hosts in it are about to end */
    }
}

/* A BPF file system that nobody else sees, and an empty control group. */
void enter_private_guards(void)
{
    static const char *const mounts[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"};
    enter_private_folder();
    enter_private_network();
    if (mount("bpf", PINS, "bpf", 0, "mode=700") != 0) {
        skip_because("no BPF file system can be mounted: %s", strerror(errno));
    }
    snprintf(group, sizeof group, "/libreuse-test-%d", (int)getpid());
    for (size_t i = 0; i < 2; i++) {
        snprintf(group_folder, sizeof group_folder, "%s%s/cgroup.procs", mounts[i], group);
        group_folder[strlen(group_folder) - strlen("/cgroup.procs")] = '\0';
        char *controllers = path_in(mounts[i], "cgroup.controllers");
        if (access(controllers, F_OK) == 0 && mkdir(group_folder, 0755) == 0) {
            atexit(remove_group);
            return;
        }
    }
    skip_because("no control group can be made");
}

void guard_on(void)
{
    struct program program = {.path = LIBREUSE_PATH, .arguments = {"guard", "on", group}};
    struct process process = start(program);
    EVENTUALLY(has_ended(&process));
    cr_assert_null(strstr(errors_of(&process), "does not load"), "%s", errors_of(&process));
    if (process.status != 0) {
        skip_because("%s", errors_of(&process));
    }
    expect_said(&process, "is armed, and its restart works\n");
}

void put_into_group(pid_t pid)
{
    write_file(path_in(group_folder, "cgroup.procs"), text_of(pid), 0644);
}
