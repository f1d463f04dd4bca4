/*
 * The article's first program: a small server of the old kind. It listens on port 9999, greets each
 * client, and keeps every connection open. It does not look at the results of bind() and listen(),
 * and it does not set SO_REUSEADDR. It is never changed for the sake of libreuse.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER1_PORT 9999
#define BACKLOG      5
#define MAX_CLIENTS  1000
#define GREETING     "hello from server1\n"

static int accept_client(int listenfd)
{
    struct sockaddr_in client;
    socklen_t length = sizeof(client);
    int fd;

    memset(&client, 0, sizeof(client));
    fd = accept(listenfd, (struct sockaddr *)&client, &length);
    if (fd < 0) {
        perror("server1: accept");
        exit(EXIT_FAILURE);
    }
    printf("server1: accepted %s:%d\n", inet_ntoa(client.sin_addr), ntohs(client.sin_port));
    send(fd, GREETING, strlen(GREETING), MSG_NOSIGNAL);
    return fd;
}

int main(void)
{
    static struct pollfd fds[1 + MAX_CLIENTS];
    nfds_t i, count = 1;
    struct sockaddr_in addr;
    char buffer[4096];
    int listenfd;

    setvbuf(stdout, NULL, _IOLBF, 0);

    listenfd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_ANY);
    addr.sin_port = htons(SERVER1_PORT);
    bind(listenfd, (struct sockaddr *)&addr, sizeof(addr));
    listen(listenfd, BACKLOG);
    printf("server1: listening\n");

    fds[0].fd = listenfd;
    fds[0].events = POLLIN;
    while (poll(fds, count, -1) > 0) {
        /* What clients send is read, because data left unread turns the FIN of close() into a RST.
         * A client that has left is not polled any more, but its connection is kept open. */
        for (i = 1; i < count; i++) {
            if (fds[i].revents != 0 && read(fds[i].fd, buffer, sizeof(buffer)) <= 0)
                fds[i].fd = -1;
        }
        if (fds[0].revents != 0) {
            fds[count].fd = accept_client(listenfd);
            fds[count].events = POLLIN;
            if (++count > MAX_CLIENTS)
                fds[0].fd = -1;
        }
    }
    perror("server1: poll");
    return EXIT_FAILURE;
}
