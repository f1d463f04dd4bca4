#include "not_emulated.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define NO_NETLINK "qemu refuses NETLINK_SOCK_DIAG sockets"
#define NO_PRELOAD "torsocks is one of the runner's own architecture"
#define NO_FILTER  "qemu refuses seccomp(2) filters"
#define NO_EXEC    "the program executes others, which this machine's kernel cannot run"
#define NO_VETH    "qemu refuses the netlink message that makes a network interface"
#define NO_TRACER  "a tracer sees the system calls of qemu, not of the program"
#define NO_VFORK   "qemu gives a child that shares the memory a copy of it"
#define NO_DEVICE  "qemu does not know SO_BINDTODEVICE"
#define NO_NAME    "qemu does not tell the name of a network interface"
#define NO_BPF     "qemu does not know bpf(2)"
#define IS_SLOW    "it is about time, and qemu needs a multiple of it"
#define OWN_ELF    "the test reads the program as one of the runner's own architecture"
#define IS_QEMU    "from outside, the program is qemu, which is of this machine's architecture"
#define ITS_ROOT   "qemu -L answers for the folder / with that of the C library"
#define WILD       "qemu looks at the address itself, and ends or answers in the kernel's place"
#define SLOW       "the owner of a socket is searched for 250 ms, too short for qemu on a busy machine"
#define CRASHES    "qemu ends at addresses that the kernel refuses, without the library, too"

/* The kernel writes the addresses in /proc/net/tcp as numbers of its own byte order. */
#define REVERSED "addresses in /proc/net are in the byte order of this machine's kernel"

struct entry {
    const char *suite;
    const char *name; /* NULL: all of the suite */
    const char *reason;
};

static const struct entry everywhere[] = {
    {"command_free", NULL, NO_NETLINK},
    {"explain", "where_the_clock_is_refused_no_time_was_short", NO_FILTER},
    {"race", NULL, NO_EXEC},
    {"injection", NULL, NO_TRACER},
    {"command_refused", NULL, NO_FILTER},
    {"holders", "a_device_that_is_told_by_name_only_is_not_known", NO_FILTER},
    {"kernel", "refusal_of_close_leaves_nothing_open", NO_FILTER},
    {"kernel", "refusal_of_close_as_wrong_leaves_nothing_open", NO_FILTER},
    {"kernel", "refusal_that_looks_like_an_answer_is_no_address", NO_FILTER},
    {"kernel", "refusal_of_rights_and_names_is_no_right_and_no_name", NO_FILTER},
    {"check", "finds_a_server_that_has_lost_its_port", IS_QEMU},
    {"check", "notices_a_filter_of_a_process_with_the_shim", NO_FILTER},
    {"check", "finds_a_module_in_another_namespace_of_the_loader", IS_QEMU},
    {"check", "finds_a_module_whose_calls_go_past_the_shim", IS_QEMU},
    {"check", "warns_of_extensions_that_go_past_the_shim", OWN_ELF},
    {"check", "warns_of_what_a_script_executes", OWN_ELF},
    {"command", "wraps_its_errors_at_the_terminals_width", NO_EXEC},
    {"command_metrics", NULL, IS_QEMU},
    {"command_audit", "a_server_that_has_lost_its_port_is_found", IS_QEMU},
    {"command_audit", "a_server_that_took_another_port_than_the_one_it_asked_for_is_found",
     IS_QEMU},
    {"command_audit", "a_port_that_was_meant_is_not_suspect_where_the_library_knows", IS_QEMU},
    {"command_audit", "a_program_that_serves_the_port_by_its_other_family_has_not_lost_it",
     IS_QEMU},
    {"command_audit", "a_program_that_serves_another_family_may_have_lost_the_port_all_the_same",
     IS_QEMU},
    {"command_audit", "a_process_whose_first_thread_has_ended_is_judged", IS_QEMU},
    {"command_audit", "a_listener_is_shown_with_its_device", NO_DEVICE},
    {"command_audit", "five_thousand_listeners_of_five_hundred_processes_take_less_than_a_second",
     IS_SLOW},
    {"command_guard", "comes_with_each_start_of_a_service", NO_EXEC},
    {"command_guard", "refuses_a_service_as_enable_does", NO_EXEC},
    {"command_guard", "a_dry_run_changes_nothing", NO_BPF},
    {"command_guard", "tells_in_json_what_it_has_done", NO_BPF},
    {"command_json", NULL, IS_QEMU},
    {"command_guard", "names_time_wait_sockets_that_cannot_be_armed", NO_BPF},
    {"eaddrnotavail", "of_an_address_that_will_be_there_soon", NO_VETH},
    {"eaddrnotavail", "of_an_address_on_another_device", NO_DEVICE},
    {"held_by", "the_server_of_a_link_local_address", NO_NETLINK},
    {"command_status", "a_server_that_has_lost_its_port_is_found", IS_QEMU},
    {"command_watch", "is_not_for_a_user_namespace", NO_EXEC},
    {"command_watch", "is_not_for_root_without_rights", NO_EXEC},
    {"command_why", "a_free_port_names_the_program_that_has_lost_it", IS_QEMU},
    {"command_why", "root_is_not_told_of_a_missing_capability_that_it_has", NO_EXEC},
    {"command_why", "root_is_not_told_to_run_it_as_root", NO_EXEC},
    {"dual_stack", NULL, NO_NETLINK},
    {"held_by_remains", "of_what_may_be_an_outgoing_connection", NO_NETLINK},
    {"limits", "make_a_report_that_is_left_out_cost_no_look_up", NO_TRACER},
    {"limits", "that_hide_all_reports_cost_no_look_up", NO_TRACER},
    {"turn", "is_had_for_a_rescue", NO_TRACER},
    {"waiting", "looks_up_once_before_it_sleeps", NO_TRACER},
    {"turn", "is_of_one_port", NO_TRACER},
    {"sock_diag", "a_refusal_is_told_by_its_error", NO_NETLINK},
    {"sock_diag", "a_list_without_an_end_is_incomplete", NO_NETLINK},
    {"sock_diag", "a_datagram_larger_than_the_buffer_is_read_whole", NO_NETLINK},
    {"sock_diag", "a_list_may_come_in_many_datagrams", NO_NETLINK},
    {"pid_1", NULL, NO_NETLINK},
    {"holders", "without_proc_netlink_is_enough", NO_NETLINK},
    {"holders", "a_free_port_has_none", NO_NETLINK},
    {"holders", "a_socket_that_is_bound_only_is_seen_or_said_to_be_invisible", NO_NETLINK},
    {"holders", "a_listener_is_seen_with_all_its_facts", NO_NETLINK},
    {"holders", "an_ipv6_listener_holds_the_port_for_ipv4_too", NO_NETLINK},
    {"holders", "an_ipv6_only_listener_does_not_hold_it_for_ipv4", NO_NETLINK},
    {"holders", "a_socket_of_another_network_namespace_is_not_looked_up_in_this_one", NO_NETLINK},
    {"command_arm", "time_wait_of_before_is_counted_and_free_helps", NO_NETLINK},
    {"command_arm", "the_next_start_of_a_script_is_named_as_it_is_typed", NO_EXEC},
    {"command_disable", "names_the_port_that_a_server_has_lost_and_not_where_it_listens", IS_QEMU},
    {"command_enable", "waits_for_the_port_that_a_server_is_known_to_have_lost", IS_QEMU},
    {"command_enable", "what_it_names_gets_past_time_wait_of_before", NO_NETLINK},
    {"unix_holders", "a_listener_is_seen_with_its_owner", NO_NETLINK},
    {"unix_holders", "the_same_file_by_another_path_is_the_same", NO_NETLINK},
    {"unix_holders", "a_socket_whose_file_was_replaced_is_unsure", NO_NETLINK},
    {"holders", "without_a_free_descriptor_it_says_so", NO_NETLINK},
    {"holders", "without_netlink_proc_tells_the_same_of_ipv4", NO_NETLINK},
    {"holders", "without_netlink_proc_tells_the_same_of_ipv6", NO_NETLINK},
    {"holders", "without_netlink_proc_tells_the_same_of_time_wait", NO_NETLINK},
    {"command_why", "time_wait_of_an_unarmed_run_is_counted_with_the_seconds_and_the_ways_out",
     NO_NETLINK},
    {"command_why", "localhost_is_both_loopback_addresses", NO_NETLINK},
    {"socket_file", "why_needs_no_slash_in_a_path", NO_NETLINK},
    {"command_why", "wait_counts_down_on_a_terminal", NO_NETLINK},
    {"command_why", "wait_says_in_a_log_for_how_long", NO_NETLINK},
    {"socket_file", "why_needs_no_slash_in_a_path", NO_NETLINK},
    {"held_by_remains", "a_fin_wait2_socket_for_as_long_as_the_kernel_waits", NO_NETLINK},
    {"held_by", "a_socket_that_is_bound_and_does_not_listen", NO_NETLINK},
    {"held_by_remains", "a_time_wait_socket_although_the_program_sets_reuseaddr", NO_NETLINK},
    {"held_by_remains", "one_time_wait_socket_for_less_than_a_minute", NO_NETLINK},
    {"held_by_remains", "three_time_wait_sockets_and_the_last_counts", NO_NETLINK},
    {"held_by_remains", "a_time_wait_socket_of_ipv6", NO_NETLINK},
    {"held_by_remains", "a_time_wait_socket_of_a_dual_stack_server", NO_NETLINK},
    {"sinks", "journal_gets_how_long_leftovers_stay", NO_NETLINK},
    {"socket_file", "of_a_server_is_no_leftover_under_another_name", NO_NETLINK},
    {"unseen", "is_a_socket_of_another_network", NO_NETLINK},
    {"unseen", "is_not_the_process_itself_where_there_is_no_proc", NO_NETLINK},
    {"unseen", "is_nothing_of_time_wait_sockets_where_there_is_no_proc", NO_NETLINK},
    {"unseen", "is_the_owner_where_proc_is_empty", NO_NETLINK},
    {"unseen", "is_the_owner_where_there_is_no_proc", NO_NETLINK},
    {"held_by", "the_bound_socket_of_ipv4_and_not_the_server_of_ipv6_alone", NO_NETLINK},
    {"stacking", "works_below_torsocks", NO_PRELOAD},
    {"stacking", "works_on_top_of_torsocks", NO_PRELOAD},
    {"run", NULL, NO_EXEC},
    {"demo", NULL, NO_EXEC},
    {"check", "notices_that_the_library_has_been_replaced", NO_EXEC},
    {"check", "says_why_the_shim_is_not_in_a_static_process", NO_EXEC},
    {"check", "makes_valid_json", NO_EXEC},
    {"check", "shows_listeners_whose_sockets_it_may_not_look_at", NO_EXEC},
    {"check", "says_why_the_shim_is_not_in_a_process_with_more_rights", NO_EXEC},
    {"command", "colours_its_output_on_a_terminal_only", NO_EXEC},
    {"command", "says_when_its_output_cannot_be_written", NO_EXEC},
    {"settings", "are_no_matter_to_a_program_that_never_binds", NO_EXEC},
    {"cost", NULL, NO_TRACER},
    {"recovered", "forgets_what_had_failed", NO_TRACER},
    {"explanation", "survives_a_holder_that_goes_at_any_moment_of_the_search", NO_TRACER},
    {"testapps", "import_bind_and_listen_and_not_setsockopt", OWN_ELF},
    {"testapps", "need_no_library_but_the_c_library", OWN_ELF},
    {"holders", "without_both_it_says_why", NO_FILTER},
    {"holders", "a_large_list_is_cut_off_in_time_and_said_to_be_so", NO_FILTER},
    {"unix_holders", "without_both_the_file_is_looked_at_all_the_same", NO_FILTER},
    {"unix_holders", "without_netlink_proc_tells_the_same_by_name", NO_FILTER},
    {"guest", "uses_little_stack", NO_FILTER},
    {"guest", "uses_little_stack_while_it_waits", NO_FILTER},
    {"hosts", "that_a_filter_kills_for_a_look_up_die_when_the_look_up_is_made", NO_FILTER},
    {"hosts", "that_a_filter_kills_for_a_look_up_live_when_libreuse_explain_is_0", NO_FILTER},
    {"holders", "a_listener_on_another_device_is_not_in_the_way", NO_VETH},
    {"claim", "tcp_claims_overlap_exactly_where_the_kernel_refuses_the_second_bind", NO_VETH},
    {"claim", "udp_claims_overlap_exactly_where_the_kernel_refuses_the_second_bind", NO_VETH},
    {"check", "says_that_a_server_without_the_shim_has_none", IS_QEMU},
    {"check", "says_that_the_loader_did_not_find_the_shim", IS_QEMU},
    {"guest", "rescues_a_child_that_shares_the_memory_and_leaves_the_parent_whole", NO_VFORK},
    {"swallowed", "is_told_after_a_bind_by_a_child_that_shares_the_memory", NO_VFORK},
    {"log_file", NULL, ITS_ROOT},
    {"log_file_open", NULL, ITS_ROOT},
    {"dry_run", "and_ports_that_are_left_out_are_not_helped_in_listen", NO_NETLINK},
    {"held_by", "several_servers_of_one_port", NO_NETLINK},
    {"eaddrnotavail", "of_a_link_local_address_that_its_device_has_not_got", NO_NAME},
    {"hosts", "that_become_a_daemon_report_to_a_file_and_their_data_stays_clean", ITS_ROOT},
    {"hosts", "that_give_root_away_and_may_not_write_roots_log_any_more_report_to_standard_error",
     ITS_ROOT},
    {"hosts", "that_give_root_away_write_a_log_in_a_folder_of_their_own", ITS_ROOT},
    {"guest", "reads_no_byte_beyond_the_address", WILD},
    {"guest", "survives_every_address_that_the_kernel_refuses_and_gives_its_errno", WILD},
    {"einval", "of_a_length_that_no_address_has", WILD},
    {"transparency", "a_change_in_anything_that_is_written_down_is_a_difference", CRASHES},
    {"transparency", "nothing_shows_the_shim_but_a_port_that_armed_sockets_would_have_refused",
     CRASHES},
    {"transparency", "two_runs_without_the_shim_do_not_differ", CRASHES},
    {"held_by", "the_server_on_the_same_interface", NO_DEVICE},
    {"formats", "json_is_valid_whatever_the_holder_is_called", SLOW},
    {"command_why", "a_listener_is_named_in_the_words_of_the_shims_report", SLOW},
    {"sinks", "journal_gets_who_holds_the_port", SLOW},
};

static const struct entry on_big_endian[] = {
    {"heirs", NULL, REVERSED},
    {"held_by_remains", "of_an_outgoing_connection_to_a_servers_port", REVERSED},
    {"held_by_remains", "of_an_outgoing_connection_that_is_open", REVERSED},
    {"held_by_remains", "of_a_socket_that_is_connected_to_itself", REVERSED},
    {"holders", "udp_sockets_are_bound_or_connected", REVERSED},
    {"holders", "an_unanswered_connect_from_the_port_is_syn_sent", REVERSED},
    {"holders", "the_time_wait_of_an_ipv4_client_on_an_ipv6_listener_is_in_the_way_of_ipv4",
     REVERSED},
    {"holders", "an_ipv4_listener_is_in_the_way_of_ipv6_unless_that_is_ipv6_only", REVERSED},
    {"holders", "without_netlink_udp_is_seen_too", REVERSED},
    {"command_arm", "an_open_connection_does_not_keep_the_successor_out", REVERSED},
    {"command_audit", "every_listener_has_its_verdict", REVERSED},
    {"command_audit", "ipv6_and_mptcp_are_audited", REVERSED},
    {"command_audit", "json_has_the_facts", REVERSED},
    {"command_audit", "processes_that_share_a_listener_are_counted", REVERSED},
    {"command_why", "ipv6_addresses_stand_in_brackets", REVERSED},
    {"command_why", "localhost_is_both_loopback_addresses", REVERSED},
    {"formats", "json_has_the_holder_and_where_a_swallowed_program_listens", REVERSED},
    {"held_by_remains", "a_child_that_serves_a_client_of_an_earlier_run", REVERSED},
    {"held_by_remains", "a_child_that_has_not_noticed_that_its_client_is_gone", REVERSED},
    {"held_by", "a_listener_of_ipv6", REVERSED},
    {"held_by", "a_process_of_the_same_user_whose_first_thread_has_ended", REVERSED},
    {"held_by", "a_process_whose_first_thread_has_ended", REVERSED},
    {"held_by", "a_listener_with_its_program_process_address_and_descriptor", REVERSED},
    {"held_by", "an_outgoing_connection_that_is_being_made", REVERSED},
    {"held_by", "an_outgoing_connection_with_its_peer_and_the_setting_that_prevents_it", REVERSED},
    {"held_by", "the_server_on_the_same_address", REVERSED},
    {"held_by", "the_udp_socket_and_not_the_tcp_server_with_the_same_port", REVERSED},
    {"waiting", "lasts_until_a_listener_goes", REVERSED},
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
