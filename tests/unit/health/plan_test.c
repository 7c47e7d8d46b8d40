/* Who may be promoted: cases by name, and random ones that are counted out. */
#include "unit.h"

#include "health/failover/plan.h"

#define N 5
#define SYSTEM 42u

static struct evidence evidence[N];
static struct observation primary;
static struct plan_facts facts;
static char reason[PLAN_REASON_MAX];
static const char *const names[N] = {"n0", "n1", "n2", "n3", "n4"};

/* n0 is the primary that is gone; n1 ... are its replicas, each a little more advanced than the one before.
 */
static void begin(size_t n, const char *sync_names)
{
    memset(evidence, 0, sizeof evidence);
    primary = (struct observation){.system_identifier = SYSTEM, .timeline = 3, .sync_names_known = true};
    snprintf(primary.sync_names, sizeof primary.sync_names, "%s", sync_names);
    for (size_t i = 0; i < n; i++) {
        evidence[i] = (struct evidence){.name = names[i],
            .finding = FINDING_ANSWER,
            .error = "",
            .answered = true,
            .age_ms = 10,
            .seen = {.in_recovery = true,
                .system_identifier = SYSTEM,
                .timeline = 3,
                .lsn = 1000,
                .flush_lsn = 1000 + i}};
        snprintf(evidence[i].seen.standby_name, STANDBY_NAME_MAX, "%s", names[i]);
    }
    evidence[0].finding = FINDING_GONE;
    evidence[0].error = "refused";
    evidence[0].seen.in_recovery = false;
    facts = (struct plan_facts){
        .evidence = evidence, .n = n, .old = 0, .primary = &primary, .since_ms = 100, .wanted = -1};
}

static void silence(size_t i)
{
    evidence[i].finding = FINDING_SILENT;
    evidence[i].error = "timeout";
}

static void chooses(int wanted, const char *because)
{
    int node = plan_choose(&facts, reason);
    if (node != wanted || !strstr(reason, because))
        fail_msg("chose %d: %s", node, reason);
}

static void the_most_advanced_replica_is_chosen(void **context)
{
    (void)context;
    begin(4, "ANY 1 (n1, n2, n3)");
    chooses(3, "n3 has the most");
    evidence[1].seen.lsn = 5000; /* replayed counts as well as received */
    chooses(1, "n1 has the most");
}

static void of_equals_the_first_is_chosen_unless_it_is_excluded(void **context)
{
    (void)context;
    begin(4, "ANY 1 (n1, n2, n3)");
    for (size_t i = 1; i < 4; i++)
        evidence[i].seen.flush_lsn = 2000;
    chooses(1, "");
    facts.excluded = 1u << 1;
    chooses(2, "");
    facts.wanted = 3;
    chooses(3, "");
}

static void one_that_lacks_something_is_not_promoted_instead_of_the_most_advanced(void **context)
{
    (void)context;
    begin(3, "ANY 1 (n1, n2)");
    facts.excluded = 1u << 2;
    chooses(-1, "n2 is the most advanced");
}

static void who_is_not_a_replica_of_this_history_is_not_eligible(void **context)
{
    (void)context;
    begin(2, "n1");
    chooses(1, "");
    evidence[1].seen.timeline = 2;
    chooses(-1, "n1 is not on the primary's timeline 3");
    evidence[1].seen.timeline = 0;
    chooses(-1, "not on the primary's timeline");
    begin(2, "n1");
    evidence[1].seen.system_identifier = 43;
    chooses(-1, "system identifier");
    begin(2, "n1");
    evidence[1].seen.in_recovery = false;
    chooses(-1, "n1 is not a replica");
    begin(2, "n1");
    evidence[1].age_ms = 101;
    chooses(-1, "n1 cannot be asked");
    begin(2, "n1");
    primary.history = evidence[1].seen.history = (struct history){.known = true, .timeline = 3, .n = 1};
    evidence[1].seen.history.forks[0].lsn = 7;
    chooses(-1, "not on the primary's timeline");
}

static void without_synchronous_standbys_loss_must_be_allowed(void **context)
{
    (void)context;
    begin(3, "");
    chooses(-1, "its commits waited for no standby");
    facts.data_loss = DATA_LOSS_ALLOW;
    chooses(2, "commits may be lost");
    begin(3, "ANY 2 (n1, n2"); /* not understood */
    chooses(-1, "it is not known which standbys");
    begin(3, "ANY 2 (n1, n2)");
    primary.sync_names_known = false;
    chooses(-1, "it is not known which standbys");
}

static void enough_of_the_listed_must_be_asked(void **context)
{
    (void)context;
    begin(4, "ANY 1 (n1, n2, n3)");
    silence(1);
    chooses(-1, "of 3 standbys, of which 1 acknowledged each commit, only 2 can be asked");
    begin(4, "ANY 2 (n1, n2, n3)");
    silence(1);
    chooses(3, "n3 has the most");
    silence(2);
    chooses(-1, "only 1 can be asked");
    begin(4, "FIRST 1 (n1)");
    silence(2);
    silence(3);
    chooses(1, "");
    begin(4, "FIRST 1 (n1)");
    silence(1);
    chooses(-1, "only 0 can be asked");
}

static void the_old_primary_itself_acknowledges_nothing(void **context)
{
    (void)context;
    begin(3, "ANY 1 (n0, n1, n2)");
    chooses(2, "");
}

static void a_listed_standby_that_nobody_knows_may_have_everything(void **context)
{
    (void)context;
    begin(3, "ANY 1 (n1, n2, elsewhere)");
    chooses(-1, "of 3 standbys");
    begin(3, "ANY 2 (n1, n2, elsewhere)");
    chooses(2, "");
}

static void with_a_star_every_node_counts(void **context)
{
    (void)context;
    begin(3, "*");
    chooses(2, "");
    silence(1);
    chooses(-1, "of 2 standbys");
    begin(3, "ANY 2 (*)");
    silence(1);
    chooses(2, "");
}

static void nodes_that_share_a_name_count_each(void **context)
{
    (void)context;
    begin(3, "ANY 1 (walreceiver)");
    strcpy(evidence[1].seen.standby_name, "walreceiver");
    strcpy(evidence[2].seen.standby_name, "walreceiver");
    chooses(2, "");
    silence(1);
    chooses(-1, "of 2 standbys");
}

static void the_primary_is_gone_when_nobody_hears_from_it(void **context)
{
    (void)context;
    begin(3, "n1");
    assert_true(plan_is_gone(&facts, reason));
    evidence[2].seen.hears = true;
    assert_false(plan_is_gone(&facts, reason));
    assert_non_null(strstr(reason, "n0 does not answer here, but n2 hears from its primary"));
    evidence[2].age_ms = 1000; /* an old answer says nothing */
    assert_true(plan_is_gone(&facts, reason));
    evidence[0].finding = FINDING_ALIVE; /* too many connections, for instance */
    assert_false(plan_is_gone(&facts, reason));
    assert_non_null(strstr(reason, "n0 answers"));
}

/* A random cluster in which every commit was acknowledged by as many as the setting asks for: whenever
   somebody is chosen, that one has every acknowledged commit. */
static void whoever_is_chosen_has_every_acknowledged_commit(void **context)
{
    (void)context;
    unsigned random = 20261129, chosen = 0, refused = 0;
    for (int round = 0; round < 200000; round++) {
        char setting[64];
        unsigned listed = 0, k;
        uint64_t last_acknowledged = 0;
        random = random * 1103515245u + 12345u;
        unsigned r = random >> 8;
        size_t n = 2 + r % 4, n_listed = 0;
        for (size_t i = 1; i < n; i++)
            listed |= (r >> (3 + i) & 1) << i;
        if (!listed)
            listed = 2;
        for (size_t i = 1; i < n; i++)
            n_listed += listed >> i & 1;
        k = 1 + (r >> 9) % (unsigned)n_listed;
        int len = snprintf(setting, sizeof setting, "%s %u (", r >> 12 & 1 ? "ANY" : "FIRST", k);
        for (size_t i = 1; i < n; i++) {
            if (listed >> i & 1)
                len += snprintf(setting + len, sizeof setting - (size_t)len, "%s,", names[i]);
        }
        setting[len - 1] = ')';
        begin(n, setting);
        for (size_t i = 1; i < n; i++) {
            random = random * 1103515245u + 12345u;
            evidence[i].seen.flush_lsn = 1000 + (random >> 16) % 6;
            if (random >> 8 & 1)
                silence(i);
        }
        /* A position is acknowledged when k of the listed have it. */
        for (uint64_t lsn = 1000; lsn < 1006; lsn++) {
            unsigned have = 0;
            for (size_t i = 1; i < n; i++)
                have += (listed >> i & 1) && evidence[i].seen.flush_lsn >= lsn;
            if (have >= k)
                last_acknowledged = lsn;
        }
        int node = plan_choose(&facts, reason);
        if (node >= 0 && plan_position(&evidence[node].seen) < last_acknowledged)
            fail_msg("round %d: %s loses: %s", round, setting, reason);
        *(node >= 0 ? &chosen : &refused) += 1;
    }
    assert_true(chosen > 10000 && refused > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_advanced_replica_is_chosen),
        cmocka_unit_test(of_equals_the_first_is_chosen_unless_it_is_excluded),
        cmocka_unit_test(one_that_lacks_something_is_not_promoted_instead_of_the_most_advanced),
        cmocka_unit_test(who_is_not_a_replica_of_this_history_is_not_eligible),
        cmocka_unit_test(without_synchronous_standbys_loss_must_be_allowed),
        cmocka_unit_test(enough_of_the_listed_must_be_asked),
        cmocka_unit_test(the_old_primary_itself_acknowledges_nothing),
        cmocka_unit_test(a_listed_standby_that_nobody_knows_may_have_everything),
        cmocka_unit_test(with_a_star_every_node_counts),
        cmocka_unit_test(nodes_that_share_a_name_count_each),
        cmocka_unit_test(the_primary_is_gone_when_nobody_hears_from_it),
        cmocka_unit_test(whoever_is_chosen_has_every_acknowledged_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
