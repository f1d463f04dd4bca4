#include "not_emulated.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NO_NETLINK "qemu refuses NETLINK_SOCK_DIAG sockets"
#define NO_FILTER  "qemu refuses seccomp(2) filters"
#define NO_EXEC    "the program executes others, which this machine's kernel cannot run"
#define NO_VETH    "qemu refuses the netlink message that makes a network interface"
#define NO_TRACER  "a tracer would see the system calls of qemu"
#define OWN_ELF    "the test reads the program as one of the runner's own architecture"
#define ITS_PROC   "qemu answers for /proc/self, or stands in /proc in the program's place"

/* The kernel writes the addresses in /proc/net/tcp as numbers of its own byte order. */
#define REVERSED "addresses in /proc/net are in the byte order of this machine's kernel"

struct entry {
    const char *suite;
    const char *name; /* NULL: all of the suite */
    const char *reason;
};

static const struct entry everywhere[] = {
    {"command_free", NULL, NO_NETLINK},
    {"sock_diag", "a_refusal_is_told_by_its_error", NO_NETLINK},
    {"sock_diag", "a_list_without_an_end_is_incomplete", NO_NETLINK},
    {"sock_diag", "a_datagram_larger_than_the_buffer_is_read_whole", NO_NETLINK},
    {"sock_diag", "a_list_may_come_in_many_datagrams", NO_NETLINK},
    {"holders", "without_proc_netlink_is_enough", NO_NETLINK},
    {"holders", "a_free_port_has_none", NO_NETLINK},
    {"holders", "a_socket_that_is_bound_only_is_seen_or_said_to_be_invisible", NO_NETLINK},
    {"holders", "a_listener_is_seen_with_all_its_facts", NO_NETLINK},
    {"holders", "an_ipv6_listener_holds_the_port_for_ipv4_too", NO_NETLINK},
    {"holders", "an_ipv6_only_listener_does_not_hold_it_for_ipv4", NO_NETLINK},
    {"holders", "a_socket_of_another_network_namespace_is_not_looked_up_in_this_one", NO_NETLINK},
    {"command_arm", "time_wait_of_before_is_counted_and_free_helps", NO_NETLINK},
    {"unix_holders", "a_listener_is_seen_with_its_owner", NO_NETLINK},
    {"unix_holders", "the_same_file_by_another_path_is_the_same", NO_NETLINK},
    {"unix_holders", "a_socket_whose_file_was_replaced_is_unsure", NO_NETLINK},
    {"holders", "without_a_free_descriptor_it_says_so", NO_NETLINK},
    {"holders", "without_netlink_proc_tells_the_same_of_ipv4", NO_NETLINK},
    {"holders", "without_netlink_proc_tells_the_same_of_ipv6", NO_NETLINK},
    {"holders", "without_netlink_proc_tells_the_same_of_time_wait", NO_NETLINK},
    {"run", NULL, NO_EXEC},
    {"demo", NULL, NO_EXEC},
    {"cost", NULL, NO_TRACER},
    {"testapps", "import_bind_and_listen_and_not_setsockopt", OWN_ELF},
    {"testapps", "need_no_library_but_the_c_library", OWN_ELF},
    {"holders", "without_both_it_says_why", NO_FILTER},
    {"holders", "a_large_list_is_cut_off_in_time_and_said_to_be_so", NO_FILTER},
    {"unix_holders", "without_both_the_file_is_looked_at_all_the_same", NO_FILTER},
    {"unix_holders", "without_netlink_proc_tells_the_same_by_name", NO_FILTER},
    {"holders", "a_listener_on_another_device_is_not_in_the_way", NO_VETH},
    {"claim", "tcp_claims_overlap_exactly_where_the_kernel_refuses_the_second_bind", NO_VETH},
    {"claim", "udp_claims_overlap_exactly_where_the_kernel_refuses_the_second_bind", NO_VETH},
};

static const struct entry on_big_endian[] = {
    {"holders", "udp_sockets_are_bound_or_connected", REVERSED},
    {"holders", "an_unanswered_connect_from_the_port_is_syn_sent", REVERSED},
    {"holders", "the_time_wait_of_an_ipv4_client_on_an_ipv6_listener_is_in_the_way_of_ipv4",
     REVERSED},
    {"holders", "an_ipv4_listener_is_in_the_way_of_ipv6_unless_that_is_ipv6_only", REVERSED},
    {"holders", "without_netlink_udp_is_seen_too", REVERSED},
};

static bool announce_if_on(const struct entry *list, size_t count, const char *suite,
                           const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].suite, suite) == 0 &&
            (list[i].name == NULL || strcmp(list[i].name, name) == 0)) {
            printf("not run under qemu: %s::%s: %s\n", suite, name, list[i].reason);
            return true;
        }
    }
    return false;
}

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

bool announce_not_emulated(const char *suite, const char *name, bool big_endian)
{
    return announce_if_on(everywhere, COUNT(everywhere), suite, name) ||
           (big_endian && announce_if_on(on_big_endian, COUNT(on_big_endian), suite, name));
}
