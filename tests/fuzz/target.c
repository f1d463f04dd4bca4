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
#include <unistd.h>

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
    const bool is_pid = number > 0 && number <= INT32_MAX;
    if (target_port_or_pid(text, &port, &pid)) {
        MUST(is_pid ? pid == (int)number && port == (number <= UINT16_MAX ? number : 0)
                    : pid == 0 && port > 0 && port <= UINT16_MAX);
    } else {
        MUST(!is_pid);
    }
}

/* Written as the command shows it, and read again. */
static void check_again(const struct trial_target *target)
{
    char text[128] = "";
    struct line line = {.text = text, .size = sizeof text - 1};
    struct trial_target again = {.protocol = target->protocol};
    address_write(&line, &target->address);
    text[line.length] = '\0';
    MUST(target_socket(text, &again));
    MUST(again.port == target->port && again.address.length == target->address.length);
    MUST(memcmp(&again.address.as, &target->address.as, again.address.length) == 0);
}

static void check_socket(const char *text)
{
    struct trial_target target = {.protocol = IPPROTO_TCP};
    if (!target_socket(text, &target)) {
        return;
    }
    MUST(target.port > 0 && target.port <= UINT16_MAX);
    MUST(target.protocol == IPPROTO_TCP || target.protocol == IPPROTO_UDP);
    if (target.address.length > 0) {
        MUST(!target.is_loopback);
        MUST(address_port(&target.address) == target.port);
        check_again(&target);
    }
}

static void check_unix(const char *text)
{
    struct address address;
    if (target_unix(text, &address) && address.length > 0) {
        MUST(address.as.any.sa_family == AF_UNIX && address.length <= sizeof address.as.un);
        MUST(strchr(text, '/') != NULL || text[0] == '@' || access(text, F_OK) == 0);
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
