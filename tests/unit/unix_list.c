#include "lookup/unix_list.h"

#include <criterion/criterion.h>
#include <linux/netlink.h>
#include <linux/unix_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

TestSuite(unix_list);

static const char listener[] =
    "0000000000000000: 00000002 00000000 00010000 0001 01 15393 /run/x y";
static const char accepted[] = "00000000abcdef12: 00000003 00000000 00000000 0001 03   393 @name@";

struct message {
    struct unix_diag_msg socket;
    struct nlattr name_header;
    char name[8];
    struct nlattr file_header;
    struct unix_diag_vfs file;
    struct nlattr uid_header;
    uint32_t uid;
};

static const struct message message = {
    .socket = {.udiag_family = AF_UNIX, .udiag_state = 10, .udiag_ino = 4711},
    .name_header = {.nla_len = 4 + 7, .nla_type = UNIX_DIAG_NAME},
    .name = "/run/x",
    .file_header = {.nla_len = 4 + 8, .nla_type = UNIX_DIAG_VFS},
    .file = {.udiag_vfs_ino = 12, .udiag_vfs_dev = 34},
    .uid_header = {.nla_len = 4 + 4, .nla_type = 7},
    .uid = 1000,
};

Test(unix_list, a_message_is_understood)
{
    struct unix_listed socket;
    cr_assert(unix_diag_parse(&message, sizeof message, &socket));
    cr_assert_eq(socket.state, STATE_LISTEN);
    cr_assert_eq(socket.inode, 4711);
    cr_assert_eq(socket.uid, 1000);
    cr_assert(socket.has_file);
    cr_assert_eq(socket.file_inode, 12);
    cr_assert_eq(socket.file_device, 34);
    cr_assert_eq(socket.name_length, 6);
    cr_assert_arr_eq(socket.name, "/run/x", 6);
}

Test(unix_list, a_line_is_understood)
{
    struct unix_listed socket;
    cr_assert(unix_line_parse(listener, sizeof listener - 1, &socket));
    cr_assert_eq(socket.state, STATE_LISTEN);
    cr_assert_eq(socket.inode, 15393);
    cr_assert_eq(socket.name_length, 8);
    cr_assert_arr_eq(socket.name, "/run/x y", 8);
    cr_assert(unix_line_parse(accepted, sizeof accepted - 1, &socket));
    cr_assert_eq(socket.state, STATE_ESTABLISHED);
    cr_assert_eq(socket.inode, 393);
    cr_assert_arr_eq(socket.name, "@name@", 6);
}

/* In memory of exactly that size, so that AddressSanitizer sees every byte too many. */
static bool parse_exactly(bool (*parse)(const char *, size_t), const void *bytes, size_t length)
{
    char *copy = malloc(length + 1);
    memcpy(copy + 1, bytes, length);
    const bool understood = parse(copy + 1, length);
    free(copy);
    return understood;
}

static bool parse_message(const char *bytes, size_t length)
{
    struct unix_listed socket;
    const bool understood = unix_diag_parse(bytes, length, &socket);
    cr_assert(!understood || socket.name_length <= sizeof socket.name);
    return understood;
}

static bool parse_line(const char *bytes, size_t length)
{
    struct unix_listed socket;
    const bool understood = unix_line_parse(bytes, length, &socket);
    cr_assert(!understood || socket.name_length <= sizeof socket.name);
    return understood;
}

Test(unix_list, what_is_cut_off_before_its_name_is_refused)
{
    const size_t named = offsetof(struct message, name) + 7;
    for (size_t length = 0; length <= sizeof message; length++) {
        cr_assert_eq(parse_exactly(parse_message, &message, length), length >= named);
    }
    const size_t path = (size_t)(strchr(listener, '/') - listener);
    for (size_t length = 0; length < sizeof listener; length++) {
        cr_assert_eq(parse_exactly(parse_line, listener, length), length > path);
    }
}

Test(unix_list, a_name_that_is_too_long_is_refused)
{
    char line[sizeof listener + 200];
    memset(line, 'x', sizeof line);
    memcpy(line, listener, sizeof listener - 1);
    cr_assert_not(parse_exactly(parse_line, line, sizeof line));
}

Test(unix_list, random_bytes_do_no_harm)
{
    unsigned int seed = 1;
    for (int round = 0; round < 100000; round++) {
        char bytes[sizeof message];
        memcpy(bytes, &message, sizeof bytes);
        for (int i = 0; i < 3; i++) {
            bytes[(unsigned)rand_r(&seed) % sizeof bytes] = (char)rand_r(&seed);
        }
        parse_exactly(parse_message, bytes, (unsigned)rand_r(&seed) % sizeof bytes);
        char line[sizeof accepted];
        memcpy(line, accepted, sizeof line);
        for (int i = 0; i < 3; i++) {
            line[(unsigned)rand_r(&seed) % sizeof line] = (char)rand_r(&seed);
        }
        parse_exactly(parse_line, line, (unsigned)rand_r(&seed) % sizeof line);
    }
}

/* A path that fills the address is told with a zero byte more, and nothing longer is a name. */
Test(unix_list, a_name_is_no_longer_than_an_address_has_room)
{
    struct {
        struct unix_diag_msg socket;
        struct nlattr header;
        char name[112];
    } full = {.socket = {.udiag_family = AF_UNIX, .udiag_state = 10, .udiag_ino = 4711},
              .header = {.nla_type = UNIX_DIAG_NAME}};
    struct unix_listed socket;
    memset(full.name, 'x', sizeof full.name);
    full.name[108] = '\0';
    full.header.nla_len = 4 + 109;
    cr_assert(unix_diag_parse(&full, sizeof full, &socket));
    cr_assert_eq(socket.name_length, 108);
    full.name[108] = 'x';
    cr_assert_not(unix_diag_parse(&full, sizeof full, &socket));
    full.header.nla_len = 4 + 110;
    cr_assert_not(unix_diag_parse(&full, sizeof full, &socket));
}

Test(unix_list, a_socket_that_is_about_to_be_connected_is_one_of_a_connection)
{
    static const char connecting[] =
        "0000000000000000: 00000002 00000000 00000000 0001 02 15393 /run/x";
    struct unix_listed socket;
    cr_assert(unix_line_parse(connecting, sizeof connecting - 1, &socket));
    cr_assert_eq(socket.state, STATE_ESTABLISHED);
}
