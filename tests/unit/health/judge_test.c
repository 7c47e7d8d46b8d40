/*
 * The judge by table: each case is a cluster of three nodes as it looks at one moment, and what must be said
 * of it. Every node stands for a string: "P2" out of recovery on timeline 2, "R2" in recovery, with marks
 * behind it.
 */
#include "health/judge.h"

#include "tests/unit/health/unit.h"

#define TTL_MS 3000
#define GRACE_MS 5000

static struct manager_word say(char mark)
{
    struct manager_word word = {.heard = true, .age_ms = 100};
    switch (mark) {
    case '+': word.role = MANAGER_PRIMARY; break;
    case '=': word.role = MANAGER_REPLICA; break;
    case '<': word.role = MANAGER_LEAVING; break;
    case '*': word.role = MANAGER_ABSTAINS; break;
    default: break;
    }
    snprintf(word.why, sizeof word.why, "%s",
        mark == '+'   ? "it has the lock"
        : mark == '=' ? "it is a replica by its manager"
        : mark == '<' ? "it is being deposed"
                      : "it has no lock");
    return word;
}

/*
 * P or R, timeline; then any of: x = another cluster, o = older than the ttl, g = gone, s = silent once, S =
 * silent three times, l = login refused, n = lets nobody in, r = read-only, a / b = forked at 100 / 200, 1 =
 * replayed to 150 only, t = the same postmaster start as every other t. "-" = not looked at yet, "g", "s",
 * "S", "l" alone = never answered. Then what the manager says: + primary, = replica, < leaving, * leaves it
 * to SQL, ? nothing of a role; w = said too long ago, q = no reads, L = leads a standby cluster. Without any
 * of these it has never spoken.
 */
static struct evidence look(const char *name, const char *sketch)
{
    struct evidence evidence = {.name = name, .error = "", .finding = FINDING_NONE};
    static int64_t starts = 1000;
    evidence.seen.started_us = starts++;
    evidence.seen.system_identifier = 7;
    evidence.seen.lsn = 300;
    evidence.seen.receiver = true;
    evidence.age_ms = 100;
    for (const char *c = sketch; *c; c++) {
        switch (*c) {
        case 'P':
        case 'R':
            evidence.finding = FINDING_ANSWER;
            evidence.answered = true;
            evidence.seen.in_recovery = *c == 'R';
            evidence.seen.timeline = (uint32_t)(c[1] - '0');
            c++;
            break;
        case 'x': evidence.seen.system_identifier = 8; break;
        case 'o': evidence.age_ms = TTL_MS; break;
        case 'g':
            evidence.finding = FINDING_GONE;
            evidence.error = "Connection refused";
            break;
        case 's':
        case 'S':
            evidence.finding = FINDING_SILENT;
            evidence.silent = *c == 's' ? 1 : 3;
            evidence.error = "no answer in time";
            break;
        case 'l':
            evidence.finding = FINDING_ALIVE;
            evidence.error = "too many clients already";
            break;
        case 'n':
            evidence.finding = FINDING_NOT_NOW;
            evidence.error = "the database system is starting up";
            break;
        case 'r': evidence.seen.read_only = true; break;
        case 'a':
        case 'b':
            evidence.seen.history =
                (struct history){.known = true, .timeline = evidence.seen.timeline, .n = 1};
            evidence.seen.history.forks[0] =
                (struct history_fork){evidence.seen.timeline - 1, *c == 'a' ? 100 : 200};
            break;
        case '1': evidence.seen.lsn = 150; break;
        case 't': evidence.seen.started_us = 1; break;
        case '-': break;
        case '+':
        case '=':
        case '<':
        case '*':
        case '?': evidence.word = say(*c); break;
        case 'w': evidence.word.age_ms = GRACE_MS; break;
        case 'q': evidence.word.no_reads = true; break;
        case 'L': evidence.word.leads_standbys = true; break;
        default: fail_msg("sketch %s", sketch);
        }
    }
    return evidence;
}

static const char *role_letter(const struct node_verdict *node)
{
    static const char *const letters[] = {
        [ROLE_UNKNOWN] = "?", [ROLE_PRIMARY] = "P", [ROLE_REPLICA] = "R", [ROLE_MASTER] = "M"};
    return node->role == ROLE_PRIMARY && node->read_only ? "p" : letters[node->role];
}

static void summarise(const struct verdict *verdict, char *roles, char *conditions)
{
    static const char condition_letters[] = {
        [CONDITION_UP] = 'u', [CONDITION_SUSPECT] = 's', [CONDITION_DOWN] = 'd'};
    roles[0] = conditions[0] = '\0';
    for (size_t i = 0; i < verdict->n; i++) {
        strcat(roles, role_letter(&verdict->nodes[i]));
        strncat(conditions, &condition_letters[verdict->nodes[i].condition], 1);
    }
}

struct row {
    const char *says;
    struct judge_memory memory;
    const char *nodes[3];
    const char *roles, *conditions;
    int primary;
    const char *reason; /* a part of the verdict's reason; NULL = there is a primary */
    int of_node;        /* whose reason holds node_reason */
    const char *node_reason;
};

static const struct row rows[] = {
    {"an ordinary cluster", {0}, {"P1", "R1", "R1"}, "PRR", "uuu", 0, NULL, 0, "takes writes on timeline 1"},
    {"nothing was looked at", {0}, {"-", "-", "-"}, "???", "sss", -1, "not all nodes are probed yet", 0,
        "not probed yet"},
    {"the majority has answered", {0}, {"P1", "R1", "-"}, "PR?", "uus", 0, NULL, 2, "not probed yet"},
    {"one of three has answered, and nothing is remembered", {0}, {"P1", "-", "-"}, "???", "uss", -1,
        "not all nodes are probed yet", 0, "waiting for the other nodes"},
    {"one of three has answered, and it is known", {7, 1}, {"P1", "-", "-"}, "P??", "uss", 0, NULL, 0,
        "takes writes"},
    {"refused is down at once", {7, 1}, {"P1g", "R1", "R1"}, "?RR", "duu", -1, "no node takes writes: 2 of 3",
        0, "nobody is there: Connection refused"},
    {"one silence is only suspect", {7, 1}, {"P1s", "R1", "R1"}, "PRR", "suu", 0, NULL, 0,
        "now does not answer: no answer in time"},
    {"down_after silences are down", {7, 1}, {"P1S", "R1", "R1"}, "?RR", "duu", -1, "no node takes writes", 0,
        "does not answer"},
    {"too old an answer loses the role", {7, 1}, {"P1so", "R1", "R1"}, "?RR", "suu", -1,
        "no node takes writes", 0, "does not answer"},
    {"too old an answer of a replica", {7, 1}, {"P1", "R1so", "R1"}, "P?R", "usu", 0, NULL, 1,
        "does not answer"},
    {"a refused login is alive", {7, 1}, {"P1l", "R1", "R1"}, "PRR", "uuu", 0, NULL, 0,
        "now alive, but refuses"},
    {"a refused login for too long", {7, 1}, {"P1lo", "R1", "R1"}, "?RR", "uuu", -1, "no node takes writes",
        0, "alive, but refuses the probe: too many"},
    {"starting up is down", {7, 1}, {"P1n", "R1", "R1"}, "?RR", "duu", -1, "no node takes writes", 0,
        "lets nobody in"},
    {"after a failover", {7, 1}, {"P1g", "P2", "R1"}, "?PR", "duu", 1, NULL, 1, "timeline 2"},
    {"the old primary is still there", {7, 2}, {"P1", "P2", "R2"}, "?PR", "uuu", 1, NULL, 0,
        "an old primary"},
    {"the old primary alone never gets the role back", {7, 2}, {"P1", "g", "g"}, "???", "udd", -1,
        "takes writes on timeline 1, but timeline 2 was seen", 0, "an old primary"},
    {"a replica has a newer timeline than who takes writes", {7, 1}, {"P1", "R2", "g"}, "?R?", "uud", -1,
        "but timeline 2 was seen", 0, "an old primary"},
    {"two on one timeline are a split", {7, 2}, {"P2a", "P2b", "R2"}, "??R", "uuu", -1,
        "split: n1 and n2 both take writes on timeline 2 (forked at 0/64 and at 0/C8)", 0, "split"},
    {"two on one timeline with one history are a split too", {7, 2}, {"P2a", "P2a", "R2"}, "??R", "uuu", -1,
        "split: n1 and n2", 1, "split"},
    {"a split that yields", {7, 2}, {"P2a", "P2bg", "R2"}, "P?R", "udu", 0, NULL, 1, "nobody is there"},
    {"a split where one goes on to a newer timeline", {7, 2}, {"P2a", "P3", "R2"}, "?PR", "uuu", 1, NULL, 0,
        "an old primary"},
    {"one server under two names", {7, 1}, {"P1t", "P1t", "R1"}, "P?R", "uuu", 0, NULL, 1,
        "the same server as n1"},
    {"a foreign node", {7, 1}, {"P1", "R1x", "R1"}, "P?R", "uuu", 0, NULL, 1, "belongs to another cluster"},
    {"a foreign primary", {7, 1}, {"g", "R1", "P5x"}, "?R?", "duu", -1, "no node takes writes", 2,
        "belongs to another cluster"},
    {"a foreigner in the minority at the first look", {0}, {"P1x", "P1", "R1"}, "?PR", "uuu", 1, NULL, 0,
        "belongs to another cluster"},
    {"two clusters and nobody to decide", {0}, {"P1x", "P1", "g"}, "???", "uud", -1,
        "different system identifiers", 0, "no majority"},
    {"read-only by default is still the primary", {7, 1}, {"P1r", "R1", "R1"}, "pRR", "uuu", 0, NULL, 0,
        "read-only"},
    {"all are replicas", {7, 3}, {"R3", "R3", "R3"}, "RRR", "uuu", -1, "no node takes writes: 3 of 3", 0,
        "in recovery on timeline 3"},
    {"all are gone", {7, 3}, {"g", "g", "g"}, "???", "ddd", -1, "n1: nobody is there", 0, "nobody is there"},
    {"a replica that follows another timeline of that number", {7, 2}, {"P2a", "R2b", "R2a"}, "P?R", "uuu", 0,
        NULL, 1, "follows another timeline 2"},
    {"a replica that replayed past the fork", {7, 2}, {"P2a", "R1", "R2a"}, "P?R", "uuu", 0, NULL, 1,
        "diverged"},
    {"a replica that has not reached the fork", {7, 2}, {"P2b", "R11", "R2b"}, "PRR", "uuu", 0, NULL, 1,
        "in recovery on timeline 1"},
    {"a replica on a timeline that the primary does not come from", {7, 5}, {"P5a", "R3", "R5"}, "P?R", "uuu",
        0, NULL, 1, "does not come from"},
};

static const struct row managed_rows[] = {
    {"the manager and SQL agree", {7, 1}, {"P1+", "R1=", "R1="}, "PRR", "uuu", 0, NULL, 0, "takes writes on"},
    {"the manager has not spoken yet", {7, 1}, {"P1", "R1", "R1"}, "?RR", "uuu", -1,
        "n1 takes writes, but its manager has not spoken yet", 0,
        "takes writes on timeline 1, but its manager"},
    {"the manager has been silent for too long", {7, 1}, {"P1+w", "R1=", "R1="}, "?RR", "uuu", -1,
        "n1 takes writes, but its manager has been silent", 0, "silent for longer than manager_grace"},
    {"the manager calls the one who takes writes a replica", {7, 1}, {"P1=", "R1=", "R1="}, "?RR", "uuu", -1,
        "n1 takes writes, but it is a replica by its manager", 0, "but it is a replica"},
    {"the lock is gone", {7, 1}, {"P1?", "R1=", "R1="}, "?RR", "uuu", -1,
        "n1 takes writes, but it has no lock", 0, "no lock"},
    {"a replica is named before its promotion is complete", {7, 1}, {"P1?", "R1+", "R1="}, "?RR", "uuu", -1,
        "n1 takes writes, but it has no lock", 1, "in recovery"},
    {"a replica is named and the old primary is gone", {7, 1}, {"g?", "R1+", "R1="}, "?RR", "duu", -1,
        "n2 is named primary, but in recovery on timeline 1", 1, "in recovery"},
    {"two that take writes and two names: the newer timeline", {7, 1}, {"P1+", "P2+", "R1="}, "?PR", "uuu", 1,
        NULL, 0, "an old primary"},
    {"two that take writes on one timeline: the named one", {7, 2}, {"P2a?", "P2b+", "R2="}, "?PR", "uuu", 1,
        NULL, 0, "takes writes on timeline 2, but it has no lock"},
    {"two that take writes on one timeline and both named", {7, 2}, {"P2a+", "P2b+", "R2="}, "??R", "uuu", -1,
        "split: n1 and n2", 0, "split"},
    {"its manager killed, a successor that takes writes and is not named yet", {7, 1}, {"P1+", "P2=", "R1="},
        "??R", "uuu", -1, "n2 takes writes, but it is a replica", 0, "an old primary"},
    {"its manager killed, a replica follows the successor that is not seen", {7, 1}, {"P1+", "g", "R2="},
        "??R", "udu", -1, "but timeline 2 was seen", 0, "an old primary"},
    {"nobody who leaves had the role before", {7, 1}, {"P1<", "R1=", "R1="}, "?RR", "uuu", -1,
        "n1 takes writes, but it is being deposed", 0, "being deposed"},
    {"replicas need no word", {7, 1}, {"P1+", "R1", "R1=w"}, "PRR", "uuu", 0, NULL, 1, "in recovery"},
    {"a manager that cannot be asked leaves it to SQL", {7, 1}, {"P1*", "R1*", "R1*"}, "PRR", "uuu", 0, NULL,
        0, "takes writes on"},
    {"as before, and the newer timeline wins", {7, 1}, {"P1*", "P2*", "R1*"}, "?PR", "uuu", 1, NULL, 0,
        "an old primary"},
    {"as before, and two on one timeline are a split", {7, 2}, {"P2a*", "P2b*", "R2*"}, "??R", "uuu", -1,
        "split: n1 and n2", 0, "split"},
    {"as before, and nobody takes writes", {7, 1}, {"g*", "R1*", "R1*"}, "?RR", "duu", -1,
        "no node takes writes: 2 of 3 are in recovery", 0, "nobody is there"},
    {"a replica that is not to be read says why", {7, 1}, {"P1+", "R1=q", "R1="}, "PRR", "uuu", 0, NULL, 1,
        "not to be read: it is a replica by its manager"},
    {"a standby cluster", {7, 1}, {"R1=", "R1=L", "R1="}, "RRR", "uuu", -1,
        "this is a standby cluster: its leader n2 follows another cluster", 1, "in recovery"},
    {"one that was promoted, and a word that is old", {7, 1}, {"P2+", "R1=Lw", "R2="}, "PRR", "uuu", 0, NULL,
        0, "takes writes"},
    {"a named primary that is frozen", {7, 1}, {"P1+So", "R1=", "R1="}, "?RR", "duu", -1,
        "n1 is named primary, but does not answer", 0, "does not answer"},
};

static const struct judge_rules rules = {
    .observation_ttl_ms = TTL_MS, .down_after = 3, .manager_grace_ms = GRACE_MS};
static const struct judge_rules managed = {
    .observation_ttl_ms = TTL_MS, .down_after = 3, .manager_grace_ms = GRACE_MS, .managed = true};
static const struct judge_rules monitored = {.observation_ttl_ms = TTL_MS,
    .down_after = 3,
    .manager_grace_ms = GRACE_MS,
    .managed = true,
    .read_only_waits = true};

static void check_rows(const struct judge_rules *by, const struct row *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct row *row = &table[i];
        struct evidence evidence[3] = {
            look("n1", row->nodes[0]), look("n2", row->nodes[1]), look("n3", row->nodes[2])};
        struct verdict verdict;
        char roles[8], conditions[8];
        verdict_init(&verdict, &row->memory, 3);
        judge(by, evidence, &verdict);
        summarise(&verdict, roles, conditions);
        if (strcmp(roles, row->roles) != 0 || strcmp(conditions, row->conditions) != 0 ||
            verdict.primary != row->primary)
            fail_msg("%s: roles %s (%s), conditions %s (%s), primary %d (%d): %s", row->says, roles,
                row->roles, conditions, row->conditions, verdict.primary, row->primary, verdict.reason);
        if (row->reason && !strstr(verdict.reason, row->reason))
            fail_msg("%s: reason \"%s\"", row->says, verdict.reason);
        if (!row->reason && verdict.reason[0])
            fail_msg("%s: a primary and a reason \"%s\"", row->says, verdict.reason);
        if (!strstr(verdict.nodes[row->of_node].reason, row->node_reason))
            fail_msg("%s: node reason \"%s\"", row->says, verdict.nodes[row->of_node].reason);
    }
}

static void each_cluster_is_judged_as_the_table_says(void **state)
{
    (void)state;
    check_rows(&rules, rows, COUNT(rows));
}

static void each_managed_cluster_is_judged_as_the_table_says(void **state)
{
    (void)state;
    check_rows(&managed, managed_rows, COUNT(managed_rows));
}

/* Judges the next moment of the same cluster. */
static void then_by(const struct judge_rules *by, struct verdict *verdict, const char *a, const char *b)
{
    struct evidence evidence[2] = {look("n1", a), look("n2", b)};
    judge(by, evidence, verdict);
}

static void then(struct verdict *verdict, const char *a, const char *b)
{
    then_by(&rules, verdict, a, b);
}

static void assert_leaving(const struct verdict *verdict, int node, uint32_t generation)
{
    assert_int_equal(verdict->primary, -1);
    assert_int_equal(verdict->holding, node);
    assert_int_equal(verdict->nodes[node].role, ROLE_PRIMARY);
    assert_int_equal(verdict->nodes[node].generation, generation);
    assert_non_null(strstr(verdict->reason, "being deposed"));
}

static void a_primary_that_leaves_keeps_role_and_generation_until_it_stops(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 1}, 2);
    then_by(&managed, &verdict, "P1+", "R1=");
    uint32_t generation = verdict.nodes[0].generation;
    then_by(&managed, &verdict, "P1<", "R1=");
    assert_leaving(&verdict, 0, generation);
    then_by(&managed, &verdict, "P1s<", "R1=");
    assert_leaving(&verdict, 0, generation);
    then_by(&managed, &verdict, "P1g<", "R1=");
    assert_int_equal(verdict.holding, -1);
    assert_int_equal(verdict.nodes[0].role, ROLE_UNKNOWN);
    assert_int_equal(verdict.nodes[0].generation, generation + 1);
}

static void a_primary_that_left_and_is_named_again_goes_on_as_before(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 1}, 2);
    then_by(&managed, &verdict, "P1+", "R1=");
    uint32_t generation = verdict.nodes[0].generation;
    then_by(&managed, &verdict, "P1<", "R1=");
    then_by(&managed, &verdict, "P1+", "R1=");
    assert_int_equal(verdict.primary, 0);
    assert_int_equal(verdict.holding, -1);
    assert_int_equal(verdict.nodes[0].generation, generation);
}

static void a_primary_that_leaves_loses_the_role_to_its_successor(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 1}, 2);
    then_by(&managed, &verdict, "P1+", "R1=");
    uint32_t generation = verdict.nodes[0].generation;
    then_by(&managed, &verdict, "P1<", "R1+");
    assert_leaving(&verdict, 0, generation);
    then_by(&managed, &verdict, "P1<", "P2+");
    assert_int_equal(verdict.primary, 1);
    assert_int_equal(verdict.holding, -1);
    assert_int_equal(verdict.nodes[0].role, ROLE_UNKNOWN);
    assert_int_equal(verdict.nodes[0].generation, generation + 1);
}

static void a_primary_does_not_leave_for_ever(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 1}, 2);
    then_by(&managed, &verdict, "P1+", "R1=");
    then_by(&managed, &verdict, "P1<w", "R1=");
    assert_int_equal(verdict.holding, -1);
    assert_int_equal(verdict.nodes[0].role, ROLE_UNKNOWN);
    then_by(&managed, &verdict, "P1<", "R1=");
    assert_int_equal(verdict.holding, -1); /* what it has lost does not come back by leaving */
}

static void a_primary_leaves_without_a_manager_too(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 1}, 2);
    then(&verdict, "P1", "R1");
    then(&verdict, "P1<", "R1");
    assert_leaving(&verdict, 0, verdict.nodes[0].generation);
    then(&verdict, "P1", "R1");
    assert_int_equal(verdict.primary, 0);
}

static void a_promotion_that_the_manager_takes_back_is_not_remembered(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 1}, 2);
    then_by(&managed, &verdict, "P1+", "R1=");
    then_by(&managed, &verdict, "P1+", "P2=");
    assert_int_equal(verdict.primary, -1);
    then_by(&managed, &verdict, "P1+", "R1=");
    assert_int_equal(verdict.primary, 0);
    then_by(&managed, &verdict, "P1+", "P2+");
    assert_int_equal(verdict.primary, 1);
    then_by(&managed, &verdict, "P1+", "g=");
    assert_int_equal(verdict.primary, -1); /* that one was named: timeline 1 is over */
}

static void where_read_only_waits_it_is_no_primary(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 1}, 2);
    then_by(&monitored, &verdict, "P1r+", "R1=");
    assert_int_equal(verdict.primary, -1);
    assert_non_null(strstr(verdict.reason, "read-only still"));
    then_by(&monitored, &verdict, "P1+", "R1=");
    assert_int_equal(verdict.primary, 0);
    then_by(&managed, &verdict, "P1r+", "R1=");
    assert_int_equal(verdict.primary, 0);
    assert_true(verdict.nodes[0].read_only);
}

static void no_reads_is_handed_on(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 1}, 2);
    then_by(&managed, &verdict, "P1+", "R1=q");
    assert_int_equal(verdict.nodes[1].role, ROLE_REPLICA);
    assert_true(verdict.nodes[1].no_reads);
    then_by(&managed, &verdict, "P1+", "R1=");
    assert_false(verdict.nodes[1].no_reads);
}

static void a_generation_is_raised_with_each_change_of_role(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){0}, 2);
    assert_int_equal(verdict.nodes[0].generation, 1);
    then(&verdict, "P1", "R1");
    assert_int_equal(verdict.nodes[0].generation, 2);
    assert_int_equal(verdict.nodes[1].generation, 2);
    then(&verdict, "P1", "R1");
    assert_int_equal(verdict.nodes[0].generation, 2);
    then(&verdict, "P1s", "R1");
    assert_int_equal(verdict.nodes[0].generation, 2);
    then(&verdict, "P1g", "R1");
    assert_int_equal(verdict.nodes[0].generation, 3);
    then(&verdict, "P1g", "P2");
    assert_int_equal(verdict.nodes[1].generation, 3);
    assert_int_equal(verdict.primary, 1);
}

static void a_primary_that_was_elsewhere_between_two_looks_gets_a_new_generation(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){0}, 2);
    then(&verdict, "P1", "R1");
    uint32_t before = verdict.nodes[0].generation;
    then(&verdict, "P3", "R3");
    assert_int_equal(verdict.primary, 0);
    assert_int_equal(verdict.nodes[0].generation, before + 1);
}

static void a_node_that_was_down_stays_down_until_it_answers(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 1}, 2);
    then(&verdict, "P1g", "R1");
    assert_int_equal(verdict.nodes[0].condition, CONDITION_DOWN);
    then(&verdict, "P1s", "R1");
    assert_int_equal(verdict.nodes[0].condition, CONDITION_DOWN);
    assert_int_equal(verdict.primary, -1);
    then(&verdict, "P1", "R1");
    assert_int_equal(verdict.nodes[0].condition, CONDITION_UP);
    assert_int_equal(verdict.primary, 0);
}

static void what_a_primary_proves_is_remembered(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){0}, 2);
    then(&verdict, "P4", "R4");
    assert_int_equal(verdict.memory.system_identifier, 7);
    assert_int_equal(verdict.memory.timeline, 4);
    then(&verdict, "P4", "P9x");
    assert_int_equal(verdict.memory.timeline, 4);
    assert_int_equal(verdict.primary, 0);
}

static void only_positions_on_the_primarys_history_are_comparable(void **state)
{
    (void)state;
    struct verdict verdict;
    verdict_init(&verdict, &(struct judge_memory){7, 2}, 2);
    then(&verdict, "P2a", "R2a");
    assert_true(verdict.nodes[1].shares_history);
    then(&verdict, "P2a", "R2");
    assert_true(verdict.nodes[1].shares_history);
    then(&verdict, "P2a", "R11");
    assert_false(verdict.nodes[1].shares_history);
    then(&verdict, "P2a", "R2b");
    assert_false(verdict.nodes[1].shares_history);
    then(&verdict, "g", "R2a");
    assert_false(verdict.nodes[1].shares_history);
}

static void a_reason_does_not_change_while_nothing_changes(void **state)
{
    (void)state;
    struct verdict verdict, before;
    verdict_init(&verdict, &(struct judge_memory){0}, 2);
    then(&verdict, "P1", "R1");
    before = verdict;
    struct evidence evidence[2] = {look("n1", "P1"), look("n2", "R1")};
    evidence[0].age_ms = 1234;
    evidence[0].seen.lsn = 99999;
    evidence[1].seen.lag_ms = 55;
    judge(&rules, evidence, &verdict);
    assert_string_equal(verdict.nodes[0].reason, before.nodes[0].reason);
    assert_string_equal(verdict.nodes[1].reason, before.nodes[1].reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cluster_is_judged_as_the_table_says),
        cmocka_unit_test(each_managed_cluster_is_judged_as_the_table_says),
        cmocka_unit_test(a_primary_that_leaves_keeps_role_and_generation_until_it_stops),
        cmocka_unit_test(a_primary_that_left_and_is_named_again_goes_on_as_before),
        cmocka_unit_test(a_primary_that_leaves_loses_the_role_to_its_successor),
        cmocka_unit_test(a_primary_does_not_leave_for_ever),
        cmocka_unit_test(a_primary_leaves_without_a_manager_too),
        cmocka_unit_test(a_promotion_that_the_manager_takes_back_is_not_remembered),
        cmocka_unit_test(where_read_only_waits_it_is_no_primary),
        cmocka_unit_test(no_reads_is_handed_on),
        cmocka_unit_test(a_generation_is_raised_with_each_change_of_role),
        cmocka_unit_test(a_primary_that_was_elsewhere_between_two_looks_gets_a_new_generation),
        cmocka_unit_test(a_node_that_was_down_stays_down_until_it_answers),
        cmocka_unit_test(what_a_primary_proves_is_remembered),
        cmocka_unit_test(only_positions_on_the_primarys_history_are_comparable),
        cmocka_unit_test(a_reason_does_not_change_while_nothing_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
