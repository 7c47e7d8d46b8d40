/*
 * The judge through random histories: a small model of a cluster lives, dies, is promoted, partitioned,
 * cloned and looked at late; whatever happens, what must never be true is checked after every verdict. Half
 * of the worlds have a manager, which names a node, changes its mind, contradicts SQL and falls silent.
 */
#include "health/judge.h"

#include "tests/unit/health/unit.h"

#define NODES 4
#define STEPS 3000
#define SEEDS 60
#define TTL_MS 3000
#define DOWN_AFTER 3
#define GRACE_MS 5000

struct server {
    bool running, frozen, primary, foreign;
    uint32_t timeline;
    int64_t started;
};

struct world {
    uint64_t random, now_ms;
    struct server servers[NODES];
    struct evidence evidence[NODES];
    uint64_t answered_at_ms[NODES];
    bool primary_when_answered[NODES];
    bool managed;
    enum manager_role says[NODES]; /* what each node's manager would say if it were heard */
    uint64_t spoke_at_ms[NODES];
    uint32_t highest_elected, held;
    struct verdict verdict;
};

static uint32_t random_below(struct world *world, uint32_t limit)
{
    world->random = world->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(world->random >> 33) % limit;
}

static uint32_t highest_timeline(const struct world *world)
{
    uint32_t highest = 1;
    for (int i = 0; i < NODES; i++) {
        if (!world->servers[i].foreign && world->servers[i].timeline > highest)
            highest = world->servers[i].timeline;
    }
    return highest;
}

static void restart(struct world *world, int i, bool as_replica)
{
    struct server *server = &world->servers[i];
    server->running = true;
    server->frozen = false;
    server->started = (int64_t)world->now_ms * 10 + i + 1;
    if (as_replica) {
        server->primary = false;
        server->foreign = false;
        server->timeline = highest_timeline(world);
    }
}

static void something_happens(struct world *world)
{
    int i = (int)random_below(world, NODES);
    struct server *server = &world->servers[i];
    switch (random_below(world, 12)) {
    case 0: server->running = false; break;
    case 1: server->frozen = true; break;
    case 2: server->frozen = false; break;
    case 3:
    case 4:
        if (!server->running)
            restart(world, i, false);
        break;
    case 5:
    case 6: restart(world, i, true); break;
    case 7:
        if (server->running && !server->primary && !server->foreign) {
            server->primary = true;
            server->timeline++; /* of whatever it followed: two may get the same number */
        }
        break;
    case 8:
        if (random_below(world, 10) == 0)
            server->foreign = true;
        break;
    default: break;
    }
}

static void answer(struct world *world, int i)
{
    struct evidence *evidence = &world->evidence[i];
    const struct server *server = &world->servers[i];
    evidence->finding = FINDING_ANSWER;
    evidence->answered = true;
    evidence->silent = 0;
    evidence->seen = (struct observation){.in_recovery = !server->primary,
        .system_identifier = server->foreign ? 8 : 7,
        .timeline = server->timeline,
        .started_us = server->started,
        .lsn = 1000};
    world->answered_at_ms[i] = world->now_ms;
    world->primary_when_answered[i] = server->primary && !server->foreign;
}

static void look(struct world *world, int i)
{
    struct evidence *evidence = &world->evidence[i];
    const struct server *server = &world->servers[i];
    if (server->running && !server->frozen && random_below(world, 30) == 0) {
        evidence->finding = random_below(world, 2) ? FINDING_ALIVE : FINDING_NOT_NOW;
        evidence->silent = 0;
    } else if (server->running && !server->frozen) {
        answer(world, i);
    } else if (server->running) {
        evidence->finding = FINDING_SILENT;
        evidence->silent++;
    } else {
        evidence->finding = FINDING_GONE;
        evidence->silent = 0;
    }
}

/* It names who takes writes, mostly. */
static void the_manager_decides(struct world *world)
{
    int i = (int)random_below(world, NODES);
    switch (random_below(world, 6)) {
    case 0: world->says[i] = MANAGER_LEAVING; break;
    case 1: world->says[i] = MANAGER_NONE; break;
    case 2: world->says[i] = MANAGER_PRIMARY; break;
    default:
        for (i = 0; i < NODES; i++)
            world->says[i] = world->servers[i].primary ? MANAGER_PRIMARY : MANAGER_REPLICA;
    }
}

static void speak(struct world *world, int i)
{
    world->evidence[i].word =
        (struct manager_word){.heard = true, .role = world->says[i], .why = "it says so"};
    world->spoke_at_ms[i] = world->now_ms;
}

static void judge_now(struct world *world)
{
    const struct judge_rules rules = {.observation_ttl_ms = TTL_MS,
        .down_after = DOWN_AFTER,
        .managed = world->managed,
        .manager_grace_ms = GRACE_MS};
    for (int i = 0; i < NODES; i++) {
        world->evidence[i].age_ms = world->now_ms - world->answered_at_ms[i];
        world->evidence[i].word.age_ms = world->now_ms - world->spoke_at_ms[i];
    }
    judge(&rules, world->evidence, &world->verdict);
}

/* The manager's word about who is primary, or was and still holds the role. */
static void check_words(struct world *world, const struct verdict *before)
{
    const struct verdict *now = &world->verdict;
    int named = now->primary >= 0 ? now->primary : now->holding;
    if (now->holding >= 0) {
        world->held++;
        assert_int_equal(now->primary, -1);
        assert_int_equal(before->nodes[now->holding].role, ROLE_PRIMARY);
        assert_int_equal(now->nodes[now->holding].generation, before->nodes[now->holding].generation);
        assert_int_equal(world->evidence[now->holding].word.role, MANAGER_LEAVING);
    }
    if (named < 0 || (!world->managed && now->holding < 0))
        return;
    assert_true(world->evidence[named].word.heard);
    assert_true(world->evidence[named].word.age_ms < GRACE_MS);
    if (now->primary >= 0)
        assert_int_equal(world->evidence[named].word.role, MANAGER_PRIMARY);
}

static void check(struct world *world, const struct verdict *before)
{
    const struct verdict *now = &world->verdict;
    int primaries = 0;
    for (int i = 0; i < NODES; i++) {
        const struct node_verdict *node = &now->nodes[i];
        primaries += node->role == ROLE_PRIMARY;
        assert_true((node->role == ROLE_PRIMARY) == (now->primary == i || now->holding == i));
        if (node->role != ROLE_UNKNOWN) {
            assert_true(world->evidence[i].answered);
            assert_true(world->evidence[i].age_ms < TTL_MS);
            assert_int_not_equal(node->condition, CONDITION_DOWN);
        }
        assert_true(node->generation == before->nodes[i].generation + (node->role != before->nodes[i].role) ||
                    (node->role == ROLE_PRIMARY && node->generation == before->nodes[i].generation + 1));
        assert_true(node->reason[0] != '\0');
    }
    assert_true(primaries <= 1);
    check_words(world, before);
    assert_true((now->primary < 0) == (now->reason[0] != '\0'));
    assert_true(now->memory.timeline >= before->memory.timeline);
    if (now->primary < 0)
        return;
    assert_true(world->primary_when_answered[now->primary]);
    assert_true(world->evidence[now->primary].seen.timeline >= world->highest_elected);
    world->highest_elected = world->evidence[now->primary].seen.timeline;
}

static void begin(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->random = seed * 7919 + 1;
    world->managed = seed % 2;
    world->now_ms = 100000;
    for (int i = 0; i < NODES; i++) {
        static const char *const names[NODES] = {"n1", "n2", "n3", "n4"};
        world->servers[i] =
            (struct server){.running = true, .primary = i == 0, .timeline = 1, .started = i + 1};
        world->evidence[i] = (struct evidence){.name = names[i], .error = "an error"};
    }
    verdict_init(&world->verdict, &(struct judge_memory){7, 1}, NODES);
}

static void live(struct world *world)
{
    for (int step = 0; step < STEPS; step++) {
        struct verdict before = world->verdict;
        world->now_ms += random_below(world, 400);
        if (random_below(world, 20) == 0)
            something_happens(world);
        if (random_below(world, 5) > 0)
            look(world, (int)random_below(world, NODES));
        if (random_below(world, 20) == 0)
            the_manager_decides(world);
        if (random_below(world, 3) > 0)
            speak(world, (int)random_below(world, NODES));
        judge_now(world);
        check(world, &before);
    }
}

/* Heals the cluster: one primary on a new timeline, all others its replicas; then everybody is looked at. */
static void heal(struct world *world)
{
    uint32_t timeline = highest_timeline(world) + 1;
    if (timeline <= world->verdict.memory.timeline)
        timeline = world->verdict.memory.timeline + 1;
    int chosen = (int)random_below(world, NODES);
    for (int i = 0; i < NODES; i++) {
        world->servers[i] = (struct server){.running = true,
            .primary = i == chosen,
            .timeline = timeline,
            .started = (int64_t)world->now_ms + i};
        answer(world, i);
        world->says[i] = i == chosen ? MANAGER_PRIMARY : MANAGER_REPLICA;
        speak(world, i);
    }
    judge_now(world);
    assert_int_equal(world->verdict.primary, chosen);
    for (int i = 0; i < NODES; i++) {
        assert_int_equal(world->verdict.nodes[i].role, i == chosen ? ROLE_PRIMARY : ROLE_REPLICA);
        assert_int_equal(world->verdict.nodes[i].condition, CONDITION_UP);
    }
}

static void whatever_happens_there_is_at_most_one_fresh_primary_on_the_newest_timeline(void **state)
{
    (void)state;
    uint32_t elected[2] = {0}, held = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world;
        begin(&world, seed);
        live(&world);
        elected[world.managed] += world.highest_elected > 1;
        held += world.held;
    }
    /* the model does promote and depose: the test would see nothing otherwise */
    assert_true(elected[false] > SEEDS / 4);
    assert_true(elected[true] > SEEDS / 4);
    assert_true(held > SEEDS);
}

static void a_healed_cluster_converges_to_its_primary(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world world;
        begin(&world, seed + 1000);
        live(&world);
        heal(&world);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_there_is_at_most_one_fresh_primary_on_the_newest_timeline),
        cmocka_unit_test(a_healed_cluster_converges_to_its_primary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
