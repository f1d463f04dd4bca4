/* What shim/lookup/ makes of /proc, where it says less or something else than it should. */
#include "lookup/asker.h"
#include "lookup/local_ports.h"
#include "lookup/owner.h"
#include "lookup/proc_net.h"

#include "guest/kernel.h"
#include "namespace.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void enter_own_root(void)
{
    enter_private_folder();
    cr_assert_eq(chroot(PRIVATE_FOLDER), 0);
    cr_assert_eq(chdir("/"), 0);
}

TestSuite(proc_files, .init = enter_own_root);

static void write_to(const char *path, const char *text)
{
    char folder[128];
    strcpy(folder, path);
    for (char *slash = folder; (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        cr_assert(mkdir(folder, 0755) == 0 || errno == EEXIST, "%s", folder);
    }
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file, "%s", path);
    fputs(text, file);
    cr_assert_eq(fclose(file), 0);
}

Test(proc_files, a_range_of_ports_is_two_numbers_in_order)
{
    static const char path[] = "/proc/sys/net/ipv4/ip_local_port_range";
    static const char *const others[] = {"",           "32768",        "x\t60999",
                                         "32768\tx",   "32768 60999",  "60999\t32768",
                                         "1\t4294967", "32768\t65536", "\t"};
    struct local_ports ports;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        write_to(path, others[i]);
        local_ports_read(&ports);
        cr_assert_not(local_ports_have(&ports, 40000), "%s", others[i]);
    }
    write_to(path, "32768\t60999\n");
    local_ports_read(&ports);
    cr_assert(local_ports_have(&ports, 40000));
}

static void count(void *context, const struct listed *socket)
{
    (void)socket;
    ++*(unsigned int *)context;
}

static struct listing list(int protocol, bool ipv6_only, unsigned int *found)
{
    *found = 0;
    return proc_net_list(protocol, ipv6_only, kernel_milliseconds() + 60000, count, found);
}

static const char one_socket[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
    "   0: 00000000:270F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 "
    "4711 1 0000000000000000 100 0 0 10 0\n";

Test(proc_files, without_ipv6_in_the_kernel_a_list_is_complete)
{
    unsigned int found;
    write_to("/proc/net/tcp", one_socket);
    struct listing listing = list(IPPROTO_TCP, false, &found);
    cr_assert_eq(listing.error, 0);
    cr_assert(listing.complete);
    cr_assert_eq(found, 1);
    listing = list(IPPROTO_TCP, true, &found);
    cr_assert_eq(listing.error, ENOENT);
    cr_assert_eq(found, 0);
}

Test(proc_files, a_list_that_cannot_be_read_is_an_error)
{
    unsigned int found;
    write_to("/proc/net/tcp/is/a/folder", "");
    const struct listing listing = list(IPPROTO_TCP, false, &found);
    cr_assert_eq(listing.error, EISDIR);
    cr_assert_not(listing.complete);
}

static enum fact filter_in(const char *status)
{
    struct asker asker = {0};
    write_to("/proc/811/status", status);
    asker_find_in_process(&asker, 811, EPERM);
    return asker.is_filtered;
}

Test(proc_files, whether_a_process_has_a_filter_is_what_its_status_says)
{
    char long_status[1024];
    memset(long_status, '\n', sizeof long_status);
    strcpy(long_status + 250, "\nSeccomp:\t2\n");
    cr_assert_eq(filter_in("Name:\tserver1\nSeccomp:\t2\n"), FACT_YES);
    cr_assert_eq(filter_in("Name:\tserver1\nSeccomp:\t0\n"), FACT_NO);
    cr_assert_eq(filter_in("Name:\tSeccomp:\t2\n\nSeccom\n"), FACT_UNKNOWN);
    cr_assert_eq(filter_in(""), FACT_UNKNOWN);
    cr_assert_eq(filter_in(long_status), FACT_YES);
    cr_assert_eq(unlink("/proc/811/status"), 0);
    struct asker asker = {0};
    asker_find_in_process(&asker, 811, EPERM);
    cr_assert_eq(asker.is_filtered, FACT_UNKNOWN);
}

static const char *label_in(const char *attribute)
{
    static struct asker asker;
    write_to("/proc/811/attr/current", attribute);
    asker_find_in_process(&asker, 811, EACCES);
    return asker.label;
}

Test(proc_files, a_label_is_one_that_refuses_something)
{
    cr_assert_str_eq(label_in("system_u:system_r:httpd_t:s0"), "system_u:system_r:httpd_t:s0");
    cr_assert_str_eq(label_in("usr.sbin.named (enforce)\n"), "usr.sbin.named (enforce)");
    cr_assert_str_eq(label_in("unconfined\n"), "");
    cr_assert_str_eq(label_in("usr.sbin.named (complain)\n"), "");
    cr_assert_str_eq(label_in("un\n"), "un");
    cr_assert_str_eq(label_in(""), "");
}

static struct in6_listed listed_in(const char *lines, const char *ip, unsigned int scope)
{
    struct address asked = {.length = sizeof asked.as.in6};
    asked.as.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_scope_id = scope};
    cr_assert_eq(inet_pton(AF_INET6, ip, &asked.as.in6.sin6_addr), 1);
    write_to("/proc/self/net/if_inet6", lines);
    struct asker asker = {0};
    asker_find_in_network(&asker, &asked, EADDRNOTAVAIL);
    return asker.asked;
}

Test(proc_files, an_ipv6_address_is_looked_for_on_the_device_that_is_meant)
{
    static const char lines[] = "fe800000000000000000000000000001 02 40 20 80     eth0\n"
                                "fe800000000000000000000000000001 03 40 20 c0     eth1\n"
                                "fe800000000000000000000000000001 04 40 20 80     eth2\n"
                                "short\n"
                                "20010db8000000000000000000zz0001 05 40 20 80     eth3\n"
                                "20010db8000000000000000000000002 06\n"
                                "20010db8000000000000000000000003 0a 40 20 80     eth4";
    cr_assert_eq(listed_in(lines, "fe80::1", 3).index, 3);
    cr_assert_eq(listed_in(lines, "fe80::1", 3).flags, 0xc0);
    cr_assert_eq(listed_in(lines, "fe80::1", 2).index, 2);
    cr_assert_eq(listed_in(lines, "2001:db8::1", 0).index, 0);
    cr_assert_eq(listed_in(lines, "2001:db8::2", 0).index, 6);
    cr_assert_eq(listed_in(lines, "2001:db8::3", 0).index, 0, "its line has no end");
    struct address without_scope = {.length = offsetof(struct sockaddr_in6, sin6_scope_id)};
    without_scope.as.in6.sin6_family = AF_INET6;
    inet_pton(AF_INET6, "2001:db8::2", &without_scope.as.in6.sin6_addr);
    struct asker asker = {0};
    asker_find_in_network(&asker, &without_scope, EADDRNOTAVAIL);
    cr_assert_eq(asker.asked.index, 6);
    char long_line[1024];
    memset(long_line, '0', sizeof long_line);
    long_line[sizeof long_line - 1] = '\0';
    cr_assert_eq(listed_in(long_line, "::", 0).index, 0);
}

Test(proc_files, a_device_without_a_name_is_told_by_its_number)
{
    char name[DEVICE_SIZE];
    enter_private_network();
    listed_device(name, 4711);
    cr_assert_str_eq(name, "4711");
    listed_device(name, 1);
    cr_assert_str_eq(name, "lo");
    listed_device(name, 0);
    cr_assert_str_eq(name, "");
    listed_device(name, DEVICE_UNKNOWN);
    cr_assert_str_eq(name, "");
}

Test(proc_files, only_folders_that_are_named_by_a_number_are_processes)
{
    static const char *const others[] = {"/proc/12x/fd/3", "/proc/1234567890/fd/3", "/proc/x/fd/3"};
    struct owner owner = {0};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        write_to(others[i], "");
        cr_assert_eq(unlink(others[i]), 0);
        cr_assert_eq(symlink("socket:[4711]", others[i]), 0);
    }
    owner_find(4711, 0, kernel_milliseconds() + 60000, &owner);
    cr_assert_neq(owner.search, OWNER_FOUND);
    write_to("/proc/811/comm", "nginx\n");
    write_to("/proc/811/fd/other", "");
    cr_assert_eq(symlink("socket:[4711]", "/proc/811/fd/6"), 0);
    owner = (struct owner){0};
    owner_find(4711, 0, kernel_milliseconds() + 60000, &owner);
    cr_assert_eq(owner.search, OWNER_FOUND);
    cr_assert_eq(owner.pid, 811);
    cr_assert_eq(owner.fd, 6);
    cr_assert_str_eq(owner.program, "nginx");
}

Test(proc_files, without_a_device_a_link_local_address_has_no_scope)
{
    struct listed listed = {.family = AF_INET6, .claim.device = DEVICE_UNKNOWN};
    struct address address;
    inet_pton(AF_INET6, "fe80::1", &listed.claim.ip);
    listed_address(&address, &listed, &listed.claim.ip, 9999);
    cr_assert_eq(address.as.in6.sin6_scope_id, 0);
    listed.claim.device = 7;
    listed_address(&address, &listed, &listed.claim.ip, 9999);
    cr_assert_eq(address.as.in6.sin6_scope_id, 7);
}

Test(proc_files, processes_may_be_hidden_where_the_first_one_is)
{
    cr_assert_eq(mkdir("/proc", 0755), 0);
    cr_assert(owner_may_be_hidden());
    cr_assert_eq(mkdir("/proc/1", 0755), 0);
    cr_assert_not(owner_may_be_hidden());
    cr_assert(rmdir("/proc/1") == 0 && rmdir("/proc") == 0);
    write_to("/proc", "");
    cr_assert_not(owner_may_be_hidden());
}
