#include "bpf.h"

#include "terminal/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the verifier says of a program can be long; its last lines tell what is wrong. */
enum { LOG_SIZE = 1 << 20, LOG_SHOWN = 1500 };

/* Unused members and padding must be zero, which an initializer does not promise. */
static union bpf_attr *nothing(union bpf_attr *attr)
{
    memset(attr, 0, sizeof *attr);
    return attr;
}

static int call(int command, union bpf_attr *attr)
{
    return (int)syscall(SYS_bpf, command, attr, sizeof *attr);
}

/* The kernel takes every address as 64 bits. */
static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static void set_name(char to[BPF_OBJ_NAME_LEN], const char *name)
{
    memcpy(to, name, strnlen(name, BPF_OBJ_NAME_LEN - 1));
}

static bool raise_memory_limit(void)
{
    const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
    return setrlimit(RLIMIT_MEMLOCK, &all) == 0;
}

/* Before Linux 5.11 too little memory that may be locked is EPERM, as missing rights are. */
static int call_with_memory(int command, union bpf_attr *attr)
{
    const int fd = call(command, attr);
    if (fd >= 0 || errno != EPERM) {
        return fd;
    }
    if (!raise_memory_limit()) {
        errno = EPERM;
        return -1;
    }
    return call(command, attr);
}

int bpf_map_create(const struct map *map)
{
    union bpf_attr attr;
    nothing(&attr)->map_type = map->type;
    attr.key_size = map->key_size;
    attr.value_size = map->value_size;
    attr.max_entries = map->entries;
    attr.map_flags = map->flags;
    set_name(attr.map_name, map->name);
    return call_with_memory(BPF_MAP_CREATE, &attr);
}

static bool call_for_element(int command, int map_fd, const void *key, const void *value,
                             uint64_t flags)
{
    union bpf_attr attr;
    nothing(&attr)->map_fd = (uint32_t)map_fd;
    attr.key = address_of(key);
    attr.value = address_of(value);
    attr.flags = flags;
    return call(command, &attr) == 0;
}

bool bpf_map_lookup(int map_fd, const void *key, void *value)
{
    return call_for_element(BPF_MAP_LOOKUP_ELEM, map_fd, key, value, 0);
}

bool bpf_map_update(int map_fd, const void *key, const void *value, uint64_t flags)
{
    return call_for_element(BPF_MAP_UPDATE_ELEM, map_fd, key, value, flags);
}

bool bpf_map_delete(int map_fd, const void *key)
{
    return call_for_element(BPF_MAP_DELETE_ELEM, map_fd, key, NULL, 0);
}

bool bpf_map_next(int map_fd, const void *key, void *next)
{
    return call_for_element(BPF_MAP_GET_NEXT_KEY, map_fd, key, next, 0);
}

/* Asks again, with the verifier's log. The errno is that of the first time. */
static char *ask_why(union bpf_attr *attr)
{
    const int error = errno;
    char *log = output_allocate(LOG_SIZE, 1);
    attr->log_level = 1;
    attr->log_size = LOG_SIZE;
    attr->log_buf = address_of(log);
    const int fd = call(BPF_PROG_LOAD, attr);
    if (fd >= 0) {
        close(fd);
    }
    const size_t length = strnlen(log, LOG_SIZE);
    char *why = output_format("%s", log + (length > LOG_SHOWN ? length - LOG_SHOWN : 0));
    free(log);
    errno = error;
    return why;
}

int bpf_program_load(enum bpf_prog_type type, enum bpf_attach_type attach_type,
                     const struct bpf_program *program, const struct names *names, char **why)
{
    struct instructions instructions;
    *why = NULL;
    if (!assemble(program, names, &instructions, why)) {
        errno = EINVAL;
        return -1;
    }
    union bpf_attr attr;
    nothing(&attr)->prog_type = type;
    attr.expected_attach_type = attach_type;
    attr.insns = address_of(instructions.list);
    attr.insn_cnt = (uint32_t)instructions.count;
    attr.license = address_of("GPL"); /* without it the kernel refuses most helper functions */
    set_name(attr.prog_name, program->name);
    const int fd = call_with_memory(BPF_PROG_LOAD, &attr);
    if (fd < 0) {
        *why = ask_why(&attr);
    }
    const int error = errno;
    free(instructions.list);
    errno = error;
    return fd;
}

int bpf_cgroup_link(int program_fd, int group_fd, enum bpf_attach_type type)
{
    union bpf_attr attr;
    nothing(&attr)->link_create.prog_fd = (uint32_t)program_fd;
    attr.link_create.target_fd = (uint32_t)group_fd;
    attr.link_create.attach_type = type;
    return call(BPF_LINK_CREATE, &attr);
}

bool bpf_cgroup_programs(int group_fd, enum bpf_attach_type type, uint32_t *ids, uint32_t *count)
{
    union bpf_attr attr;
    nothing(&attr)->query.target_fd = (uint32_t)group_fd;
    attr.query.attach_type = type;
    attr.query.prog_ids = address_of(ids);
    attr.query.prog_cnt = *count;
    const bool done = call(BPF_PROG_QUERY, &attr) == 0;
    *count = attr.query.prog_cnt;
    return done;
}

int bpf_program_open(uint32_t id)
{
    union bpf_attr attr;
    nothing(&attr)->prog_id = id;
    return call(BPF_PROG_GET_FD_BY_ID, &attr);
}

bool bpf_describe(int fd, void *info, size_t size)
{
    union bpf_attr attr;
    nothing(&attr)->info.bpf_fd = (uint32_t)fd;
    attr.info.info = address_of(info);
    attr.info.info_len = (uint32_t)size;
    return call(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0;
}

bool bpf_pin(int fd, const char *path)
{
    union bpf_attr attr;
    nothing(&attr)->pathname = address_of(path);
    attr.bpf_fd = (uint32_t)fd;
    return call(BPF_OBJ_PIN, &attr) == 0;
}

int bpf_open_pinned(const char *path)
{
    union bpf_attr attr;
    nothing(&attr)->pathname = address_of(path);
    return call(BPF_OBJ_GET, &attr);
}
