/*
 * The monitor's words and the judge through random histories of a formation: nodes crash, freeze, come back
 * as the primaries that they were, are switched over and put into maintenance; the monitor is lost to
 * rolecall, or altogether, in the middle of it. rolecall reads the table and looks at the nodes late and in
 * any order. What must never be true is checked after every verdict, and a formation that has healed must be
 * followed.
 */
#include "health/judge.h"
#include "health/manager/monitor_table.h"
#include "tests/unit/health/unit.h"

#define NODES 3
#define STEPS 8000
#define SEEDS 80
#define TTL_MS 3000
#define GRACE_MS 5000
#define DOWN_AFTER 3

/* A node as it is: its server, and what the monitor and its keeper know. */
struct instance {
    bool running, frozen;    /* the machine: server and keeper */
    bool primary, read_only; /* the server */
    uint32_t timeline;
    enum monitor_state goal, reported;
    uint64_t wrote_at_ms;  /* when it was last able to take writes */
    uint64_t wanted_at_ms; /* when its goal was last one that writes, or in which it may be served */
};

struct world {
    uint64_t random, now_ms;
    uint32_t timeline; /* the highest given */
    struct instance instances[NODES];
    bool monitor_up, reachable; /* reachable: by rolecall */
    /* rolecall's side */
    bool serve_draining;
    struct monitor_table table;
    uint64_t heard_at_ms;
    struct evidence evidence[NODES];
    uint64_t answered_at_ms[NODES];
    struct verdict verdict;
    unsigned elected, held, abstained;
};

static uint32_t below(struct world *world, uint32_t limit)
{
    world->random = world->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(world->random >> 33) % limit;
}

static bool is_alive(const struct instance *instance)
{
    return instance->running && !instance->frozen;
}

static int writer_of(const struct world *world)
{
    for (int i = 0; i < NODES; i++) {
        if (monitor_state_writes(world->instances[i].goal))
            return i;
    }
    return -1;
}

/* --- the formation --- */

/* What a keeper does to get where it shall be; it reports that it is there. */
static void obey(struct world *world, struct instance *instance)
{
    bool writes = monitor_state_writes(instance->goal);
    bool promoted = writes || instance->goal == MONITOR_STOP_REPLICATION;
    if (promoted && !instance->primary)
        instance->timeline = ++world->timeline;
    if (instance->goal == MONITOR_SECONDARY || instance->goal == MONITOR_CATCHINGUP)
        instance->timeline = world->timeline;
    instance->primary = promoted;
    instance->read_only = promoted && !writes;
    instance->reported = instance->goal;
}

static bool is_candidate(const struct instance *instance)
{
    return is_alive(instance) && instance->goal == MONITOR_SECONDARY &&
           instance->reported == MONITOR_SECONDARY;
}

/* Deposes the writer, for a switchover or because its machine is gone, and chooses another. */
static void depose(struct world *world, bool switchover)
{
    int old = writer_of(world);
    for (int i = 0; i < NODES && old >= 0; i++) {
        if (i == old || !is_candidate(&world->instances[i]))
            continue;
        world->instances[old].goal = switchover ? MONITOR_DRAINING : MONITOR_DEMOTE_TIMEOUT;
        world->instances[i].goal = MONITOR_PREPARE_PROMOTION;
        return;
    }
}

static void advance(struct instance *instance, const struct world *world)
{
    bool there = instance->goal == instance->reported;
    if (instance->goal == MONITOR_PREPARE_PROMOTION && there)
        instance->goal = MONITOR_STOP_REPLICATION;
    else if (instance->goal == MONITOR_STOP_REPLICATION && there)
        instance->goal = MONITOR_WAIT_PRIMARY;
    else if (instance->goal == MONITOR_WAIT_PRIMARY && there)
        instance->goal = MONITOR_PRIMARY;
    else if ((instance->goal == MONITOR_DRAINING || instance->goal == MONITOR_DEMOTE_TIMEOUT ||
                 instance->goal == MONITOR_DEMOTED) &&
             there && writer_of(world) >= 0)
        instance->goal = MONITOR_CATCHINGUP;
    else if (instance->goal == MONITOR_CATCHINGUP && there)
        instance->goal = MONITOR_SECONDARY;
}

/* An old primary is never waited for: stop_replication and the read-only time stand for that. */
static void monitor_works(struct world *world)
{
    int writer = writer_of(world);
    if (!world->monitor_up)
        return;
    if (writer >= 0 && !is_alive(&world->instances[writer]) && below(world, 10) == 0)
        depose(world, false);
    for (int i = 0; i < NODES; i++)
        advance(&world->instances[i], world);
}

static void operator_works(struct world *world)
{
    struct instance *instance = &world->instances[below(world, NODES)];
    if (below(world, 3) == 0) {
        depose(world, true);
    } else if (instance->goal == MONITOR_SECONDARY) {
        instance->goal = MONITOR_MAINTENANCE;
    } else if (instance->goal == MONITOR_MAINTENANCE && writer_of(world) >= 0) {
        instance->goal = MONITOR_CATCHINGUP;
    }
}

static void something_happens(struct world *world)
{
    struct instance *instance = &world->instances[below(world, NODES)];
    switch (below(world, 12)) {
    case 0: instance->running = false; break;
    case 1: instance->frozen = true; break;
    case 2:
    case 3:
    case 4: instance->running = true; break; /* as what it was */
    case 5:
    case 6: instance->frozen = false; break;
    case 7: world->monitor_up = below(world, 3) > 0; break;
    case 8: world->reachable = below(world, 3) > 0; break;
    default:
        if (world->monitor_up)
            operator_works(world);
        break;
    }
}

static void time_passes(struct world *world)
{
    world->now_ms += below(world, 200);
    for (int i = 0; i < NODES; i++) {
        struct instance *instance = &world->instances[i];
        if (is_alive(instance) && instance->primary && !instance->read_only)
            instance->wrote_at_ms = world->now_ms;
        if (monitor_state_writes(instance->goal) ||
            (world->serve_draining && instance->goal == MONITOR_DRAINING))
            instance->wanted_at_ms = world->now_ms;
    }
}

/* --- rolecall --- */

static void read_table(struct world *world)
{
    if (!world->monitor_up || !world->reachable)
        return;
    world->table.n = NODES;
    for (int i = 0; i < NODES; i++) {
        struct monitor_node *node = &world->table.nodes[i];
        node->goal = world->instances[i].goal;
        node->reported = world->instances[i].reported;
        bool leaves = !monitor_state_writes(node->goal) && monitor_state_writes(node->reported);
        if (!leaves)
            node->leaving_since_us = 0;
        else if (node->leaving_since_us == 0)
            node->leaving_since_us = world->now_ms * 1000;
    }
    world->heard_at_ms = world->now_ms;
}

static void look(struct world *world, int i)
{
    struct evidence *evidence = &world->evidence[i];
    const struct instance *instance = &world->instances[i];
    evidence->silent = instance->running && instance->frozen ? evidence->silent + 1 : 0;
    evidence->finding = !instance->running ? FINDING_GONE
                        : instance->frozen ? FINDING_SILENT
                                           : FINDING_ANSWER;
    if (evidence->finding != FINDING_ANSWER)
        return;
    evidence->answered = true;
    evidence->seen = (struct observation){.in_recovery = !instance->primary,
        .read_only = instance->read_only,
        .system_identifier = 7,
        .timeline = instance->timeline,
        .started_us = i + 1,
        .lsn = 1000};
    world->answered_at_ms[i] = world->now_ms;
}

static void judge_now(struct world *world)
{
    const struct judge_rules rules = {.observation_ttl_ms = TTL_MS,
        .down_after = DOWN_AFTER,
        .managed = true,
        .manager_grace_ms = GRACE_MS,
        .read_only_waits = true};
    const struct monitor_rules word_rules = {GRACE_MS * 1000, world->serve_draining};
    uint64_t silent_us = (world->now_ms - world->heard_at_ms) * 1000;
    for (int i = 0; i < NODES; i++) {
        world->evidence[i].age_ms = world->now_ms - world->answered_at_ms[i];
        monitor_table_word(world->table.n ? &world->table.nodes[i] : NULL, world->now_ms * 1000, silent_us,
            &word_rules, &world->evidence[i].word);
    }
    judge(&rules, world->evidence, &world->verdict);
}

static void check(struct world *world, const struct verdict *before)
{
    const struct verdict *now = &world->verdict;
    if (now->holding >= 0) {
        world->held++;
        assert_int_equal(before->nodes[now->holding].role, ROLE_PRIMARY);
        assert_int_equal(world->evidence[now->holding].word.role, MANAGER_LEAVING);
    }
    if (now->primary < 0)
        return;
    const struct instance *instance = &world->instances[now->primary];
    const struct evidence *evidence = &world->evidence[now->primary];
    world->elected += before->primary != now->primary;
    world->abstained += evidence->word.role == MANAGER_ABSTAINS;
    /* It could really take writes not long ago, and nothing newer is seen. */
    assert_true(world->now_ms - instance->wrote_at_ms <= TTL_MS);
    for (int i = 0; i < NODES; i++)
        assert_true(world->evidence[i].finding != FINDING_ANSWER || world->evidence[i].age_ms >= TTL_MS ||
                    world->evidence[i].seen.timeline <= evidence->seen.timeline);
    /* When the monitor was last heard it wanted that, unless it has been silent for long. */
    if (world->now_ms - world->heard_at_ms < GRACE_MS)
        assert_true(instance->wanted_at_ms >= world->heard_at_ms);
}

/* --- life --- */

static void begin(struct world *world, uint64_t seed)
{
    static const char *const names[NODES] = {"n1", "n2", "n3"};
    memset(world, 0, sizeof *world);
    world->random = seed * 7919 + 1;
    world->now_ms = world->heard_at_ms = 100000;
    world->timeline = 1;
    world->serve_draining = seed % 2;
    world->monitor_up = world->reachable = true;
    for (int i = 0; i < NODES; i++) {
        enum monitor_state as = i == 0 ? MONITOR_PRIMARY : MONITOR_SECONDARY;
        world->instances[i] =
            (struct instance){.running = true, .primary = i == 0, .timeline = 1, .goal = as, .reported = as};
        world->evidence[i] = (struct evidence){.name = names[i], .error = "an error"};
    }
    verdict_init(&world->verdict, &(struct judge_memory){7, 1}, NODES);
}

static void step(struct world *world)
{
    int i = (int)below(world, NODES);
    struct verdict before = world->verdict;
    if (below(world, 4) == 0)
        monitor_works(world);
    if (world->monitor_up && is_alive(&world->instances[i]) && below(world, 3) == 0)
        obey(world, &world->instances[i]);
    time_passes(world);
    if (below(world, 3) == 0)
        read_table(world);
    if (below(world, 4) > 0)
        look(world, (int)below(world, NODES));
    judge_now(world);
    check(world, &before);
}

static void heal(struct world *world)
{
    world->monitor_up = world->reachable = true;
    for (int i = 0; i < NODES; i++) {
        world->instances[i].running = true;
        world->instances[i].frozen = false;
        if (world->instances[i].goal == MONITOR_MAINTENANCE)
            world->instances[i].goal = MONITOR_CATCHINGUP;
    }
    for (int i = 0; i < 400; i++)
        step(world);
    int writer = writer_of(world);
    assert_true(writer >= 0);
    if (world->verdict.primary != writer)
        fail_msg("n%d is the monitor's primary, %d ours: %s", writer + 1, world->verdict.primary + 1,
            world->verdict.reason);
}

static void no_history_of_a_formation_breaks_the_rules_and_a_healed_one_is_followed(void **state)
{
    (void)state;
    unsigned elected = 0, held = 0, abstained = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world;
        begin(&world, seed);
        for (int i = 0; i < STEPS; i++) {
            if (below(&world, 25) == 0)
                something_happens(&world);
            step(&world);
        }
        heal(&world);
        elected += world.elected;
        held += world.held;
        abstained += world.abstained;
    }
    /* The histories are worth something only if all of this happens in them. */
    print_message(
        "%u elections, %u verdicts while leaving, %u with a silent monitor\n", elected, held, abstained);
    assert_true(elected > 5 * SEEDS);
    assert_true(held > 5 * SEEDS);
    assert_true(abstained > 10 * SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_history_of_a_formation_breaks_the_rules_and_a_healed_one_is_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
