#include "system_call.h"

#include <errno.h>

#if defined(__x86_64__) && defined(__LP64__)

long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long fourth __asm__("r10") = d;
    register long fifth __asm__("r8") = e;
    register long sixth __asm__("r9") = f;
    long answer;
    __asm__ volatile("syscall"
                     : "=a"(answer)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "rcx", "r11", "memory");
    return answer;
}

#elif defined(__i386__)

/* The sixth is passed in the frame pointer's register, which no operand may name. */
long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    long answer;
    __asm__ volatile("pushl %[sixth]\n\t"
                     "pushl %%ebp\n\t"
                     "movl 4(%%esp), %%ebp\n\t"
                     "int $0x80\n\t"
                     "popl %%ebp\n\t"
                     "addl $4, %%esp"
                     : "=a"(answer)
                     : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), [sixth] "m"(f)
                     : "memory", "cc");
    return answer;
}

#elif defined(__aarch64__)

long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long which __asm__("x8") = number;
    register long answer __asm__("x0") = a;
    register long second __asm__("x1") = b;
    register long third __asm__("x2") = c;
    register long fourth __asm__("x3") = d;
    register long fifth __asm__("x4") = e;
    register long sixth __asm__("x5") = f;
    __asm__ volatile("svc #0"
                     : "+r"(answer)
                     : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory", "cc");
    return answer;
}

#elif defined(__arm__)

/* The number is passed in Thumb's frame pointer, which no operand may name. */
long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long answer __asm__("r0") = a;
    register long second __asm__("r1") = b;
    register long third __asm__("r2") = c;
    register long fourth __asm__("r3") = d;
    register long fifth __asm__("r4") = e;
    register long sixth __asm__("r5") = f;
    long saved;
    __asm__ volatile("mov %[saved], r7\n\t"
                     "mov r7, %[which]\n\t"
                     "svc #0\n\t"
                     "mov r7, %[saved]"
                     : "+r"(answer), [saved] "=&r"(saved)
                     : [which] "r"(number), "r"(second), "r"(third), "r"(fourth), "r"(fifth),
                       "r"(sixth)
                     : "memory", "cc");
    return answer;
}

#elif defined(__s390x__)

long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long which __asm__("r1") = number;
    register long answer __asm__("r2") = a;
    register long second __asm__("r3") = b;
    register long third __asm__("r4") = c;
    register long fourth __asm__("r5") = d;
    register long fifth __asm__("r6") = e;
    register long sixth __asm__("r7") = f;
    __asm__ volatile("svc 0"
                     : "+r"(answer)
                     : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory", "cc");
    return answer;
}

#elif defined(__powerpc64__)

/* An error is told by the summary overflow bit, and its number is positive. */
long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long which __asm__("r0") = number;
    register long answer __asm__("r3") = a;
    register long second __asm__("r4") = b;
    register long third __asm__("r5") = c;
    register long fourth __asm__("r6") = d;
    register long fifth __asm__("r7") = e;
    register long sixth __asm__("r8") = f;
    __asm__ volatile("sc\n\t"
                     "bns+ 0f\n\t"
                     "neg %[answer], %[answer]\n"
                     "0:"
                     : [answer] "+r"(answer), "+r"(which), "+r"(second), "+r"(third), "+r"(fourth),
                       "+r"(fifth), "+r"(sixth)
                     :
                     : "memory", "cr0", "ctr", "xer", "r9", "r10", "r11", "r12");
    return answer;
}

#elif defined(__riscv) && __riscv_xlen == 64

long system_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long which __asm__("a7") = number;
    register long answer __asm__("a0") = a;
    register long second __asm__("a1") = b;
    register long third __asm__("a2") = c;
    register long fourth __asm__("a3") = d;
    register long fifth __asm__("a4") = e;
    register long sixth __asm__("a5") = f;
    __asm__ volatile("ecall"
                     : "+r"(answer)
                     : "r"(which), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
                     : "memory");
    return answer;
}

#else
#error "the system call of this machine is missing here: see syscall(2)"
#endif

long system_call_result(long answer)
{
    enum { LARGEST_ERROR = 4095 };
    if (answer >= 0 || answer < -LARGEST_ERROR) {
        return answer;
    }
    errno = (int)-answer;
    return -1;
}
