/* The socket units of systemd, by what they listen on. */
#ifndef LIBREUSE_SOCKET_UNIT_H
#define LIBREUSE_SOCKET_UNIT_H

/*
 * The socket unit that listens on an address, as address_write() has it; NULL where there is none,
 * or systemctl does not tell. The caller frees it. Asks systemctl at the first call.
 */
char *socket_unit_of(const char *address);

#endif
