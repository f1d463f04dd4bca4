#include "owner.h"

#include "guest/kernel.h"
#include "guest/kernel_sockets.h"
#include "guest/line.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct search {
    uint32_t uid;
    int64_t deadline;
    int own_pid; /* as /proc numbers it: a process that is left out; 0: none is */
    struct owner *owner;
    bool is_forbidden; /* the process that is being looked into may not be */
    bool is_empty;     /* no descriptor was seen in the last folder */
    int folder_error;  /* the errno with which that could not be opened, 0 */
    bool has_unseen;   /* those of the user are enough */
    size_t link_length;
    char link[32]; /* "socket:[INODE]" */
};

/* How many of the own descriptors are looked at without /proc. */
enum { OWN_DESCRIPTORS = 1024 };

/* getsockopt(2) first: fstat(2) of a file may wait for a server. */
static bool is_own_descriptor(int fd, uint64_t inode)
{
    int type;
    socklen_t length = sizeof type;
    struct kernel_file file;
    return kernel_get_option(fd, SOL_SOCKET, SO_TYPE, &type, &length) && kernel_file(fd, &file) &&
           file.inode == inode;
}

static bool reads_number(const char *text, int *number)
{
    *number = 0;
    size_t digits = 0;
    while (text[digits] >= '0' && text[digits] <= '9' && digits < 9) {
        *number = *number * 10 + (text[digits++] - '0');
    }
    return digits > 0 && text[digits] == '\0';
}

/* An entry as getdents64(2) gives it. */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    unsigned char type;
    char name[];
};

/* A part of a folder: one getdents64(2). */
struct part {
    size_t length;
    size_t next;
    _Alignas(struct entry) char bytes[512];
};

/* The next entry whose name is a number; negative where the part has no more. */
static int next_number(struct part *part)
{
    int number;
    while (part->next + offsetof(struct entry, name) < part->length) {
        const struct entry *entry = (const struct entry *)(const void *)&part->bytes[part->next];
        part->next += entry->size;
        if (reads_number(entry->name, &number)) {
            return number;
        }
    }
    return -1;
}

static void note_refusal(struct search *search, int error)
{
    if (search->owner->search == OWNER_FOUND) {
        return;
    }
    if (error == EACCES || error == EPERM) {
        search->owner->search = OWNER_FORBIDDEN;
        search->is_forbidden = true;
    } else if (error != ENOENT && error != ESRCH) { /* those are of a process that has ended */
        search->owner->search = OWNER_REFUSED;
        search->owner->error = error;
    }
}

static bool read_part(struct search *search, int folder_fd, struct part *part)
{
    const long length = kernel_read_folder(folder_fd, part->bytes, sizeof part->bytes);
    if (length < 0) {
        note_refusal(search, errno);
    }
    part->length = length > 0 ? (size_t)length : 0;
    part->next = 0;
    return length > 0;
}

static void write_text(char *text, size_t size, int number, const char *rest)
{
    struct line line = {.text = text, .size = size};
    line_number(&line, (unsigned int)number);
    line_text(&line, rest);
    text[line.length] = '\0';
}

static bool is_time_up(struct search *search)
{
    if (!kernel_is_past(search->deadline)) {
        return false;
    }
    if (search->owner->search == OWNER_FOUND) {
        return true;
    }
    const bool has_clock = kernel_milliseconds() != 0;
    search->owner->error = has_clock ? 0 : errno;
    search->owner->search = has_clock ? OWNER_TIME_UP : OWNER_REFUSED;
    return true;
}

/* Whether the link of this descriptor is to the socket. */
static bool is_wanted(struct search *search, int folder_fd, int fd)
{
    char name[16];
    char link[sizeof search->link] = "";
    write_text(name, sizeof name, fd, "");
    const long length = kernel_read_link(folder_fd, name, link, sizeof link);
    if (length < 0) {
        note_refusal(search, errno);
    }
    size_t same = 0;
    while (same < search->link_length && link[same] == search->link[same]) {
        same++;
    }
    return length == (long)search->link_length && same == search->link_length;
}

/* Reads the name from a process's "comm" and closes that. */
static void read_program(int comm_fd, char program[PROGRAM_SIZE])
{
    const long length = comm_fd < 0 ? 0 : kernel_read(comm_fd, program, PROGRAM_SIZE);
    program[length > 0 ? length - 1 : 0] = '\0'; /* in the place of a newline */
    if (comm_fd >= 0) {
        kernel_close(comm_fd);
    }
}

static void name(struct owner *owner, int pid, const char program[PROGRAM_SIZE])
{
    if (owner->named_count < SHARERS_NAMED) {
        struct sharer *sharer = &owner->named[owner->named_count++];
        sharer->pid = pid;
        memcpy(sharer->program, program, PROGRAM_SIZE);
    }
}

void owner_note(struct owner *owner, int pid, int fd, const char program[PROGRAM_SIZE])
{
    if (owner->search != OWNER_FOUND) {
        owner->search = OWNER_FOUND;
        owner->pid = pid;
        owner->fd = fd;
        memcpy(owner->program, program, PROGRAM_SIZE);
        owner->unseen = 0;
        owner->named_count = 0;
        return;
    }
    owner->sharers++;
    if (strncmp(program, owner->program, PROGRAM_SIZE) != 0) {
        name(owner, pid, program);
    }
}

void owner_note_unseen(struct owner *owner, int pid, const char program[PROGRAM_SIZE])
{
    owner->unseen++;
    name(owner, pid, program);
}

/* How /proc calls the calling process, since it need not be mounted in our PID namespace; or 0. */
static int own_number(void)
{
    char link[16];
    int own;
    const long length = kernel_read_link(-1, "/proc/self", link, sizeof link - 1);
    link[length > 0 ? length : 0] = '\0';
    return reads_number(link, &own) ? own : 0;
}

static void read_program_of(int proc_fd, int pid, char program[PROGRAM_SIZE])
{
    char path[16];
    write_text(path, sizeof path, pid, "/comm");
    read_program(kernel_open_in(proc_fd, path), program);
}

/* Looks through a folder of descriptors. True when it has the socket, or the time is up. */
static bool search_descriptors(struct search *search, int folder_fd, int *found)
{
    struct part part;
    while (read_part(search, folder_fd, &part)) {
        for (int fd = next_number(&part); fd >= 0; fd = next_number(&part)) {
            search->is_empty = false;
            if (is_wanted(search, folder_fd, fd)) {
                *found = fd;
                return true;
            }
        }
        if (is_time_up(search)) {
            return true;
        }
    }
    return false;
}

/* Looks through a process by the folder of one of its threads. True when the time is up. */
static bool search_thread(struct search *search, int proc_fd, int pid, int thread)
{
    char path[16];
    int found = -1;
    write_text(path, sizeof path, thread, "/fd");
    const int folder_fd = kernel_open_in(proc_fd, path);
    search->is_empty = true;
    search->folder_error = folder_fd < 0 ? errno : 0;
    if (folder_fd < 0) {
        return false;
    }
    const bool over = search_descriptors(search, folder_fd, &found);
    kernel_close(folder_fd);
    if (found >= 0) {
        char program[PROGRAM_SIZE] = "";
        read_program_of(proc_fd, pid, program);
        owner_note(search->owner, pid, found, program);
    }
    return over && found < 0;
}

/*
 * The oldest thread of a process besides its first; 0 where there is none, as in a zombie and in a
 * thread of the kernel. A folder has a link to it from each folder in it, and two of its own.
 */
static int other_thread(struct search *search, int proc_fd, int pid)
{
    enum { LINKS_WITH_ONE_THREAD = 3 };
    char path[16];
    struct kernel_file folder;
    struct part part;
    int thread = 0;
    write_text(path, sizeof path, pid, "/task");
    if (!kernel_file_in(proc_fd, path, &folder) || folder.links <= LINKS_WITH_ONE_THREAD) {
        return 0;
    }
    const int folder_fd = kernel_open_in(proc_fd, path);
    if (folder_fd < 0) {
        return 0;
    }
    while (thread <= 0 && read_part(search, folder_fd, &part)) {
        do {
            thread = next_number(&part);
        } while (thread == pid);
    }
    kernel_close(folder_fd);
    return thread > 0 ? thread : 0;
}

/*
 * True when the time is up. The folder of a process whose first thread has ended is empty, and
 * root's alone: those of its other threads have its descriptors.
 */
static bool search_process(struct search *search, int proc_fd, int pid)
{
    search->is_forbidden = false;
    bool over = search_thread(search, proc_fd, pid, pid);
    const int other = search->is_empty && !over ? other_thread(search, proc_fd, pid) : 0;
    if (other != 0) {
        over = search_thread(search, proc_fd, pid, other);
    }
    if (search->folder_error != 0) {
        note_refusal(search, search->folder_error);
    }
    if (search->is_forbidden && !search->has_unseen) {
        char program[PROGRAM_SIZE] = "";
        read_program_of(proc_fd, pid, program);
        owner_note_unseen(search->owner, pid, program);
    }
    return over;
}

static bool is_of_user(int proc_fd, int pid, uint32_t uid)
{
    char name[16];
    struct kernel_file folder;
    write_text(name, sizeof name, pid, "");
    return kernel_file_in(proc_fd, name, &folder) && folder.uid == uid;
}

/* Looks through those processes that are, or are not, of the socket's user. True when the time is
 * up. */
static bool search_processes(struct search *search, int proc_fd, bool of_user)
{
    struct part part;
    while (read_part(search, proc_fd, &part)) {
        for (int pid = next_number(&part); pid >= 0; pid = next_number(&part)) {
            if (search->owner->search == OWNER_NO_PROC) {
                search->owner->search = OWNER_HIDDEN; /* now there is a process in it */
            }
            if (pid != search->own_pid && is_of_user(proc_fd, pid, search->uid) == of_user &&
                search_process(search, proc_fd, pid)) {
                return true;
            }
        }
        if (is_time_up(search)) {
            return true;
        }
    }
    return false;
}

/* The processes of the socket's user first: the time is short, and few others are likely. */
static void search_proc(struct search *search)
{
    bool over = false;
    for (int pass = 0; pass < 2 && !over; pass++) {
        const int proc_fd = kernel_open("/proc");
        if (proc_fd < 0) {
            note_refusal(search, errno);
            return;
        }
        over = search_processes(search, proc_fd, pass == 0);
        kernel_close(proc_fd);
        search->has_unseen = search->owner->unseen > 0;
    }
}

static void prepare(struct search *search, uint64_t inode)
{
    struct line link = {.text = search->link, .size = sizeof search->link};
    line_text(&link, "socket:[");
    line_number(&link, inode);
    line_text(&link, "]");
    search->link_length = link.length;
}

static bool search_own_descriptors(uint64_t inode, struct owner *owner)
{
    for (int fd = 0; fd < OWN_DESCRIPTORS; fd++) {
        if (is_own_descriptor(fd, inode)) {
            char program[PROGRAM_SIZE] = "";
            read_program(kernel_open("/proc/self/comm"), program);
            owner_note(owner, kernel_process(), fd, program);
            owner->this_process = true;
            return true;
        }
    }
    return false;
}

bool owner_may_be_hidden(void)
{
    struct kernel_file folder;
    return !kernel_file_at("/proc/1", &folder) && errno == ENOENT;
}

void owner_find(uint64_t inode, uint32_t uid, int64_t deadline, struct owner *owner)
{
    *owner = (struct owner){.search = OWNER_NONE};
    if (inode == 0 || search_own_descriptors(inode, owner)) {
        return;
    }
    struct search search = {.uid = uid, .deadline = deadline, .owner = owner};
    prepare(&search, inode);
    owner->search = OWNER_NO_PROC;
    search_proc(&search);
    if (owner->search == OWNER_HIDDEN && owner_may_be_hidden()) {
        owner->search = OWNER_FORBIDDEN;
    }
    owner->this_process = owner->search == OWNER_FOUND && owner->pid == own_number();
}

void owner_find_sharers(uint64_t inode, uint32_t uid, int64_t deadline, struct owner *owner)
{
    struct search search = {
        .uid = uid, .deadline = deadline, .own_pid = own_number(), .owner = owner};
    if (owner->this_process && search.own_pid != 0) {
        prepare(&search, inode);
        search_proc(&search);
    }
}
