/*
 * A private network for a test: an empty network namespace in which only loopback exists, so that
 * every port is free and nothing that a test leaves behind reaches another test or the machine.
 */
#ifndef LIBREUSE_TESTS_NAMESPACE_H
#define LIBREUSE_TESTS_NAMESPACE_H

/*
 * Moves the calling process into a new network namespace and brings its loopback interface up.
 * Fails the running test, naming the step and the reason, where the machine does not allow it:
 * a test that cannot be isolated must not pass.
 *
 * An ordinary user is made root of a user namespace of its own when the test program starts
 * (unshare(2), CLONE_NEWUSER, which only a process with one thread may call).
 */
void enter_private_network(void);

#endif
