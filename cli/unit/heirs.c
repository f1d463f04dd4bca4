#include "heirs.h"

#include "kernel/control_group.h"
#include "program/elf.h"
#include "systemctl.h"
#include "terminal/output.h"
#include "terminal/text.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A process that has the listener. */
struct holder_process {
    int pid;
    int fd;
    int parent;
    bool accepts; /* true, too, where that is not known */
    bool is_heir;
};

/* From field 4 of /proc/PID/stat, after the name, which may have blanks and parentheses; 0. */
static int parent_of(int pid)
{
    char text[512];
    char *path = output_format("/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    free(path);
    const size_t length = file != NULL ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file != NULL) {
        fclose(file);
    }
    text[length] = '\0';
    int parent;
    const char *end = strrchr(text, ')');
    return end != NULL && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* What was found out of a file, or of a process, is kept: an audit asks for many of each. */
struct known {
    uint64_t device; /* 0: `number` is a process */
    uint64_t number;
    bool accepts;
};

static struct known *known;
static size_t known_count;

static const struct known *find_known(uint64_t device, uint64_t number)
{
    for (size_t i = 0; i < known_count; i++) {
        if (known[i].number == number && known[i].device == device) {
            return &known[i];
        }
    }
    return NULL;
}

static bool note_known(uint64_t device, uint64_t number, bool accepts)
{
    known = output_reallocate(known, known_count + 1, sizeof known[0]);
    known[known_count++] = (struct known){device, number, accepts};
    return accepts;
}

/* As files of the C library are named, which defines accept() whether or not somebody uses it. */
static bool is_c_library(const char *path)
{
    static const char *const names[] = {"libc.so", "libc-2.", "libpthread", "ld-", "libreuse.so"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (starts_with(file_name(path), names[i])) {
            return true;
        }
    }
    return false;
}

/* Whether a name, or one that ends so, stands in the file: linkers let both share one text. */
static bool has_name(const char *content, size_t size, const char *name)
{
    return memmem(content, size, name, strlen(name) + 1) != NULL;
}

/* Who listens may accept by ways that have no name here, and so may who makes calls of its own. */
static bool content_accepts(int fd, size_t size)
{
    static const char *const names[] = {"accept", "accept4", "listen", "syscall", "io_uring_enter"};
    char *content = size > 0 ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    bool accepts = content == MAP_FAILED && size > 0;
    for (size_t i = 0; content != MAP_FAILED && i < sizeof names / sizeof names[0]; i++) {
        accepts = accepts || has_name(content, size, names[i]);
    }
    if (content != MAP_FAILED) {
        munmap(content, size);
    }
    return accepts;
}

static bool file_accepts(int pid, const char *path)
{
    struct stat file;
    char *real = output_format("/proc/%d/root%s", process_thread(pid), path);
    const int fd = open(real, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    free(real);
    if (fd < 0) {
        return true;
    }
    bool accepts = true;
    if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) {
        const struct known *before = find_known(file.st_dev, file.st_ino);
        accepts = before != NULL ? before->accepts
                                 : note_known(file.st_dev, file.st_ino,
                                              content_accepts(fd, (size_t)file.st_size));
    }
    close(fd);
    return accepts;
}

/* A static program has no table of names, and calls the kernel itself: so may a Go program. */
static bool is_readable_program(int pid)
{
    struct elf elf;
    char *path = process_path(pid, "exe");
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    const bool is_dynamic =
        fd >= 0 && elf_read(fd, &elf) == ELF_READ && elf.use == ELF_PROGRAM && !elf.is_go;
    if (fd >= 0) {
        close(fd);
    }
    return is_dynamic;
}

static bool process_accepts(int pid)
{
    const struct known *before = find_known(0, (uint64_t)pid);
    if (before != NULL) {
        return before->accepts;
    }
    struct stat identity;
    char *program = process_path(pid, "exe");
    const bool has_program = stat(program, &identity) == 0;
    const struct known *of_program =
        has_program ? find_known(identity.st_dev, identity.st_ino) : NULL;
    free(program);
    if (of_program != NULL && of_program->accepts) {
        return true; /* as most do: the program itself has the call, and nothing else matters */
    }
    char *path = process_path(pid, "maps");
    FILE *maps = fopen(path, "re");
    free(path);
    char *line = NULL;
    size_t size = 0;
    bool accepts = maps == NULL || !is_readable_program(pid);
    while (!accepts && getline(&line, &size, maps) >= 0) {
        char *file = strchr(line, '/');
        unsigned int offset;
        if (file != NULL && sscanf(line, "%*s %*s %x", &offset) == 1 && offset == 0) {
            file[strcspn(file, "\n")] = '\0';
            accepts = !is_c_library(file) && file_accepts(pid, file);
        }
    }
    free(line);
    if (maps != NULL) {
        fclose(maps);
    }
    return note_known(0, (uint64_t)pid, accepts);
}

static bool is_user(const struct holder_process *processes, size_t count, int pid)
{
    for (size_t i = 0; i < count; i++) {
        if (processes[i].pid == pid) {
            return true;
        }
    }
    return false;
}

/* The server: the first that can accept, and whose parent has not got the listener, too. */
static const struct holder_process *find_server(const struct holder_process *processes,
                                                size_t count)
{
    const struct holder_process *server = NULL;
    for (size_t i = 0; i < count; i++) {
        if (processes[i].accepts && !is_user(processes, count, processes[i].parent)) {
            return &processes[i];
        }
        if (processes[i].accepts && server == NULL) {
            server = &processes[i];
        }
    }
    return server;
}

static bool is_descendant(int pid, int ancestor)
{
    enum { GENERATIONS = 64 };
    for (int i = 0; i < GENERATIONS && pid > 1; i++) {
        if (pid == ancestor) {
            return true;
        }
        pid = parent_of(pid);
    }
    return false;
}

static bool runs_the_same(int one, int other)
{
    struct stat a;
    struct stat b;
    char *of_one = process_path(one, "exe");
    char *of_other = process_path(other, "exe");
    const bool is_same = stat(of_one, &a) != 0 || stat(of_other, &b) != 0 ||
                         (a.st_dev == b.st_dev && a.st_ino == b.st_ino);
    free(of_one);
    free(of_other);
    return is_same;
}

/* Cuts a control group behind its unit, which may have divided itself further. */
static void cut_behind_unit(char *group)
{
    static const char *const ends[] = {".service/", ".scope/"};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        char *end = strstr(group, ends[i]);
        if (end != NULL) {
            end[strlen(ends[i]) - 1] = '\0';
        }
    }
}

/* Whether systemd ends all processes of the unit when it stops it. */
static bool is_stopped_as_a_whole(const char *group)
{
    static const char *const names[] = {"KillMode", NULL};
    const char *unit = file_name(group);
    struct properties properties;
    char *why = NULL;
    if (!ends_with(unit, ".service")) {
        return false;
    }
    const bool is_known = systemctl_show(&properties, unit, names, &why);
    const char *mode = is_known ? property(&properties, "KillMode") : NULL;
    const bool is_whole =
        mode == NULL || strcmp(mode, "control-group") == 0 || strcmp(mode, "mixed") == 0;
    properties_free(&properties);
    free(why);
    return is_whole;
}

/* systemctl is asked last, and of heirs alone: a server may have hundreds of workers. */
static bool is_heir_of(const struct holder_process *process, const struct holder_process *server)
{
    char *group = control_group_of(process->pid);
    char *servers = control_group_of(server->pid);
    const bool are_known = group != NULL && servers != NULL;
    if (are_known) {
        cut_behind_unit(group);
        cut_behind_unit(servers);
    }
    const bool is_elsewhere = are_known && strcmp(group, servers) != 0;
    bool is_heir =
        is_elsewhere || !process->accepts ||
        (!is_descendant(process->pid, server->pid) && !runs_the_same(process->pid, server->pid));
    if (is_heir && are_known && !is_elsewhere) {
        is_heir = !is_stopped_as_a_whole(servers);
    }
    free(group);
    free(servers);
    return is_heir;
}

/* "sleep[44]", which the caller frees. */
static char *process_text(int pid)
{
    char *program = process_program(pid);
    char *printable = output_printable(program);
    char *text = output_format("%s[%d]", printable, pid);
    free(program);
    free(printable);
    return text;
}

static char *write_sentence(const struct holder_process *processes, size_t count, bool has_server)
{
    const struct holder_process *first = NULL;
    size_t others = 0;
    for (size_t i = 0; i < count; i++) {
        others += processes[i].is_heir && first != NULL;
        first = first == NULL && processes[i].is_heir ? &processes[i] : first;
    }
    if (first == NULL) {
        return NULL;
    }
    static const char way_out[] = "close-on-exec, or KillMode=control-group";
    char *name = process_text(first->pid);
    const char *server = has_server ? "" : " from a program that is gone";
    char *sentence = others == 0
                         ? output_format("next restart fails while %s, which has inherited this "
                                         "listener%s (fd %d), runs: %s",
                                         name, server, first->fd, way_out)
                         : output_format("next restart fails while %s and %zu more, which have "
                                         "inherited this listener%s, run: %s",
                                         name, others, server, way_out);
    free(name);
    return sentence;
}

char *heirs_sentence(const struct user *users, size_t count)
{
    struct holder_process *processes = output_allocate(count, sizeof processes[0]);
    size_t kept = 0;
    bool is_managed = false; /* systemd keeps a socket unit's by design; pid 1 ends the others */
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && users[i].pid == users[i - 1].pid) {
            continue;
        }
        const int pid = users[i].pid;
        is_managed = is_managed || pid == 1 || process_is_service_manager(pid);
        processes[kept++] = (struct holder_process){.pid = pid,
                                                    .fd = users[i].fd,
                                                    .parent = parent_of(pid),
                                                    .accepts = process_accepts(pid)};
    }
    const struct holder_process *server = find_server(processes, kept);
    for (size_t i = 0; i < kept && !is_managed; i++) {
        processes[i].is_heir =
            server == NULL || (&processes[i] != server && is_heir_of(&processes[i], server));
    }
    char *sentence = write_sentence(processes, kept, server != NULL);
    free(processes);
    return sentence;
}

void heirs_judge(struct survey *survey)
{
    for (size_t i = 0; i < survey->count; i++) {
        struct finding *finding = &survey->findings[i];
        const bool may_be = finding->reuse_port != 1 && (finding->verdict == VERDICT_CLEAN ||
                                                         finding->verdict == VERDICT_FAILS);
        size_t count;
        const struct user *users =
            processes_users(&survey->processes, finding->entry.facts.inode, &count);
        char *sentence = may_be && users != NULL ? heirs_sentence(users, count) : NULL;
        if (sentence != NULL) {
            survey->verdicts[finding->verdict]--;
            finding->verdict = VERDICT_INHERITED;
            survey->verdicts[VERDICT_INHERITED]++;
            finding->heirs = sentence;
        }
    }
}
