/* What a reload means for a watched cluster: only what must be done anew is done anew. */
#include "health/reload.h"
#include "tests/unit/health/unit.h"

static struct config_node nodes_before[] = {{.name = (char *)"a", .host = (char *)"h1", .port = 1},
    {.name = (char *)"b", .host = (char *)"h2", .port = 2}};
static struct config_node nodes_after[2];
static char *functions_before[] = {(char *)"f", NULL}, *functions_after[] = {(char *)"f", NULL, NULL};
static struct config_cluster before, after;

static void set_up_alike(void)
{
    memcpy(nodes_after, nodes_before, sizeof nodes_after);
    functions_after[1] = NULL;
    before = (struct config_cluster){.name = (char *)"c",
        .nodes = nodes_before,
        .n_nodes = 2,
        .probe_user = (char *)"p",
        .auth_query = (char *)"q",
        .read_functions = functions_before};
    after = before;
    after.nodes = nodes_after;
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
    nodes_after[0].weight = 9;
    assert_int_equal(changes(), 0);
}

static void members_change_by_name_host_port_number_and_order(void **state)
{
    (void)state;
    set_up_alike();
    nodes_after[1].port = 3;
    assert_int_equal(changes(), RELOAD_MEMBERS);
    set_up_alike();
    nodes_after[1].host = (char *)"h3";
    assert_int_equal(changes(), RELOAD_MEMBERS);
    set_up_alike();
    after.n_nodes = 1;
    assert_int_equal(changes(), RELOAD_MEMBERS);
    set_up_alike();
    nodes_after[0] = nodes_before[1];
    nodes_after[1] = nodes_before[0];
    assert_int_equal(changes(), RELOAD_MEMBERS);
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
        cmocka_unit_test(members_change_by_name_host_port_number_and_order),
        cmocka_unit_test(logins_secrets_and_lists_change_by_their_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
