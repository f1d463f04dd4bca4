/* Linked into what "make coverage" measures: the counters of lines and branches live in a file that
 * all processes share. So nothing is lost of those that end by a signal, _exit() or exec(), and
 * nothing is done at the end of any. COUNTERS names the file, which "LIBREUSE_COVERAGE=create"
 * makes, empty, and "LIBREUSE_COVERAGE=PATH" writes out as a profile for llvm-profdata. A process
 * that cannot map it counts for itself, in vain. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The compiler's side, as "Source-based Code Coverage" of clang describes it: where this symbol is
 * defined, the runtime does nothing by itself. */
extern int __llvm_profile_runtime;
int __llvm_profile_runtime;
int __llvm_profile_write_file(void);
void __llvm_profile_set_filename(const char *name);
/* What -runtime-counter-relocation adds to the address of every counter. */
extern intptr_t __llvm_profile_counter_bias;
extern uint64_t __start___llvm_prf_cnts[] __attribute__((visibility("hidden")));
extern uint64_t __stop___llvm_prf_cnts[] __attribute__((visibility("hidden")));

/* The runtime is compiled with _FORTIFY_SOURCE, and musl has no such functions. */
int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __snprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, ...);

int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
    (void)flag;
    va_list values;
    va_start(values, format);
    int written = vfprintf(file, format, values);
    va_end(values);
    return written;
}

int __snprintf_chk(char *text, size_t size, int flag, size_t room, const char *format, ...)
{
    (void)flag, (void)room;
    va_list values;
    va_start(values, format);
    int written = vsnprintf(text, size, format, values);
    va_end(values);
    return written;
}

static _Noreturn void fail(const char *what)
{
    perror(what);
    _exit(1);
}

static void create_file(size_t size)
{
    int fd = open(COUNTERS, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0 || fchmod(fd, 0666) != 0 || ftruncate(fd, (off_t)size) != 0)
        fail(COUNTERS);
    _exit(0);
}

static void write_profile(const uint64_t *shared, size_t size, const char *path)
{
    __llvm_profile_counter_bias = 0;
    memcpy(__start___llvm_prf_cnts, shared, size);
    __llvm_profile_set_filename(path);
    if (__llvm_profile_write_file() != 0)
        fail(path);
    _exit(0);
}

__attribute__((constructor(101))) static void share_counters(void)
{
    uint64_t *own = __start___llvm_prf_cnts;
    size_t number = (size_t)(__stop___llvm_prf_cnts - own);
    const char *order = getenv("LIBREUSE_COVERAGE");

    if (order && strcmp(order, "create") == 0)
        create_file(number * sizeof(*own));
    int fd = open(COUNTERS, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    uint64_t *shared = mmap(NULL, number * sizeof(*own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared == MAP_FAILED)
        return;
    if (order)
        write_profile(shared, number * sizeof(*own), order);
    for (size_t i = 0; i < number; i++) /* counted before this constructor */
        if (own[i])
            __atomic_fetch_add(&shared[i], own[i], __ATOMIC_RELAXED);
    __llvm_profile_counter_bias = (intptr_t)shared - (intptr_t)own;
}
