/*
 * Which processes have sockets open, by what /proc shows to the caller, and what kind of process
 * each is.
 */
#ifndef LIBREUSE_PROCESSES_H
#define LIBREUSE_PROCESSES_H

#include "lookup/owner.h"
#include "socket_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A descriptor of a process that is one of the wanted sockets. */
struct user {
    uint64_t inode;
    int pid; /* as /proc numbers it */
    int fd;
};

struct processes {
    struct user *users; /* by inode, then pid, then descriptor */
    size_t count;
    size_t room;
    int *forbidden; /* processes that may not be looked into */
    size_t forbidden_count;
    int proc_error; /* the errno with which /proc could not be read, 0 */
};

/*
 * Looks for these sockets in every process; their inodes come back in ascending order. The caller
 * frees the result with processes_free().
 */
void processes_find(struct processes *processes, uint64_t *inodes, size_t count);

/* The same for the sockets of a list. */
void processes_find_of(struct processes *processes, const struct sockets *sockets);

void processes_free(struct processes *processes);

/* The users of one socket, and how many descriptors that are; NULL where none is known. */
const struct user *processes_users(const struct processes *processes, uint64_t inode,
                                   size_t *count);

/* Notes those that may not be looked into with an owner that was not found: those of the socket's
 * user, if there are such. */
void processes_note_unseen(const struct processes *processes, uint32_t uid, struct owner *owner);

/* How many different processes there are among these users. */
size_t processes_in(const struct user *users, size_t count);

/* Whether some may not be looked into, or are hidden by /proc's options. */
bool processes_may_be_unseen(const struct processes *processes);

/*
 * Why a socket that has an inode has no user here, as a text for a person: the process may not be
 * looked into, is in another PID namespace, or it is the kernel's own socket.
 */
const char *processes_why_unknown(const struct processes *processes);

/* The first of these reasons: what is missing is named after it was asked for. */
const char *processes_why_forbidden(void);

/*
 * The thread by which a process can be looked into: /proc/THREAD has what /proc/PID has not where
 * the first thread has ended, and others go on (pthread_exit(3) in main()). Else that is `pid`.
 */
int process_thread(int pid);

/* "/proc/THREAD/FILE". The caller frees it. */
char *process_path(int pid, const char *file);

/* What it runs, if it is an interpreter: script_find(); NULL where it is none. To be freed. */
char *process_runs(int pid);

/* The same for an owner that was found. */
void process_add_script(struct owner *owner);

/* The process's name, comm; "?" where it cannot be read. The caller frees it. */
char *process_program(int pid);

/* The same in the room that an owner has for it. */
void process_name(int pid, char name[PROGRAM_SIZE]);

/* The path of the program that it executes, which its name need not be; NULL. To be freed. */
char *process_file(int pid);

/* Whether it is systemd, the system's or a user's: that holds sockets for its socket units. */
bool process_is_service_manager(int pid);

/* Whether a file named libreuse.so, of whatever version or folder, is mapped into the process. */
enum presence { PRESENCE_NO, PRESENCE_YES, PRESENCE_UNKNOWN };

enum presence process_has_shim(int pid);

/*
 * The same of one line of /proc/PID/maps, whose last field is the path, and " (deleted)" where that
 * is gone. The line's end is cut off.
 */
bool process_maps_shim(char *line);

/* Whether the process is in the caller's network namespace. */
enum presence process_is_in_this_network(int pid);

/* Whether /proc has the process. */
bool process_exists(int pid);

#endif
