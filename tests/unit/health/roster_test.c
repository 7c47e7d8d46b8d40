/* Who is watched: the sections of the configuration, or what the manager lists. */
#include "health/roster.h"
#include "tests/unit/health/unit.h"

static struct config_node sections[] = {
    {(char *)"a", (char *)"h1", 1, 10, 100}, {(char *)"b", (char *)"h2", 2, 20, 200}};
static struct config_cluster config = {.nodes = sections, .n_nodes = COUNT(sections)};
static struct config_cluster bare;

static struct roster begin(void)
{
    struct roster roster = {0};
    roster_update(&roster, &config, NULL);
    return roster;
}

/* "name host port" and so on. */
static bool list(struct roster *roster, const struct config_cluster *cluster, const char *text)
{
    struct manager_members members = {0};
    int used;
    while (members.n < TOPOLOGY_MAX_NODES) {
        struct manager_member *member = &members.list[members.n];
        if (sscanf(text, "%63s %255s %hu%n", member->name, member->host, &member->port, &used) != 3)
            break;
        text += used;
        members.n++;
    }
    return roster_update(roster, cluster, &members);
}

static void assert_roster(struct roster *roster, const char *expected)
{
    char text[4096] = "";
    size_t used = 0;
    for (size_t i = 0; i < roster->n; i++) {
        const struct config_node *node = &roster->nodes[i];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s@%s:%u/%u/%u", i ? " " : "",
            node->name, node->host, node->port, node->weight, node->max_connections);
    }
    assert_string_equal(text, expected);
}

static void without_a_manager_the_sections_are_watched(void **state)
{
    (void)state;
    struct roster roster = begin();
    assert_roster(&roster, "a@h1:1/10/100 b@h2:2/20/200");
    assert_false(roster_update(&roster, &config, NULL));
    roster_fini(&roster);
}

static void weights_are_taken_over_but_change_nobody(void **state)
{
    (void)state;
    struct config_node other[] = {sections[0], sections[1]};
    struct config_cluster after = {.nodes = other, .n_nodes = 2};
    struct roster roster = begin();
    other[1].weight = 7;
    assert_false(roster_update(&roster, &after, NULL));
    assert_roster(&roster, "a@h1:1/10/100 b@h2:2/7/200");
    roster_fini(&roster);
}

static void a_name_a_host_a_port_a_number_and_the_order_are_changes(void **state)
{
    (void)state;
    const struct config_node changed[][2] = {{{(char *)"A", (char *)"h1", 1, 10, 100}, sections[1]},
        {{(char *)"a", (char *)"h3", 1, 10, 100}, sections[1]},
        {{(char *)"a", (char *)"h1", 3, 10, 100}, sections[1]}, {sections[1], sections[0]}};
    for (size_t i = 0; i < COUNT(changed); i++) {
        struct config_node nodes[2] = {changed[i][0], changed[i][1]};
        struct config_cluster after = {.nodes = nodes, .n_nodes = 2};
        struct roster roster = begin();
        assert_true(roster_update(&roster, &after, NULL));
        assert_false(roster_update(&roster, &after, NULL));
        roster_fini(&roster);
    }
    struct roster roster = begin();
    assert_true(roster_update(&roster, &bare, NULL));
    assert_int_equal(roster.n, 0);
    roster_fini(&roster);
}

static void members_take_over_from_the_section_at_their_address(void **state)
{
    (void)state;
    struct roster roster = begin();
    assert_true(list(&roster, &config, "db9 h9 9 db2 H2 2"));
    assert_roster(&roster, "b@h2:2/20/200 db9@h9:9/100/0");
    roster_fini(&roster);
}

static void members_in_another_order_change_nothing(void **state)
{
    (void)state;
    struct roster roster = {0};
    assert_true(list(&roster, &bare, "x h1 1 y h2 2 z h3 3"));
    assert_false(list(&roster, &bare, "z h3 3 x h1 1 y h2 2"));
    assert_roster(&roster, "x@h1:1/100/0 y@h2:2/100/0 z@h3:3/100/0");
    assert_true(list(&roster, &bare, "z h3 3 x h1 1"));
    assert_roster(&roster, "x@h1:1/100/0 z@h3:3/100/0");
    roster_fini(&roster);
}

static void a_member_that_moves_is_another_node(void **state)
{
    (void)state;
    struct roster roster = {0};
    list(&roster, &bare, "x h1 1 y h2 2");
    assert_true(list(&roster, &bare, "x h7 1 y h2 2"));
    assert_roster(&roster, "y@h2:2/100/0 x@h7:1/100/0");
    roster_fini(&roster);
}

static void names_are_made_fit_and_unique(void **state)
{
    (void)state;
    struct roster roster = begin();
    assert_true(list(&roster, &config, "d\xc3\xa9 h3 3 a h4 4 a h5 4 x h1 1"));
    assert_roster(&roster, "a@h1:1/10/100 d__@h3:3/100/0 a_4@h4:4/100/0 a_5@h5:4/100/0");
    roster_fini(&roster);
}

static void the_name_of_a_section_that_is_no_member_is_free(void **state)
{
    (void)state;
    struct roster roster = begin();
    list(&roster, &config, "a h4 4");
    assert_roster(&roster, "a@h4:4/100/0");
    roster_fini(&roster);
}

static void one_address_is_one_node(void **state)
{
    (void)state;
    struct roster roster = {0};
    list(&roster, &bare, "x h1 1 y h1 1");
    assert_roster(&roster, "x@h1:1/100/0");
    roster_fini(&roster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_manager_the_sections_are_watched),
        cmocka_unit_test(weights_are_taken_over_but_change_nobody),
        cmocka_unit_test(a_name_a_host_a_port_a_number_and_the_order_are_changes),
        cmocka_unit_test(members_take_over_from_the_section_at_their_address),
        cmocka_unit_test(members_in_another_order_change_nothing),
        cmocka_unit_test(a_member_that_moves_is_another_node),
        cmocka_unit_test(names_are_made_fit_and_unique),
        cmocka_unit_test(the_name_of_a_section_that_is_no_member_is_free),
        cmocka_unit_test(one_address_is_one_node),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
