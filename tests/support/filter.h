/*
 * For host programs: a seccomp filter, as service managers and containers put one around a program.
 */
#ifndef LIBREUSE_TESTS_FILTER_H
#define LIBREUSE_TESTS_FILTER_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

/* Whatever the argument is. */
#define FILTER_ANY (-1)

/*
 * From now on the system call of this number, where the argument at `place`, counted from 0, is
 * this one, comes to that: SECCOMP_RET_ERRNO with an errno, or SECCOMP_RET_KILL_PROCESS. 0, or -1
 * and errno.
 */
static inline int filter_argument(int number, unsigned int place, int64_t argument, uint32_t action)
{
    /* An argument has 64 bits; its lower half comes first on little-endian machines. */
    const uint32_t lower_half =
        (uint32_t)offsetof(struct seccomp_data, args) + place * (uint32_t)sizeof(uint64_t) +
        (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? (uint32_t)sizeof(uint32_t) : 0);
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, lower_half),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)argument, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    if (argument == FILTER_ANY) {
        /* Jumps to the action instead of loading the argument. */
        steps[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 2, 3);
    }
    const struct sock_fprog filter = {.len = sizeof steps / sizeof steps[0], .filter = steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static inline int filter_system_call(int number, int64_t first_argument, uint32_t action)
{
    return filter_argument(number, 0, first_argument, action);
}

#endif
