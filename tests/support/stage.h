/*
 * For host programs that are about one process: the situations that a bind() can meet, made inside
 * that process. What cannot be made ends the program with a message, so that no test goes on.
 */
#ifndef LIBREUSE_TESTS_STAGE_H
#define LIBREUSE_TESTS_STAGE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HELD_PORT    9999 /* hold_port() */
#define RESCUED_PORT 7777 /* leave_time_wait_on() */
#define FREE_PORT    8888

static inline void need(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        _exit(EXIT_FAILURE);
    }
}

static inline struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline int tcp_socket(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    need(fd >= 0, "socket");
    return fd;
}

/* 0, or the errno of bind(). */
static inline int bind_error(int fd, uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    return bind(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
}

/* 0, or the errno of listen(). */
static inline int listen_error(int fd)
{
    return listen(fd, 8) == 0 ? 0 : errno;
}

/* A listener that nothing can pass. */
static inline int hold_port(uint16_t port)
{
    int fd = tcp_socket();
    need(bind_error(fd, port) == 0, "bind");
    need(listen_error(fd) == 0, "listen");
    return fd;
}

/* A server that has closed its connection first, and is gone: its TIME_WAIT socket is left. */
static inline void leave_time_wait_on(uint16_t port)
{
    char byte;
    struct sockaddr_in address = loopback(port);
    int listener = hold_port(port);
    int client = tcp_socket();
    need(connect(client, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    int connection = accept(listener, NULL, NULL);
    need(connection >= 0, "accept");
    close(connection);
    close(listener);
    need(recv(client, &byte, 1, 0) == 0, "recv");
    close(client);
}

#endif
