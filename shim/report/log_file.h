/*
 * Opens the file that LIBREUSE_LOG names. Where everybody may write to a folder, what is in it
 * could be anybody's: a symbolic link is not followed, neither as the file, nor on the way to it,
 * nor on the way that another link leads; a file or a folder that belongs neither to the host's
 * user nor to root is not used, nor is a file with a second link, which may be another file's. So
 * the path is walked step by step, from folder to open folder.
 *
 * Async-signal-safe. errno is left changed.
 */
#ifndef LIBREUSE_LOG_FILE_H
#define LIBREUSE_LOG_FILE_H

#include "explain/facts.h"

/*
 * A descriptor for appending, which does not wait and is for kernel_close(); the file is created
 * with mode 0640 where it does not exist. -1 where it cannot be opened or must not be: `failure`
 * says why.
 */
int log_file_open(const char *path, struct log_failure *failure);

#endif
