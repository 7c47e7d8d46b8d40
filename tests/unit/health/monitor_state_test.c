/* What the monitor's two states say of a node: the pairs that its state machine goes through, and all others.
 */
#include "health/manager/monitor_state.h"
#include "tests/unit/health/unit.h"

struct pair {
    const char *reported, *goal;
    enum manager_role role;
    bool no_reads;
    enum manager_role unheard; /* after manager_grace of silence */
};

static const struct pair pairs[] = {
    /* a formation grows */
    {"init", "single", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"single", "single", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"single", "wait_primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"wait_primary", "wait_primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"wait_primary", "primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"primary", "primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"primary", "join_primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"join_primary", "primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"primary", "apply_settings", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"apply_settings", "primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"primary", "wait_primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"init", "wait_standby", MANAGER_REPLICA, true, MANAGER_ABSTAINS},
    {"wait_standby", "wait_standby", MANAGER_REPLICA, true, MANAGER_ABSTAINS},
    {"wait_standby", "catchingup", MANAGER_REPLICA, true, MANAGER_ABSTAINS},
    {"catchingup", "catchingup", MANAGER_REPLICA, true, MANAGER_ABSTAINS},
    {"catchingup", "secondary", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"secondary", "secondary", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"secondary", "catchingup", MANAGER_REPLICA, true, MANAGER_ABSTAINS},
    {"init", "init", MANAGER_NONE, true, MANAGER_NONE},
    /* a switchover or failover: the old primary */
    {"primary", "draining", MANAGER_LEAVING, false, MANAGER_NONE},
    {"wait_primary", "draining", MANAGER_LEAVING, false, MANAGER_NONE},
    {"join_primary", "draining", MANAGER_LEAVING, false, MANAGER_NONE},
    {"apply_settings", "draining", MANAGER_LEAVING, false, MANAGER_NONE},
    {"primary", "demote_timeout", MANAGER_LEAVING, false, MANAGER_NONE},
    {"primary", "demoted", MANAGER_LEAVING, false, MANAGER_NONE},
    {"primary", "report_lsn", MANAGER_LEAVING, false, MANAGER_NONE},
    {"wait_primary", "demote_timeout", MANAGER_LEAVING, false, MANAGER_NONE},
    {"draining", "draining", MANAGER_NONE, false, MANAGER_NONE},
    {"draining", "demote_timeout", MANAGER_NONE, false, MANAGER_NONE},
    {"demote_timeout", "demoted", MANAGER_NONE, false, MANAGER_NONE},
    {"demoted", "demoted", MANAGER_NONE, false, MANAGER_NONE},
    {"demoted", "catchingup", MANAGER_REPLICA, true, MANAGER_ABSTAINS},
    {"demoted", "single", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"draining", "report_lsn", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    /* the others */
    {"secondary", "report_lsn", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"report_lsn", "report_lsn", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"report_lsn", "fast_forward", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"report_lsn", "prepare_promotion", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"secondary", "prepare_promotion", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"prepare_promotion", "stop_replication", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"stop_replication", "stop_replication", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"prepare_promotion", "wait_primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"stop_replication", "wait_primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"prepare_promotion", "single", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"secondary", "single", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
    {"report_lsn", "join_secondary", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    {"join_secondary", "secondary", MANAGER_REPLICA, false, MANAGER_ABSTAINS},
    /* maintenance and the end */
    {"secondary", "wait_maintenance", MANAGER_NONE, true, MANAGER_NONE},
    {"secondary", "maintenance", MANAGER_NONE, true, MANAGER_NONE},
    {"maintenance", "maintenance", MANAGER_NONE, true, MANAGER_NONE},
    {"maintenance", "catchingup", MANAGER_REPLICA, true, MANAGER_ABSTAINS},
    {"primary", "prepare_maintenance", MANAGER_LEAVING, true, MANAGER_NONE},
    {"prepare_maintenance", "maintenance", MANAGER_NONE, true, MANAGER_NONE},
    {"primary", "maintenance", MANAGER_LEAVING, true, MANAGER_NONE},
    {"secondary", "dropped", MANAGER_NONE, true, MANAGER_NONE},
    {"primary", "dropped", MANAGER_LEAVING, true, MANAGER_NONE},
    /* what no version does today */
    {"primary", "enthroned", MANAGER_LEAVING, false, MANAGER_NONE},
    {"enthroned", "primary", MANAGER_PRIMARY, false, MANAGER_ABSTAINS},
};

static void each_pair_of_states_says_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        const struct pair *pair = &pairs[i];
        enum monitor_state goal = monitor_state_parse(pair->goal),
                           reported = monitor_state_parse(pair->reported);
        struct manager_word word = {0}, unheard = {0};
        monitor_state_word(goal, reported, &word);
        monitor_state_word_unheard(goal, reported, &unheard);
        if (word.role != pair->role || word.no_reads != pair->no_reads || unheard.role != pair->unheard)
            fail_msg("%s -> %s: role %d, no_reads %d, unheard %d: %s", pair->reported, pair->goal,
                (int)word.role, word.no_reads, (int)unheard.role, word.why);
    }
}

/* Whatever a later version or a mix of the two leads to. */
static void whatever_the_pair_only_a_writing_goal_makes_a_primary(void **state)
{
    (void)state;
    for (int goal = 0; goal < MONITOR_STATES; goal++) {
        for (int reported = 0; reported < MONITOR_STATES; reported++) {
            struct manager_word word = {0}, unheard = {0};
            monitor_state_word((enum monitor_state)goal, (enum monitor_state)reported, &word);
            monitor_state_word_unheard((enum monitor_state)goal, (enum monitor_state)reported, &unheard);
            bool wanted = monitor_state_writes((enum monitor_state)goal);
            bool writes = monitor_state_writes((enum monitor_state)reported);
            assert_int_equal(word.role == MANAGER_PRIMARY, wanted);
            assert_int_equal(word.role == MANAGER_LEAVING, writes && !wanted);
            assert_false(wanted && word.no_reads);
            assert_int_not_equal(unheard.role, MANAGER_LEAVING);
            if (wanted)
                assert_int_equal(unheard.role, MANAGER_ABSTAINS); /* nobody loses the role by silence */
            if (word.role == MANAGER_LEAVING || word.role == MANAGER_NONE)
                assert_int_equal(unheard.role, MANAGER_NONE); /* and nobody gets it who was refused */
            assert_true(word.why[0] && unheard.why[0]);
        }
    }
}

static void a_word_tells_both_states(void **state)
{
    (void)state;
    struct manager_word word = {0};
    monitor_state_word(MONITOR_DRAINING, MONITOR_PRIMARY, &word);
    assert_string_equal(word.why, "the monitor takes it from primary to draining");
    monitor_state_word(MONITOR_SECONDARY, MONITOR_SECONDARY, &word);
    assert_string_equal(word.why, "the monitor has it as secondary");
    monitor_state_word_unheard(MONITOR_DRAINING, MONITOR_PRIMARY, &word);
    assert_string_equal(word.why, "the monitor is silent, and its last word was draining");
}

static void states_are_known_by_their_names_and_others_are_other(void **state)
{
    (void)state;
    for (int i = MONITOR_UNKNOWN; i < MONITOR_STATES; i++)
        assert_int_equal(monitor_state_parse(monitor_state_name((enum monitor_state)i)), i);
    static const char *const others[] = {"", "Primary", "primary ", "another state", "prim"};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(monitor_state_parse(others[i]), MONITOR_OTHER);
    assert_int_equal(monitor_state_parse(NULL), MONITOR_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_of_states_says_what_the_table_says),
        cmocka_unit_test(whatever_the_pair_only_a_writing_goal_makes_a_primary),
        cmocka_unit_test(a_word_tells_both_states),
        cmocka_unit_test(states_are_known_by_their_names_and_others_are_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
