/* cli/watch/origin.h: units and containers by the paths of control groups. */
#include "watch/origin.h"

#include <criterion/criterion.h>

static struct origin parsed(const char *group)
{
    struct origin origin = {0};
    origin_parse(&origin, group);
    return origin;
}

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

Test(origin, is_a_service_of_the_system)
{
    struct origin origin = parsed("/system.slice/server1.service");
    cr_assert_str_eq(origin.unit, "server1.service");
    cr_assert(origin.is_service);
    cr_assert_null(origin.container);
    cr_assert(origin_is(&origin, "server1"));
    cr_assert(origin_is(&origin, "server1.service"));
    cr_assert_not(origin_is(&origin, "server"));
    origin_free(&origin);
    origin = parsed("/system.slice/system-pg.slice/pg@15.service/worker");
    cr_assert_str_eq(origin.unit, "pg@15.service");
    origin_free(&origin);
}

Test(origin, of_a_user_is_no_service_of_the_system)
{
    struct origin origin =
        parsed("/user.slice/user-1000.slice/user@1000.service/app.slice/a.service");
    cr_assert_str_eq(origin.unit, "user@1000.service");
    cr_assert_not(origin.is_service);
    origin_free(&origin);
    origin = parsed("/user.slice/user-0.slice/session-3.scope");
    cr_assert_str_eq(origin.unit, "session-3.scope");
    cr_assert_not(origin.is_service);
    origin_free(&origin);
}

Test(origin, is_a_container_whatever_runs_in_it)
{
    static const char *const groups[] = {
        "/system.slice/docker-" DIGITS ".scope",
        "/docker/" DIGITS,
        "/machine.slice/libpod-" DIGITS ".scope/container",
        "/kubepods.slice/kubepods-pod7.slice/cri-containerd-" DIGITS ".scope",
        "/system.slice/docker-" DIGITS ".scope/system.slice/nginx.service",
    };
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        struct origin origin = parsed(groups[i]);
        cr_assert_str_eq(origin.container, "0123456789ab", "%s", groups[i]);
        cr_assert_null(origin.unit);
        cr_assert(origin_is(&origin, "0123"));
        cr_assert(origin_is(&origin, DIGITS));
        cr_assert_not(origin_is(&origin, "1123"));
        origin_free(&origin);
    }
    struct origin origin = parsed("/lxc.payload.web/system.slice/nginx.service");
    cr_assert_str_eq(origin.container, "web");
    origin_free(&origin);
}

Test(origin, may_be_nothing_of_the_kind)
{
    static const char *const groups[] = {"/", "", "/init.scope.d", "/a/b"};
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        struct origin origin = parsed(groups[i]);
        cr_assert_null(origin.unit, "%s", groups[i]);
        cr_assert_null(origin.container, "%s", groups[i]);
        cr_assert_not(origin_is(&origin, "a"));
        origin_free(&origin);
    }
}
