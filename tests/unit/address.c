#include "guest/address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

TestSuite(address);

static void assert_written(const void *from, size_t length, const char *expected)
{
    struct address address;
    address_copy(&address, from, (socklen_t)length);
    char text[LINE_SIZE];
    struct line line = {.text = text, .size = sizeof text - 1};
    address_write(&line, &address);
    text[line.length] = '\0';
    cr_assert_str_eq(text, expected);
}

Test(address, ipv4_is_written_with_its_port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(9999)};
    assert_written(&in, sizeof in, "0.0.0.0:9999");
    in.sin_addr.s_addr = htonl(0xc0000201);
    assert_written(&in, sizeof in, "192.0.2.1:9999");
    in.sin_addr.s_addr = htonl(0xffffffff);
    in.sin_port = htons(65535);
    assert_written(&in, sizeof in, "255.255.255.255:65535");
}

Test(address, ipv6_is_written_as_rfc_5952_says)
{
    static const char *const cases[][2] = {
        {"::", "[::]:80"},
        {"::1", "[::1]:80"},
        {"1::", "[1::]:80"},
        {"2001:db8::1", "[2001:db8::1]:80"},
        {"2001:db8:0:1:1:1:1:1", "[2001:db8:0:1:1:1:1:1]:80"},
        {"2001:0:0:1:0:0:0:1", "[2001:0:0:1::1]:80"},
        {"2001:db8:0:0:1:0:0:1", "[2001:db8::1:0:0:1]:80"},
        {"1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:80"},
        {"1:2:3:4:5:6:0:0", "[1:2:3:4:5:6::]:80"},
        {"0:0:3:4:5:6:7:8", "[::3:4:5:6:7:8]:80"},
        {"::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80"},
        {"fe80::abcd", "[fe80::abcd]:80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
        cr_assert_eq(inet_pton(AF_INET6, cases[i][0], &in6.sin6_addr), 1);
        assert_written(&in6, sizeof in6, cases[i][1]);
    }
}

/* The C library's own rendering agrees, on addresses in which zero groups are frequent. */
Test(address, ipv6_is_written_as_the_c_library_writes_it)
{
    unsigned int random = 1;
    for (int i = 0; i < 10000; i++) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(1)};
        for (int group = 0; group < 8; group++) {
            random = random * 1103515245 + 12345;
            if ((random >> 16 & 3) == 0) {
                in6.sin6_addr.s6_addr[2 * group] = (unsigned char)(random >> 24);
                in6.sin6_addr.s6_addr[2 * group + 1] = (unsigned char)(random >> 18);
            }
        }
        if (in6.sin6_addr.s6_addr32[0] == 0 && in6.sin6_addr.s6_addr32[1] == 0) {
            continue; /* glibc writes ::1.2.3.4, which RFC 5952 leaves open */
        }
        char ip[INET6_ADDRSTRLEN];
        char expected[INET6_ADDRSTRLEN + 8];
        inet_ntop(AF_INET6, &in6.sin6_addr, ip, sizeof ip);
        snprintf(expected, sizeof expected, "[%s]:1", ip);
        assert_written(&in6, sizeof in6, expected);
    }
}

Test(address, the_scope_of_an_ipv6_address_is_written)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80), .sin6_scope_id = 7};
    inet_pton(AF_INET6, "fe80::1", &in6.sin6_addr);
    assert_written(&in6, sizeof in6, "[fe80::1%7]:80");
    assert_written(&in6, offsetof(struct sockaddr_in6, sin6_scope_id), "[fe80::1]:80");
}

Test(address, unix_sockets_are_written_by_path_or_abstract_name)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/run/a\n\"b"};
    const size_t before_path = offsetof(struct sockaddr_un, sun_path);
    assert_written(&un, sizeof un, "/run/a\\x0a\\\"b");
    assert_written(&un, before_path + 4, "/run");
    assert_written(&un, before_path, "(unnamed)");
    memcpy(un.sun_path, "\0name\0x", 7);
    assert_written(&un, before_path + 7, "@name\\x00x");
    memset(un.sun_path, 'p', sizeof un.sun_path);
    char expected[sizeof un.sun_path + 1] = "";
    memset(expected, 'p', sizeof un.sun_path);
    assert_written(&un, sizeof un, expected);
}

Test(address, other_families_and_short_addresses_are_not_guessed)
{
    struct sockaddr other = {.sa_family = AF_NETLINK};
    assert_written(&other, 12, "(address of family 16, 12 bytes)");
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    assert_written(&in, 8, "(address of family 2, 8 bytes)");
    assert_written(&in, 1, "(address of family 0, 1 bytes)");
}

Test(address, a_length_that_the_kernel_refuses_unread_is_not_read)
{
    struct sockaddr_storage whole = {.ss_family = AF_INET};
    assert_written(&whole, 0, "(no readable address)");
    assert_written(&whole, sizeof whole + 1, "(no readable address)");
    assert_written(&whole, (size_t)-1, "(no readable address)");
}

Test(address, memory_that_cannot_be_read_is_not_touched)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages, page, PROT_NONE);
    munmap(pages + 2 * page, page);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    char *first = pages + page;
    char *end = pages + 2 * page;

    memcpy(first, &in, sizeof in);
    assert_written(first, sizeof in, "0.0.0.0:80");
    memcpy(end - sizeof in, &in, sizeof in);
    assert_written(end - sizeof in, sizeof in, "0.0.0.0:80");
    for (size_t missing = 1; missing <= sizeof in; missing++) {
        assert_written(end - sizeof in + missing, sizeof in, "(no readable address)");
        assert_written(first - missing, sizeof in, "(no readable address)");
    }
    assert_written(NULL, sizeof in, "(no readable address)");
    assert_written((char *)4, sizeof in, "(no readable address)");
    assert_written((char *)-8, sizeof in, "(no readable address)");
}

Test(address, the_port_is_that_of_an_internet_address_only)
{
    struct address address;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
    address_copy(&address, (struct sockaddr *)&in, sizeof in);
    cr_assert_eq(address_port(&address), 80);
    address_copy(&address, (struct sockaddr *)&in, sizeof in - 1);
    cr_assert_eq(address_port(&address), 0);
    in.sin_family = AF_UNIX;
    address_copy(&address, (struct sockaddr *)&in, sizeof in);
    cr_assert_eq(address_port(&address), 0);
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
    address_copy(&address, (struct sockaddr *)&in6, sizeof in6);
    cr_assert_eq(address_port(&address), 443);
}

static struct address written(const char *text, unsigned short port)
{
    struct address address = {0};
    struct sockaddr_in *in = &address.as.in;
    struct sockaddr_in6 *in6 = &address.as.in6;
    if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        address.length = sizeof *in;
    } else {
        cr_assert_eq(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        address.length = sizeof *in6;
    }
    return address;
}

static struct address named(const char *name, size_t length)
{
    struct address address = {.as.un.sun_family = AF_UNIX};
    memcpy(address.as.un.sun_path, name, length);
    address.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    return address;
}

static bool is_asked(struct address address, struct address asked)
{
    return address_is_what_was_asked(&address, &asked);
}

Test(address, is_what_was_asked_where_it_is_the_same_or_the_choice_was_left_to_the_kernel)
{
    cr_assert(is_asked(written("0.0.0.0", 80), written("0.0.0.0", 80)));
    cr_assert(is_asked(written("0.0.0.0", 43569), written("0.0.0.0", 0)));
    cr_assert_not(is_asked(written("0.0.0.0", 81), written("0.0.0.0", 80)));
    cr_assert_not(is_asked(written("127.0.0.1", 80), written("127.0.0.2", 80)));
    cr_assert_not(is_asked(written("127.0.0.1", 43569), written("127.0.0.2", 0)));
    cr_assert_not(is_asked(written("::", 80), written("0.0.0.0", 80)));
    cr_assert(is_asked(written("::1", 80), written("::1", 80)));
    cr_assert(is_asked(written("::1", 43569), written("::1", 0)));
    cr_assert_not(is_asked(written("::1", 81), written("::1", 80)));
    cr_assert_not(is_asked(written("::", 80), written("::1", 80)));

    struct address link = written("fe80::1", 80);
    struct address any_link = link;
    struct address other_link = link;
    link.as.in6.sin6_scope_id = 2;
    other_link.as.in6.sin6_scope_id = 3;
    cr_assert(is_asked(link, any_link));
    cr_assert_not(is_asked(link, other_link));

    cr_assert(is_asked(named("/run/a", 7), named("/run/a", 6)));
    cr_assert(is_asked(named("\0"
                             "00001",
                             6),
                       named("", 0)));
    cr_assert_not(is_asked(named("/run/a", 7), named("/run/ab", 8)));
    cr_assert_not(is_asked(named("\0a", 2), named("\0a\0", 3)));

    const struct address unknown = {.length = 0};
    cr_assert(is_asked(unknown, written("0.0.0.0", 80)));
    cr_assert(is_asked(written("0.0.0.0", 80), unknown));
}

/* The kernel takes AF_UNSPEC for AF_INET in bind() to any address only. */
Test(address, of_no_family_is_of_ipv4_where_it_is_any_address)
{
    struct address address = {.length = sizeof(struct sockaddr_in)};
    address.as.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address_complete(&address);
    cr_assert_eq(address.as.any.sa_family, AF_UNSPEC);
    address.as.in.sin_addr.s_addr = htonl(INADDR_ANY);
    address_complete(&address);
    cr_assert_eq(address.as.any.sa_family, AF_INET);
}
