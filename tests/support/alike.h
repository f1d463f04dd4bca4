/*
 * For structures that a test of this machine shares with a program that may be of another one.
 * Their members have fixed sizes and need no padding; ALIKE fixes the byte order as well.
 */
#ifndef LIBREUSE_TESTS_ALIKE_H
#define LIBREUSE_TESTS_ALIKE_H

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define ALIKE __attribute__((scalar_storage_order("little-endian")))
/* It warns of every function that reads or writes such a struct as bytes, which is the purpose. */
#pragma GCC diagnostic ignored "-Wscalar-storage-order"
#else
#define ALIKE
#endif

#endif
