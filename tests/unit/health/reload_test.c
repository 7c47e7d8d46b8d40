/* What a reload means for a watched cluster: only what must be done anew is done anew. */
#include "health/reload.h"
#include "tests/unit/health/unit.h"

static char *functions_before[] = {(char *)"f", NULL}, *functions_after[] = {(char *)"f", NULL, NULL};
static struct config_cluster before, after;

static void set_up_alike(void)
{
    functions_after[1] = NULL;
    before = (struct config_cluster){.name = (char *)"c",
        .probe_user = (char *)"p",
        .auth_query = (char *)"q",
        .read_functions = functions_before};
    after = before;
    after.read_functions = functions_after;
}

static unsigned changes(void)
{
    const struct settings settings = {.cluster = &before};
    const struct config config = {.clusters = &after, .n_clusters = 1};
    return reload_changes(&settings, &config, 0);
}

static void numbers_are_no_change(void **state)
{
    (void)state;
    set_up_alike();
    assert_int_equal(changes(), 0);
    after.probe_interval_ms = 77;
    after.max_lag_bytes = 5;
    assert_int_equal(changes(), 0);
}

static void logins_secrets_and_lists_change_by_their_texts(void **state)
{
    (void)state;
    set_up_alike();
    after.probe_password = (char *)"new";
    assert_int_equal(changes(), RELOAD_PROBES);
    set_up_alike();
    after.tls.mode = TLS_REQUIRE;
    assert_int_equal(changes(), RELOAD_PROBES);
    set_up_alike();
    after.auth_query = NULL;
    assert_int_equal(changes(), RELOAD_SECRETS);
    set_up_alike();
    functions_after[1] = (char *)"g";
    assert_int_equal(changes(), RELOAD_CATALOGUES);
    set_up_alike();
    after.read_functions = NULL;
    assert_int_equal(changes(), RELOAD_CATALOGUES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_no_change),
        cmocka_unit_test(logins_secrets_and_lists_change_by_their_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
