#include "asker.h"

#include "guest/kernel.h"
#include "guest/kernel_sockets.h"
#include "guest/line.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>

static void write_path(char path[32], int pid, const char *name)
{
    struct line line = {.text = path, .size = 31};
    line_text(&line, "/proc/");
    if (pid == 0) {
        line_text(&line, "self");
    } else {
        line_number(&line, (unsigned int)pid);
    }
    line_text(&line, name);
    path[line.length] = '\0';
}

/* A line "Seccomp:\t2" of /proc/PID/status; it is there where the kernel has filters at all. */
static enum fact has_filter(int pid)
{
    static const char key[] = "\nSeccomp:\t";
    enum { KEY = sizeof key - 1 };
    char path[32];
    write_path(path, pid, "/status");
    const int fd = kernel_open(path);
    enum fact fact = FACT_UNKNOWN;
    char text[256];
    size_t matched = 0;
    long got = fd < 0 ? 0 : kernel_read(fd, text, sizeof text);
    while (got > 0 && fact == FACT_UNKNOWN) {
        for (long i = 0; i < got && fact == FACT_UNKNOWN; i++) {
            if (matched == KEY) {
                fact = text[i] == '2' ? FACT_YES : FACT_NO;
            } else {
                matched = text[i] == key[matched] ? matched + 1 : text[i] == key[0];
            }
        }
        got = kernel_read(fd, text, sizeof text);
    }
    if (fd >= 0) {
        kernel_close(fd);
    }
    return fact;
}

/* "system_u:system_r:httpd_t:s0" or "usr.sbin.named (enforce)"; "unconfined" is no label. */
static void read_label(char label[LABEL_SIZE], int pid)
{
    static const char unconfined[] = "unconfined";
    char path[32];
    write_path(path, pid, "/attr/current");
    const int fd = kernel_open(path);
    const long got = fd < 0 ? 0 : kernel_read(fd, label, LABEL_SIZE - 1);
    label[got > 0 ? got : 0] = '\0';
    label[strcspn(label, "\n")] = '\0';
    if (strcmp(label, unconfined) == 0) {
        label[0] = '\0';
    }
    if (fd >= 0) {
        kernel_close(fd);
    }
}

static enum fact may_bind_low_ports(int pid)
{
    uint32_t effective;
    if (!kernel_read_capabilities(pid, &effective)) {
        return FACT_UNKNOWN;
    }
    return (effective >> CAP_NET_BIND_SERVICE & 1) != 0 ? FACT_YES : FACT_NO;
}

void asker_find_in_network(struct asker *asker, const struct address *asked, int error)
{
    if (error == EACCES) {
        kernel_read_number("/proc/sys/net/ipv4/ip_unprivileged_port_start",
                           &asker->first_free_port);
    }
    if (error == EADDRNOTAVAIL && asked->as.any.sa_family == AF_INET6) {
        asker->asked = in6_list_find(&asked->as.in6.sin6_addr);
        listed_device(asker->asked_device, asker->asked.index);
    }
}

void asker_find_in_process(struct asker *asker, int pid, int error)
{
    if (error == EACCES) {
        asker->may_bind_low_ports = may_bind_low_ports(pid);
    }
    if (error == EACCES || error == EPERM) {
        asker->is_filtered = has_filter(pid);
        read_label(asker->label, pid);
    }
}

static void find_in_socket(struct asker *asker, int fd)
{
    socklen_t length = sizeof asker->domain;
    if (!kernel_get_option(fd, SOL_SOCKET, SO_DOMAIN, &asker->domain, &length)) {
        asker->domain = AF_UNSPEC;
    }
    address_of_socket(&asker->bound, fd);
    length = sizeof asker->device; /* the kernel takes no less, and ends it with a NUL */
    kernel_get_option(fd, SOL_SOCKET, SO_BINDTODEVICE, asker->device, &length);
}

void asker_find(struct asker *asker, int fd, const struct address *asked, int error)
{
    *asker = (struct asker){.domain = AF_UNSPEC};
    if (error != EBADF && error != ENOTSOCK) {
        find_in_socket(asker, fd);
    }
    asker_find_in_network(asker, asked, error);
    asker_find_in_process(asker, 0, error);
}
