/*
 * bpf(2), called directly: maps, programs, where they are attached, and pinned objects. Descriptors
 * are closed on exec; what is not pinned is gone with the last of them, however the process ends.
 *
 * A function that fails returns -1, or false, with the kernel's errno.
 */
#ifndef LIBREUSE_BPF_H
#define LIBREUSE_BPF_H

#include "assembler.h"

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
    const char *name; /* as that of a program */
    enum bpf_map_type type;
    uint32_t key_size;
    uint32_t value_size;
    uint32_t entries; /* of a ring buffer: its bytes, a power of two and whole pages */
    uint32_t flags;   /* BPF_F_NO_PREALLOC, ... */
};

/* Makes a map. Before Linux 5.11 that counts as locked memory: the limit is raised where needed. */
int bpf_map_create(const struct map *map);

/* Key and value are of the map's sizes. `flags`: BPF_ANY, BPF_NOEXIST, BPF_EXIST. */
bool bpf_map_lookup(int map_fd, const void *key, void *value);
bool bpf_map_update(int map_fd, const void *key, const void *value, uint64_t flags);
bool bpf_map_delete(int map_fd, const void *key);

/* The key after `key`, the first one for NULL. False with ENOENT at the end. */
bool bpf_map_next(int map_fd, const void *key, void *next);

/*
 * Loads a program, after assembling it. Where that fails, `*why` is what the kernel's verifier says
 * (its last lines), or what the assembler says with errno EINVAL; empty where neither says
 * anything. The caller frees it. `attach_type` counts for programs of control groups, else it is 0.
 */
int bpf_program_load(enum bpf_prog_type type, enum bpf_attach_type attach_type,
                     const struct bpf_program *program, const struct names *names, char **why);

/*
 * Attaches a program of control groups to a folder of the cgroup2 file system, by a link: it is
 * detached when the link's last descriptor is closed and the link is not pinned (Linux 5.7).
 */
int bpf_cgroup_link(int program_fd, int group_fd, enum bpf_attach_type type);

/*
 * The IDs of the programs at a control group for these events, in the order in which they run;
 * those of its parents, which run after them, are not among them. False and errno; ENOSPC where
 * there are more than `count`, which becomes how many there are.
 */
bool bpf_cgroup_programs(int group_fd, enum bpf_attach_type type, uint32_t *ids, uint32_t *count);

/* Opens a program by its ID. */
int bpf_program_open(uint32_t id);

/* Fills struct bpf_map_info, bpf_prog_info or bpf_link_info of that size, which is zero before. */
bool bpf_describe(int fd, void *info, size_t size);

/* Pins an object at a path of the bpf file system, and opens what is pinned there. */
bool bpf_pin(int fd, const char *path);
int bpf_open_pinned(const char *path);

#endif
