/* Who may say what to rolecall itself. */
#include "conf/access.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static char *nobody[] = {NULL}, *admins[] = {"ann", "bob", NULL}, *watchers[] = {"carl", "bob", NULL};

static void a_user_of_a_listener_must_be_named(void **context)
{
    (void)context;
    const struct config named = {.admin_users = admins, .stats_users = watchers};
    const struct config unnamed = {.admin_users = nobody}, bare = {.path = NULL};
    assert_int_equal(access_of_user(&named, "ann"), ACCESS_ADMIN);
    assert_int_equal(access_of_user(&named, "bob"), ACCESS_ADMIN);
    assert_int_equal(access_of_user(&named, "carl"), ACCESS_READ);
    assert_int_equal(access_of_user(&named, "an"), ACCESS_NONE);
    assert_int_equal(access_of_user(&named, "Ann"), ACCESS_NONE);
    assert_int_equal(access_of_user(&unnamed, ""), ACCESS_NONE);
    assert_int_equal(access_of_user(&bare, "ann"), ACCESS_NONE);
}

static void an_account_of_this_machine_may_look_until_some_are_named(void **context)
{
    (void)context;
    const struct config open = {.admin_users = admins, .stats_users = nobody};
    const struct config closed = {.admin_users = admins, .stats_users = watchers};
    assert_int_equal(access_of_name(&open, "ann"), ACCESS_ADMIN);
    assert_int_equal(access_of_name(&open, "dora"), ACCESS_READ);
    assert_int_equal(access_of_name(&open, NULL), ACCESS_READ);
    assert_int_equal(access_of_name(&closed, "carl"), ACCESS_READ);
    assert_int_equal(access_of_name(&closed, "dora"), ACCESS_NONE);
    assert_int_equal(access_of_name(&closed, NULL), ACCESS_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_user_of_a_listener_must_be_named),
        cmocka_unit_test(an_account_of_this_machine_may_look_until_some_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
