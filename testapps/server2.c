/*
 * The article's second program: a client of server1 (port 9999) that is a server itself, on port
 * 8888. It keeps its connection to server1 open, also after server1 has ended, and, like server1,
 * it looks neither at the result of bind() nor at that of listen().
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER1_ADDRESS "127.0.0.1"
#define SERVER1_PORT    9999
#define SERVER2_PORT    8888
#define BACKLOG         5

static void connect_to_server1(void)
{
    struct sockaddr_in addr;
    char greeting[128];
    ssize_t length;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = inet_addr(SERVER1_ADDRESS);
    addr.sin_port = htons(SERVER1_PORT);
    if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        fprintf(stderr, "server2: connect to %s:%d: %s\n", SERVER1_ADDRESS, SERVER1_PORT,
                strerror(errno));
        exit(EXIT_FAILURE);
    }
    printf("server2: connected to %s:%d\n", SERVER1_ADDRESS, SERVER1_PORT);

    length = read(fd, greeting, sizeof(greeting));
    if (length > 0)
        printf("server2: received: %.*s", (int)length, greeting);
}

int main(void)
{
    struct sockaddr_in addr;
    int listenfd;

    setvbuf(stdout, NULL, _IOLBF, 0);
    connect_to_server1();

    listenfd = socket(AF_INET, SOCK_STREAM, 0);
    memset(&addr, 0, sizeof(addr));
    addr.sin_family = AF_INET;
    addr.sin_addr.s_addr = htonl(INADDR_ANY);
    addr.sin_port = htons(SERVER2_PORT);
    bind(listenfd, (struct sockaddr *)&addr, sizeof(addr));
    listen(listenfd, BACKLOG);
    printf("server2: listening\n");

    while (accept(listenfd, NULL, NULL) >= 0)
        printf("server2: accepted a client\n");
    perror("server2: accept");
    return EXIT_FAILURE;
}
