/*
 * The sockets of other processes: a copy of the descriptor by pidfd_getfd(2), since Linux 5.6,
 * through which the socket's options are read and set as its own process would.
 */
#ifndef LIBREUSE_REMOTE_H
#define LIBREUSE_REMOTE_H

#include <stdint.h>

/* A process whose sockets are looked at; sockets of the same process one after another cost less.
 */
struct remote {
    int pid; /* 0: none yet */
    int pidfd;
    int error; /* why the process could not be opened; 0 */
};

#define REMOTE_NONE ((struct remote){0, -1, 0})

/*
 * The socket that is descriptor `fd` of the process, as a descriptor of the caller's that he
 * closes. -1 and errno: EPERM where it is not permitted, ENOSYS before Linux 5.6, ESRCH or EBADF
 * where the process or the descriptor is gone, or the descriptor is another socket by now.
 */
int remote_socket(struct remote *remote, int pid, int fd, uint64_t inode);

void remote_close(struct remote *remote);

/* Why remote_socket() failed, and what would help. The caller frees it. */
char *remote_explain(int pid, int error);

#endif
