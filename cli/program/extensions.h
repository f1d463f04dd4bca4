/*
 * PHP opens its extensions with RTLD_DEEPBIND, so that what they bind is not reached by a preload
 * (bypass.h sees it in a process). Which of them would bind is looked up beforehand, in the folder
 * that the program was built to take them from.
 */
#ifndef LIBREUSE_EXTENSIONS_H
#define LIBREUSE_EXTENSIONS_H

/*
 * Of a program that is called php..., like php8.2 and php-fpm: the files in its extension folder
 * that name bind(2), as "ftp.so, sockets.so in /usr/lib/php/20220829". NULL where there are none,
 * or it is another program. The caller frees it.
 */
char *extensions_that_bind(const char *path);

#endif
