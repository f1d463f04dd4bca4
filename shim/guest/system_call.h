/*
 * System calls by the machine's own instruction, because any function of the C library that makes
 * one, syscall(2) too, may be another one's in this process: the host's own of that name, or that
 * of a library that is preloaded as well. Async-signal-safe; no cancellation point.
 *
 * The conventions are those of syscall(2), "Architecture calling conventions".
 */
#ifndef LIBREUSE_SYSTEM_CALL_H
#define LIBREUSE_SYSTEM_CALL_H

#include <sys/syscall.h>

/* The kernel's answer as it is: an error is its negative number. errno is left alone. */
long system_call(long number, long a, long b, long c, long d, long e, long f);

/*
 * The same with as many arguments as there are, up to six, numbers or pointers; as syscall(2) does,
 * it turns an error into -1 and errno, and leaves errno alone where there is none.
 */
#define SYSTEM_CALL(...) SYSTEM_CALL_OF_SIX(__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)
#define SYSTEM_CALL_OF_SIX(number, a, b, c, d, e, f, ...)                                          \
    system_call_result(                                                                            \
        system_call(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f)))

long system_call_result(long answer);

#endif
