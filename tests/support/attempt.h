/*
 * A server's start in the smallest form, for hosts that make it at unusual times and places: it
 * goes on when bind() fails, and then tells what the calls gave. No stdio, no allocation.
 */
#ifndef LIBREUSE_TESTS_ATTEMPT_H
#define LIBREUSE_TESTS_ATTEMPT_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ATTEMPT_PORT       9999
#define LATER_ATTEMPT_PORT 7777

struct attempt {
    int bind_error; /* 0, or errno */
    int reuse_after_bind;
    int listen_error;
    int reuse_after_listen;
};

static inline int attempt_option(int fd)
{
    int value = -1;
    socklen_t size = sizeof value;
    getsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &value, &size);
    return value;
}

static inline void attempt_to_serve(struct attempt *attempt, uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    attempt->bind_error = bind(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    attempt->reuse_after_bind = attempt_option(fd);
    attempt->listen_error = listen(fd, 8) == 0 ? 0 : errno;
    attempt->reuse_after_listen = attempt_option(fd);
}

static inline void attempt_write(const char *text)
{
    if (write(1, text, strlen(text)) < 0) {
        _exit(1);
    }
}

/* "bind ok, off; listen ok, on" */
static inline void attempt_tell(const struct attempt *attempt)
{
    attempt_write(attempt->bind_error == 0            ? "bind ok"
                  : attempt->bind_error == EADDRINUSE ? "bind EADDRINUSE"
                                                      : "bind with another error");
    attempt_write(attempt->reuse_after_bind == 0 ? ", off; " : ", on; ");
    attempt_write(attempt->listen_error == 0 ? "listen ok" : "listen with an error");
    attempt_write(attempt->reuse_after_listen == 0 ? ", off\n" : ", on\n");
}

#endif
