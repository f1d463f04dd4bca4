#include "ring.h"

#include <linux/bpf.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

bool ring_open(struct ring *ring, int map_fd, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    /* See ringbuf_map_mmap() in the kernel: the consumer's page, the producer's, the data twice. */
    void *consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
    if (consumer == MAP_FAILED) {
        return false;
    }
    unsigned char *producer =
        mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, map_fd, (off_t)page);
    if (producer == MAP_FAILED) {
        munmap(consumer, page);
        return false;
    }
    *ring = (struct ring){.map_fd = map_fd,
                          .size = size,
                          .page = page,
                          .consumed = consumer,
                          .produced = (const unsigned long *)(const void *)producer,
                          .data = producer + page};
    return true;
}

size_t ring_take(struct ring *ring, size_t most,
                 void (*take)(void *context, const void *record, size_t length), void *context)
{
    size_t taken = 0;
    unsigned long consumed = __atomic_load_n(ring->consumed, __ATOMIC_RELAXED);
    while (taken < most && consumed < __atomic_load_n(ring->produced, __ATOMIC_ACQUIRE)) {
        const unsigned char *record = ring->data + (consumed & (ring->size - 1));
        const uint32_t header =
            __atomic_load_n((const uint32_t *)(const void *)record, __ATOMIC_ACQUIRE);
        if ((header & BPF_RINGBUF_BUSY_BIT) != 0) {
            break; /* a processor is still writing it */
        }
        const uint32_t length =
            header & ~(uint32_t)(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
        if ((header & BPF_RINGBUF_DISCARD_BIT) == 0) {
            take(context, record + BPF_RINGBUF_HDR_SZ, length);
            taken++;
        }
        consumed += (length + BPF_RINGBUF_HDR_SZ + 7) / 8 * 8;
        __atomic_store_n(ring->consumed, consumed, __ATOMIC_RELEASE);
    }
    return taken;
}

void ring_close(struct ring *ring)
{
    munmap(ring->consumed, ring->page);
    munmap((void *)(uintptr_t)ring->produced, ring->page + 2 * ring->size);
    *ring = (struct ring){0};
}
