/*
 * A program that has a dynamic loader and needs no library, like position-independent Go programs:
 * it makes its system calls itself.
 */
void _start(void);

void _start(void)
{
#if defined(__x86_64__)
    __asm__ volatile("syscall" : : "a"(231), "D"(0) : "rcx", "r11", "memory");
#elif defined(__aarch64__)
    register long number __asm__("x8") = 94;
    register long status __asm__("x0") = 0;
    __asm__ volatile("svc 0" : : "r"(number), "r"(status) : "memory");
#else
    *(volatile int *)0 = 0;
#endif
    for (;;) {
    }
}
