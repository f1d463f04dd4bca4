/*
 * A private network for a test: an empty network namespace in which only loopback exists, so that
 * every port is free and nothing that a test leaves behind reaches another test or the machine. And
 * a private folder, for the same reason.
 */
#ifndef LIBREUSE_TESTS_NAMESPACE_H
#define LIBREUSE_TESTS_NAMESPACE_H

#include <stdbool.h>

/*
 * Moves the calling process into a new network namespace and brings its loopback interface up.
 * Fails the running test, naming the step and the reason, where the machine does not allow it:
 * a test that cannot be isolated must not pass.
 *
 * An ordinary user is made root of a user namespace of its own when the test program starts
 * (unshare(2), CLONE_NEWUSER, which only a process with one thread may call).
 */
void enter_private_network(void);

/*
 * Sets a variable of /proc/sys/net, "ipv4/tcp_fin_timeout", in the private network. The running
 * test ends as skipped where that is not allowed.
 */
void set_network(const char *name, const char *value);

/* An empty folder that only the calling process and its children see, and that goes with them. */
#define PRIVATE_FOLDER "/mnt"
void enter_private_folder(void);

/*
 * Adds a pair of Ethernet interfaces (veth(4)) to the private network, one of this name and one of
 * a name that the kernel picks, which stays down: so there is no carrier. Skips where there are no
 * such interfaces. The result is the interface's index.
 */
unsigned add_ethernet(const char *name);

/* An interface comes up, or goes down. */
void set_interface(const char *name, bool is_up);

/* Adds an address to an interface, "2001:db8::1". */
void add_ipv6_address(const char *name, const char *ip);

#endif
