#include "watcher.h"

#include "btf.h"
#include "guest/kernel.h"
#include "terminal/output.h"
#include "tracepoint.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The first with a ring buffer for programs. */
enum { MAJOR = 5, MINOR = 8 };

/* Since Linux 5.8; <linux/capability.h> of older headers does not have them. */
enum { PERFMON = 38, BPF = 39 };

static char *another_way(const char *what)
{
    return output_format("%s; to watch one program: libreuse run PROGRAM, or strace -f -e "
                         "trace=bind,listen -p PID",
                         what);
}

static bool kernel_is_locked_down(void)
{
    char text[128] = "";
    const int fd = open("/sys/kernel/security/lockdown", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        const ssize_t length = read(fd, text, sizeof text - 1);
        text[length > 0 ? length : 0] = '\0';
        close(fd);
    }
    return strstr(text, "[confidentiality]") != NULL;
}

static bool has_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {0};
    if (syscall(SYS_capget, &header, data) != 0) {
        return true; /* then the calls themselves tell */
    }
    const uint32_t admin = data[0].effective >> CAP_SYS_ADMIN & 1;
    const uint32_t both = data[1].effective >> (PERFMON - 32) & data[1].effective >> (BPF - 32) & 1;
    return admin != 0 || both != 0;
}

static char *explain_rights(const char *call)
{
    if (!has_capabilities()) {
        return geteuid() == 0
                   ? output_format("root has neither CAP_SYS_ADMIN nor CAP_BPF and CAP_PERFMON "
                                   "here, as in a container: run it on the host, which sees the "
                                   "programs in containers, too")
                   : output_format("needs CAP_BPF and CAP_PERFMON: run it as root");
    }
    if (kernel_is_locked_down()) {
        return another_way("the kernel is locked down to confidentiality "
                           "(/sys/kernel/security/lockdown), and lets no program read its memory");
    }
    return output_format("%s is refused, although the capabilities are there: by a filter "
                         "(seccomp) or a security module, or in a user namespace of a container; "
                         "run it on the host",
                         call);
}

static char *explain_error(const char *call, int error, const char *log)
{
    if (error == EPERM || error == EACCES) {
        /* EACCES is what the verifier says, too */
        if (log == NULL || log[0] == '\0') {
            return explain_rights(call);
        }
    } else if (error == ENOSYS) {
        return another_way("this kernel was built without it (CONFIG_BPF_SYSCALL, "
                           "CONFIG_PERF_EVENTS)");
    }
    return output_format("%s: %s%s%s", call, strerror(error), log != NULL ? "\n" : "",
                         log != NULL ? log : "");
}

static bool fits_the_kernel(char **why)
{
    struct utsname name;
    uname(&name);
    if (!kernel_is_at_least(MAJOR, MINOR)) {
        char *what = output_format("this kernel, %s, cannot tell of its system calls in a ring "
                                   "buffer of BPF: that needs Linux %d.%d",
                                   name.release, MAJOR, MINOR);
        *why = another_way(what);
        free(what);
    } else if (sizeof(long) == 4) {
        *why = output_format("this is a 32-bit libreuse, and a kernel's tracepoints do not see "
                             "32-bit programs: install that of the 64-bit system");
    } else if (kernel_is_locked_down()) {
        *why = explain_rights("bpf(2)");
    }
    return *why == NULL;
}

static bool find_layout(struct watch_layout *layout, char **why)
{
    struct btf btf;
    const char *missing;
    if (!btf_load(&btf)) {
        *why = errno == EPERM || errno == EACCES
                   ? explain_rights("/sys/kernel/btf/vmlinux")
                   : another_way("this kernel does not describe its own structures "
                                 "(/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF)");
        return false;
    }
    if (!watch_layout_find(layout, &btf, &missing)) {
        *why = output_format("this kernel's structures are not as they were up to Linux 7: there "
                             "is no \"%s\"; is there a newer libreuse?",
                             missing);
    }
    btf_free(&btf);
    return *why == NULL;
}

static bool make_maps(struct watcher *watcher, char **why)
{
    for (enum watch_map map = 0; map < WATCH_MAPS; map++) {
        watcher->maps[map] = watch_map_create(map);
        if (watcher->maps[map] < 0) {
            *why = explain_error("bpf(2)", errno, NULL);
            return false;
        }
    }
    return true;
}

static bool load_programs(struct watcher *watcher, char **why)
{
    for (enum watch_program program = 0; program < WATCH_PROGRAMS; program++) {
        char *log;
        watcher->programs[program] =
            watch_program_load(program, watcher->maps, &watcher->layout, &log);
        if (watcher->programs[program] < 0) {
            *why = explain_error("bpf(2)", errno, log);
            free(log);
            return false;
        }
        free(log);
    }
    return true;
}

static char *explain_tracepoints(int error)
{
    if (error == ENOENT) {
        return another_way("this kernel has no tracepoints of system calls "
                           "(CONFIG_FTRACE_SYSCALLS)");
    }
    return explain_error("perf_event_open(2)", error, NULL);
}

static bool attach(struct watcher *watcher, char **why)
{
    const int tracefs = tracefs_open();
    if (tracefs < 0) {
        *why = errno == ENODEV ? another_way("this kernel was built without tracing "
                                             "(CONFIG_FTRACE)")
                               : explain_error("tracefs", errno, NULL);
        return false;
    }
    if (faccessat(tracefs, "events/syscalls/sys_enter_socketcall", F_OK, 0) == 0) {
        *why = another_way("on this kind of machine (s390x, say) programs bind by socketcall(2), "
                           "which is not watched yet");
    }
    for (enum watch_program program = 0; program < WATCH_PROGRAMS && *why == NULL; program++) {
        watcher->tracepoints[program] =
            tracepoint_attach(tracefs, watch_program_place(program), watcher->programs[program]);
        if (watcher->tracepoints[program] < 0) {
            *why = explain_tracepoints(errno);
        }
    }
    close(tracefs);
    return *why == NULL;
}

struct test {
    bool seen;
    int process;
};

/* A bind() of descriptor -1 with this length is nobody else's. */
enum { TEST_LENGTH = 77 };

static void find_test(void *context, const void *bytes, size_t length)
{
    struct test *test = context;
    const struct watch_record *record = bytes;
    if (length >= sizeof *record && record->kind == WATCH_BIND_FAILED && record->fd == -1 &&
        record->error == EBADF && record->length == TEST_LENGTH) {
        test->seen = true;
        test->process = (int)record->process;
    }
}

static bool hears_itself(struct watcher *watcher, char **why)
{
    struct test test = {0};
    const unsigned char nothing[TEST_LENGTH] = {0};
    for (int tries = 0; tries < 100 && !test.seen; tries++) {
        bind(-1, (const struct sockaddr *)(const void *)nothing, sizeof nothing);
        ring_take(&watcher->ring, SIZE_MAX, find_test, &test);
    }
    if (test.seen && test.process != getpid()) {
        *why = output_format("this is a PID namespace of its own, as in a container: process IDs "
                             "are others here than the kernel tells; run it on the host, or in a "
                             "container that shares its processes (--pid=host)");
        return false;
    }
    if (!test.seen) {
        *why = another_way("the kernel has taken everything, but tells nothing, not even of this "
                           "program's own failing bind()");
    }
    return test.seen;
}

bool watcher_open(struct watcher *watcher, char **why)
{
    *watcher = (struct watcher){0};
    *why = NULL;
    for (size_t i = 0; i < WATCH_MAPS; i++) {
        watcher->maps[i] = -1;
    }
    for (size_t i = 0; i < WATCH_PROGRAMS; i++) {
        watcher->programs[i] = -1;
        watcher->tracepoints[i] = -1;
    }
    if (fits_the_kernel(why) && make_maps(watcher, why) && find_layout(&watcher->layout, why) &&
        load_programs(watcher, why) && attach(watcher, why)) {
        if (!ring_open(&watcher->ring, watcher->maps[WATCH_RING], WATCH_RING_SIZE)) {
            *why = explain_error("mmap(2)", errno, NULL);
        } else if (hears_itself(watcher, why)) {
            return true;
        }
    }
    watcher_close(watcher);
    return false;
}

int watcher_fd(const struct watcher *watcher)
{
    return watcher->ring.map_fd;
}

struct taking {
    void (*take)(void *context, const struct watch_record *record);
    void *context;
    int self;
};

static void take_record(void *context, const void *bytes, size_t length)
{
    const struct taking *taking = context;
    const struct watch_record *record = bytes;
    if (length >= sizeof *record && (int)record->process != taking->self &&
        strncmp(record->program, WATCH_TRIAL, sizeof record->program) != 0) {
        taking->take(taking->context, record);
    }
}

size_t watcher_take(struct watcher *watcher, size_t most,
                    void (*take)(void *context, const struct watch_record *record), void *context)
{
    struct taking taking = {take, context, getpid()};
    return ring_take(&watcher->ring, most, take_record, &taking);
}

void watcher_counts(const struct watcher *watcher, struct watch_counts *counts)
{
    const uint32_t key = 0;
    *counts = (struct watch_counts){0};
    bpf_map_lookup(watcher->maps[WATCH_COUNTS], &key, counts);
}

static int by_time(const void *one, const void *other)
{
    const uint64_t a = *(const uint64_t *)one;
    const uint64_t b = *(const uint64_t *)other;
    return (a > b) - (a < b);
}

struct entry {
    uint64_t time;
    struct watch_socket socket;
};

void watcher_tidy(struct watcher *watcher)
{
    struct watch_counts counts;
    watcher_counts(watcher, &counts);
    if (counts.failures - watcher->tidied < WATCH_FAILURES_KEPT / 4) {
        return;
    }
    watcher->tidied = counts.failures;
    const int map = watcher->maps[WATCH_FAILURES];
    struct entry *entries = output_allocate(WATCH_FAILURES_KEPT, sizeof *entries);
    size_t count = 0;
    struct watch_socket socket;
    struct watch_failure failure;
    /* What is deleted meanwhile may lead back to the beginning: so no more than there is room for.
     */
    for (bool is_there = bpf_map_next(map, NULL, &socket); is_there && count < WATCH_FAILURES_KEPT;
         is_there = bpf_map_next(map, &socket, &socket)) {
        if (bpf_map_lookup(map, &socket, &failure)) {
            entries[count++] = (struct entry){.time = failure.time, .socket = socket};
        }
    }
    qsort(entries, count, sizeof *entries, by_time);
    for (size_t i = 0; i + WATCH_FAILURES_KEPT / 2 < count; i++) {
        bpf_map_delete(map, &entries[i].socket);
    }
    free(entries);
}

static void close_all(int *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
        descriptors[i] = -1;
    }
}

void watcher_stop(struct watcher *watcher)
{
    close_all(watcher->tracepoints, WATCH_PROGRAMS);
}

void watcher_close(struct watcher *watcher)
{
    close_all(watcher->tracepoints, WATCH_PROGRAMS);
    if (watcher->ring.data != NULL) {
        ring_close(&watcher->ring);
    }
    close_all(watcher->programs, WATCH_PROGRAMS);
    close_all(watcher->maps, WATCH_MAPS);
}
