#include "guest/config.h"

#include <criterion/criterion.h>
#include <netdb.h>
#include <stdlib.h>

TestSuite(config);

static void assert_no_complaint(void)
{
    struct complaint complaint;
    cr_assert_not(config_take_complaint(&complaint), "complains about %s=%s", complaint.variable,
                  complaint.value);
}

static void assert_complaint(const char *variable, const char *value)
{
    struct complaint complaint;
    cr_assert(config_take_complaint(&complaint), "%s=%s was taken", variable, value);
    cr_assert_str_eq(complaint.variable, variable);
    cr_assert_str_eq(complaint.value, value);
    assert_no_complaint();
}

Test(config, nothing_set_means_the_defaults)
{
    cr_assert_eq(config_level(), LEVEL_NOTICE);
    cr_assert_not(config_dry_run());
    cr_assert(config_all_ports());
    cr_assert(config_port(1));
    cr_assert(config_port(65535));
    assert_no_complaint();
}

Test(config, an_empty_value_is_like_none)
{
    setenv("LIBREUSE_LEVEL", "", 1);
    setenv("LIBREUSE_DRY_RUN", "", 1);
    setenv("LIBREUSE_PORTS", "", 1);
    cr_assert_eq(config_level(), LEVEL_NOTICE);
    cr_assert_not(config_dry_run());
    cr_assert(config_all_ports());
    assert_no_complaint();
}

Test(config, every_level_is_understood_by_the_word_that_names_it)
{
    for (enum level level = LEVEL_ERR; level <= LEVEL_INFO; level++) {
        setenv("LIBREUSE_LEVEL", config_level_name(level), 1);
        config_load();
        cr_assert_eq(config_level(), level);
    }
    assert_no_complaint();
}

Test(config, values_are_copied_when_they_are_read)
{
    setenv("LIBREUSE_DRY_RUN", "1", 1);
    setenv("LIBREUSE_LEVEL", "loud", 1);
    config_load();
    setenv("LIBREUSE_DRY_RUN", "0", 1);
    setenv("LIBREUSE_LEVEL", "quiet", 1);
    cr_assert(config_dry_run());
    assert_complaint("LIBREUSE_LEVEL", "loud");
    cr_assert_eq(config_level(), LEVEL_NOTICE);
}

Test(config, a_list_of_ports_and_ranges_selects_just_these)
{
    setenv("LIBREUSE_PORTS", "9999,8000-8099,1,65535", 1);
    config_load();
    cr_assert_not(config_all_ports());
    unsigned int selected = 0;
    for (unsigned int port = 1; port <= 65535; port++) {
        const bool expected =
            port == 9999 || (port >= 8000 && port <= 8099) || port == 1 || port == 65535;
        cr_assert_eq(config_port(port), expected, "port %u", port);
        selected += expected;
    }
    cr_assert_eq(selected, 103);
    assert_no_complaint();
}

Test(config, a_port_list_that_is_not_understood_is_complained_about_and_selects_nothing)
{
    static const char *const bad[] = {
        "x",      "99x9",  "0",         "65536", "99999999999999999999",
        "80-",    "-80",   "80-79",     "80,",   ",80",
        "80,,81", "80 81", "80-90-100", " 80",   "80 ",
        "+80",    "0x50",  "1-65536",   "80;81", "80,81,x"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("LIBREUSE_PORTS", bad[i], 1);
        config_load();
        assert_complaint("LIBREUSE_PORTS", bad[i]);
        cr_assert(config_all_ports(), "%s", bad[i]);
    }
}

Test(config, a_switch_is_0_or_1_and_nothing_else)
{
    static const char *const bad[] = {"yes", "2", "01", "1 ", "true", "-1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("LIBREUSE_DRY_RUN", bad[i], 1);
        config_load();
        assert_complaint("LIBREUSE_DRY_RUN", bad[i]);
        cr_assert_not(config_dry_run(), "%s", bad[i]);
    }
}

Test(config, a_long_value_is_cut_in_the_complaint)
{
    setenv("LIBREUSE_LEVEL",
           "a level that is much longer than any level that there ever was or will be", 1);
    config_load();
    assert_complaint("LIBREUSE_LEVEL", "a level that is much longer than any level that");
}

Test(config, seconds_may_have_their_unit)
{
    setenv("LIBREUSE_WAIT", "65s", 1);
    config_load();
    cr_assert_eq(config_wait(), 65);
    assert_no_complaint();
    static const char *const bad[] = {"s", "65m", "65 s", "65ss", "86401s", "-1s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("LIBREUSE_WAIT", bad[i], 1);
        config_load();
        assert_complaint("LIBREUSE_WAIT", bad[i]);
        cr_assert_eq(config_wait(), 0, "%s", bad[i]);
    }
}

Test(config, ports_may_be_named_by_their_service)
{
    const struct servent *http = getservbyname("http", "tcp");
    if (http == NULL) {
        cr_skip_test("there is no /etc/services here that knows http");
    }
    setenv("LIBREUSE_PORTS", "9999,http,www,domain,7000-7001", 1);
    config_load();
    cr_assert_not(config_all_ports());
    unsigned int selected = 0;
    for (unsigned int port = 1; port <= 65535; port++) {
        selected += config_port(port);
    }
    cr_assert_eq(selected, 5);
    cr_assert(config_port(80));
    cr_assert(config_port(53));
    cr_assert(config_port(9999));
    cr_assert(config_port(7001));
    assert_no_complaint();
}

Test(config, a_service_that_is_not_known_is_complained_about)
{
    static const char *const bad[] = {"htt",    "httpx", "http-",       "#",
                                      "80/tcp", "tcp",   "9999,no-such"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("LIBREUSE_PORTS", bad[i], 1);
        config_load();
        assert_complaint("LIBREUSE_PORTS", bad[i]);
        cr_assert(config_all_ports(), "%s", bad[i]);
    }
}

static void assert_wrong_name(const char *name, const char *meant)
{
    struct complaint complaint;
    cr_assert(config_take_complaint(&complaint), "%s was not noticed", name);
    cr_assert_null(complaint.expected);
    cr_assert_str_eq(complaint.value, name);
    cr_assert_eq(meant != NULL, complaint.variable != NULL, "%s", name);
    if (meant != NULL) {
        cr_assert_str_eq(complaint.variable, meant);
    }
}

Test(config, a_name_that_no_variable_has_is_complained_about_with_the_nearest_one)
{
    setenv("LIBREUSE_SWALLOWD", "exit", 1);
    setenv("LIBREUSE_PORT", "80", 1);
    setenv("LIBREUSE_COLOUR", "", 1);
    setenv("LIBREUSE_FOO", "", 1);
    setenv("LIBREUSE_WAIT", "1", 1);
    config_load();
    assert_wrong_name("LIBREUSE_SWALLOWD", "LIBREUSE_SWALLOWED");
    assert_wrong_name("LIBREUSE_PORT", "LIBREUSE_PORTS");
    assert_wrong_name("LIBREUSE_COLOUR", NULL);
    assert_wrong_name("LIBREUSE_FOO", NULL);
    assert_no_complaint();
    cr_assert(config_all_ports());
    cr_assert_eq(config_wait(), 1);
}

Test(config, only_so_many_names_are_complained_about)
{
    for (char name[] = "LIBREUSE_A"; name[9] <= 'Z'; name[9]++) {
        setenv(name, "1", 1);
    }
    config_load();
    for (char name[] = "LIBREUSE_A"; name[9] <= 'D'; name[9]++) {
        struct complaint complaint;
        cr_assert(config_take_complaint(&complaint));
        cr_assert_str_eq(complaint.value, name);
    }
    assert_no_complaint();
}

Test(config, a_path_of_standard_error_means_wherever_that_leads)
{
    static const char *const paths[] = {"/dev/stderr", "/dev/fd/2", "/proc/self/fd/2"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        setenv("LIBREUSE_LOG", paths[i], 1);
        config_load();
        cr_assert_eq(config_log(), LOG_STDERR, "%s", paths[i]);
    }
    assert_no_complaint();
}

Test(config, what_is_neither_a_port_nor_a_name_is_no_list_of_ports)
{
    static const char *const values[] = {"[80]", "{80}", "@", "HTTP", "80;81"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        setenv("LIBREUSE_PORTS", values[i], 1);
        config_load();
        assert_complaint("LIBREUSE_PORTS", values[i]);
        cr_assert(config_all_ports());
    }
}

Test(config, a_name_with_more_letters_is_another_variable)
{
    setenv("LIBREUSE_LOGS", "none", 1);
    config_load();
    struct complaint complaint;
    cr_assert(config_take_complaint(&complaint));
    cr_assert_str_eq(complaint.value, "LIBREUSE_LOGS");
    cr_assert_str_eq(complaint.variable, "LIBREUSE_LOG");
    cr_assert_eq(config_log(), LOG_AUTO);
}
