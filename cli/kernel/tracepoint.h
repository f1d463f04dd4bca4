/*
 * The kernel's tracepoints: which there are, by tracefs, and programs on them, by
 * perf_event_open(2). A program is taken off when the descriptor is closed.
 */
#ifndef LIBREUSE_TRACEPOINT_H
#define LIBREUSE_TRACEPOINT_H

/*
 * The folder of tracefs, where it is mounted, or else of one that is mounted for this descriptor
 * alone (fsmount(2), Linux 5.2): no namespace shows it, and it is gone when it is closed. -1 and
 * errno where there is none to be had: ENODEV where the kernel has no tracing.
 */
int tracefs_open(void);

/*
 * Puts a program on a tracepoint, as "syscalls/sys_enter_bind": the descriptor that keeps it there.
 * -1 and errno: ENOENT where the kernel has no such tracepoint.
 */
int tracepoint_attach(int tracefs_fd, const char *name, int program_fd);

#endif
