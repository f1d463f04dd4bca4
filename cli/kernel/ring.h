/*
 * The reader of a BPF ring buffer (Linux 5.8): records of the kernel's programs, in the order in
 * which they were made, from every processor.
 */
#ifndef LIBREUSE_RING_H
#define LIBREUSE_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring {
    int map_fd; /* readable (poll(2)) while there are records */
    size_t size;
    size_t page;
    unsigned long *consumed;       /* shared with the kernel, and written here */
    const unsigned long *produced; /* and there */
    const unsigned char *data;     /* mapped twice, so that each record is in one piece */
};

/* Opens the ring buffer of a map of that size in bytes. False and errno where it cannot be. */
bool ring_open(struct ring *ring, int map_fd, size_t size);

/*
 * Gives the records that are there, `most` of them at most, to `take`; each is valid during the
 * call only. The result is how many there were. Does not wait.
 */
size_t ring_take(struct ring *ring, size_t most,
                 void (*take)(void *context, const void *record, size_t length), void *context);

/* Does not close the map. */
void ring_close(struct ring *ring);

#endif
