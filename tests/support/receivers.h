/*
 * The places where reports can go beside descriptor 2, made for one test: the sockets of the
 * journal and of the system log, and a folder for files. They are in a mount namespace of the
 * test's own, so that nothing reaches the machine's log and the machine's log is not there.
 */
#ifndef LIBREUSE_TESTS_RECEIVERS_H
#define LIBREUSE_TESTS_RECEIVERS_H

#include <stdbool.h>
#include <stddef.h>

#define JOURNAL_PATH    "/run/systemd/journal/socket"
#define SYSTEM_LOG_PATH "/dev/log"

/* An empty folder that only the test's user may write to, like all folders on the way to it. */
#define OWN_FOLDER "/run/own"

/*
 * Moves the calling process into a new mount namespace with an empty /run and a /dev in which there
 * are null, zero, full, random numbers, terminals, and nothing else. OWN_FOLDER is made. Fails the
 * running test, with the reason, where the machine does not allow it.
 */
void enter_private_files(void);

/* Mounts a new tmpfs with these options at the folder, which is created; NULL: none. */
void mount_tmpfs(const char *folder, const char *options);

/* Mounts the file system at the folder read-only from now on. */
void make_read_only(const char *folder);

/* Opens the receiving end of the path: a datagram socket. */
int receive_at(const char *path);

/* Sends to the path until its receiver's queue is full. */
void fill_receiver(const char *path);

struct datagram {
    size_t length;
    char bytes[8192]; /* a zero byte follows */
};

/* Takes the next datagram; false when there is none at the moment. */
bool receive(int receiver, struct datagram *datagram);

/* Creates a file with this content, or a folder, whatever the umask is. */
void make_file(const char *path, unsigned mode, const char *content);
void make_folder(const char *path, unsigned mode);

/* The content of a file by its path; the text lives until the test ends. NULL: no such file. */
const char *file_at(const char *path);

#endif
