#include "local_ports.h"

#include "guest/cursor.h"
#include "guest/kernel.h"

#include <stdint.h>

/* Two numbers. */
void local_ports_read(struct local_ports *ports)
{
    char text[32];
    *ports = (struct local_ports){0};
    const int fd = kernel_open("/proc/sys/net/ipv4/ip_local_port_range");
    if (fd < 0) {
        return;
    }
    const long length = kernel_read(fd, text, sizeof text);
    kernel_close(fd);
    struct cursor cursor = {text, text + (length > 0 ? length : 0)};
    uint64_t first;
    uint64_t last;
    if (cursor_decimal(&cursor, &first) && cursor_char(&cursor, '\t') &&
        cursor_decimal(&cursor, &last) && first <= last && last <= UINT16_MAX) {
        *ports = (struct local_ports){.first = (unsigned int)first, .last = (unsigned int)last};
    }
}

bool local_ports_have(const struct local_ports *ports, unsigned int port)
{
    return ports->first != 0 && port >= ports->first && port <= ports->last;
}
