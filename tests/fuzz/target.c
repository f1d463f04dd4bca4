/*
 * Ports, processes and addresses as people type and paste them: what is understood is in its range,
 * and what it means is written and understood again as the same. What is said of the others goes to
 * nowhere.
 */
#include "fuzz.h"

#include "guest/line.h"
#include "sockets/target.h"

#include <netinet/in.h>
#include <sys/un.h>

static void check_port(const char *text)
{
    unsigned int port = 0;
    int pid = 0;
    const bool is_number = text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
    const unsigned long number = is_number ? strtoul(text, NULL, 10) : 0;
    if (target_port(text, &port)) {
        MUST(port > 0 && port <= UINT16_MAX && (!is_number || port == number));
    } else {
        MUST(!is_number || number == 0 || number > UINT16_MAX);
    }
    MUST(target_pid(text, &pid) == (number > 0 && number <= INT32_MAX));
    MUST(target_port_or_pid(text, &port, &pid) == (number > 0 && number <= INT32_MAX));
}

/* Written as the command shows it, and read again. */
static void check_again(const struct address *address, unsigned int port)
{
    char text[128] = "";
    struct line line = {.text = text, .size = sizeof text - 1};
    struct address again;
    unsigned int port_again = 0;
    int protocol = 0;
    address_write(&line, address);
    text[line.length] = '\0';
    MUST(target_socket(text, &again, &port_again, &protocol));
    MUST(port_again == port && again.length == address->length);
    MUST(memcmp(&again.as, &address->as, address->length) == 0);
}

static void check_socket(const char *text)
{
    struct address address;
    unsigned int port = 0;
    int protocol = 0;
    if (!target_socket(text, &address, &port, &protocol)) {
        return;
    }
    MUST(port > 0 && port <= UINT16_MAX);
    MUST(protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP);
    if (address.length > 0) {
        MUST(address_port(&address) == port);
        check_again(&address, port);
    }
}

static void check_unix(const char *text)
{
    struct address address;
    if (target_unix(text, &address) && address.length > 0) {
        MUST(address.as.any.sa_family == AF_UNIX && address.length <= sizeof address.as.un);
        MUST(strchr(text, '/') != NULL || text[0] == '@');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { LONGEST = 64 };
    static FILE *nowhere;
    if (size > LONGEST) {
        return 0; /* nobody types that, and each name is looked for in /etc/services */
    }
    FILE *const error = stderr;
    char *text = calloc(1, size + 1);
    nowhere = nowhere != NULL ? nowhere : fopen("/dev/null", "we");
    MUST(text != NULL && nowhere != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    stderr = nowhere;
    check_port(text);
    check_socket(text);
    check_unix(text);
    stderr = error;
    free(text);
    return 0;
}
