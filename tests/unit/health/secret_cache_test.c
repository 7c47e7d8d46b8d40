/* The cache of verifiers: bounded, in the order of use, and made-up names drive out no secret. */
#include "health/secret_cache.h"
#include "tests/unit/health/unit.h"

static void put_numbered(struct secret_cache *cache, int number, const char *secret)
{
    char user[32];
    snprintf(user, sizeof user, "user%d", number);
    assert_true(secret_cache_put(cache, user, secret, 1));
}

static bool has(struct secret_cache *cache, int number)
{
    char user[32];
    snprintf(user, sizeof user, "user%d", number);
    return secret_cache_get(cache, user) != NULL;
}

static void the_entry_used_longest_ago_makes_room(void **state)
{
    (void)state;
    struct secret_cache *cache = secret_cache_new(3);
    for (int i = 0; i < 3; i++)
        put_numbered(cache, i, "s");
    assert_true(has(cache, 0)); /* used: now the newest */
    put_numbered(cache, 3, "s");
    assert_int_equal(secret_cache_count(cache, true), 3);
    assert_true(has(cache, 0));
    assert_false(has(cache, 1));
    assert_true(has(cache, 2));
    assert_true(has(cache, 3));
    secret_cache_free(cache);
}

static void made_up_names_drive_out_no_secret(void **state)
{
    (void)state;
    struct secret_cache *cache = secret_cache_new(10);
    put_numbered(cache, 0, "secret");
    for (int i = 1; i < 1000; i++)
        put_numbered(cache, i, NULL);
    assert_int_equal(secret_cache_count(cache, false), 10);
    assert_int_equal(secret_cache_count(cache, true), 1);
    assert_string_equal(secret_cache_get(cache, "user0")->secret, "secret");
    assert_false(secret_cache_get(cache, "user999")->found);
    secret_cache_free(cache);
}

static void a_user_that_appears_or_goes_changes_its_kind(void **state)
{
    (void)state;
    struct secret_cache *cache = secret_cache_new(10);
    put_numbered(cache, 1, NULL);
    assert_false(secret_cache_get(cache, "user1")->found);
    put_numbered(cache, 1, "now");
    assert_true(secret_cache_get(cache, "user1")->found);
    assert_int_equal(secret_cache_count(cache, false), 0);
    put_numbered(cache, 1, NULL);
    assert_false(secret_cache_get(cache, "user1")->found);
    assert_int_equal(secret_cache_count(cache, true), 0);
    secret_cache_free(cache);
}

static void what_does_not_fit_is_not_kept_and_nothing_older_stays(void **state)
{
    (void)state;
    struct secret_cache *cache = secret_cache_new(10);
    char secret[MESSAGE_SECRET_MAX + 1], user[MESSAGE_NAME_MAX + 1];
    memset(secret, 'x', MESSAGE_SECRET_MAX);
    secret[MESSAGE_SECRET_MAX] = '\0';
    memset(user, 'u', MESSAGE_NAME_MAX);
    user[MESSAGE_NAME_MAX] = '\0';
    put_numbered(cache, 1, "short");
    assert_false(secret_cache_put(cache, "user1", secret, 2));
    assert_null(secret_cache_get(cache, "user1"));
    assert_false(secret_cache_put(cache, user, "short", 2));
    secret[MESSAGE_SECRET_MAX - 1] = '\0';
    assert_true(secret_cache_put(cache, "user1", secret, 2));
    assert_string_equal(secret_cache_get(cache, "user1")->secret, secret);
    secret_cache_free(cache);
}

static void expired_entries_stay_for_an_outage(void **state)
{
    (void)state;
    struct secret_cache *cache = secret_cache_new(10);
    put_numbered(cache, 1, "s");
    put_numbered(cache, 2, NULL);
    secret_cache_expire(cache);
    assert_true(secret_cache_get(cache, "user1")->expired);
    assert_string_equal(secret_cache_get(cache, "user1")->secret, "s");
    assert_true(secret_cache_get(cache, "user2")->expired);
    put_numbered(cache, 1, "t");
    assert_false(secret_cache_get(cache, "user1")->expired);
    secret_cache_free(cache);
    secret_cache_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_entry_used_longest_ago_makes_room),
        cmocka_unit_test(made_up_names_drive_out_no_secret),
        cmocka_unit_test(a_user_that_appears_or_goes_changes_its_kind),
        cmocka_unit_test(what_does_not_fit_is_not_kept_and_nothing_older_stays),
        cmocka_unit_test(expired_entries_stay_for_an_outage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
