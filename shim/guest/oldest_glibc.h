/*
 * Included before every file of the shim (see the Makefile): binds the C library functions that
 * have been given a new symbol version since to the first version of the architecture, so that a
 * library built on a new system loads on every old one. "make lint" fails on any newer version.
 *
 * dlsym() moved into libc with glibc 2.34; x86-64's memcpy(), which compilers call on their own,
 * got a new version with glibc 2.14. Other C libraries have no symbol versions, and neither has
 * what is linked statically into the command ("make static").
 */
#ifndef LIBREUSE_OLDEST_GLIBC_H
#define LIBREUSE_OLDEST_GLIBC_H

#include <features.h>

#if defined(__GLIBC__) && !defined(LIBREUSE_STATIC)
#if defined(__x86_64__) && defined(__LP64__)
__asm__(".symver dlsym, dlsym@GLIBC_2.2.5");
__asm__(".symver memcpy, memcpy@GLIBC_2.2.5");
#elif defined(__i386__)
__asm__(".symver dlsym, dlsym@GLIBC_2.0");
#elif defined(__aarch64__) || (defined(__powerpc64__) && defined(__LITTLE_ENDIAN__))
__asm__(".symver dlsym, dlsym@GLIBC_2.17");
#elif defined(__arm__)
__asm__(".symver dlsym, dlsym@GLIBC_2.4");
#elif defined(__s390x__)
__asm__(".symver dlsym, dlsym@GLIBC_2.2");
#elif defined(__riscv) && __riscv_xlen == 64
__asm__(".symver dlsym, dlsym@GLIBC_2.27");
#endif
#endif

#endif
