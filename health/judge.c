/*
 * The judge of roles; see judge.h.
 *
 * In order: each node's condition; whose answers count (young enough, not down); the cluster's system
 * identifier; its highest timeline; the candidates out of recovery; what the manager says of them; the one of
 * them on the highest timeline. Two servers on the highest timeline are a split: then nobody is primary, and
 * every face says why. Replicas follow: one that replayed past the point where the primary's history left its
 * timeline has diverged and serves nobody.
 *
 * A node that takes writes on a newer timeline, though the manager does not name it (yet), refuses the older
 * ones as long as it is seen, but is not remembered: it may be a promotion that the manager takes back.
 *
 * Reasons hold only what stays the same from look to look: a changed reason is published.
 */
#include "health/judge.h"

#include "health/lsn.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum standing { STANDING_NONE, STANDING_CANDIDATE, STANDING_REPLICA };

/* What one call works with. */
struct bench {
    const struct judge_rules *rules;
    const struct evidence *evidence;
    struct verdict *verdict;
    enum standing standing[TOPOLOGY_MAX_NODES]; /* of nodes whose answer counts */
    enum node_role before[TOPOLOGY_MAX_NODES];
    uint32_t timeline_before[TOPOLOGY_MAX_NODES];
    char trouble[TOPOLOGY_MAX_NODES][JUDGE_REASON_MAX]; /* why the newest look was no answer */
    bool identity_open;                                 /* it cannot be said yet which cluster this is */
    uint32_t newest;                                    /* timeline: remembered, or seen now */
    int leaving;                                        /* a primary that the manager deposes; -1: none */
};

__attribute__((format(printf, 2, 3))) static void because(char out[JUDGE_REASON_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out, JUDGE_REASON_MAX, format, args);
    va_end(args);
}

/* --- conditions --- */

static enum node_condition condition_of(
    const struct judge_rules *rules, const struct evidence *evidence, enum node_condition before)
{
    switch (evidence->finding) {
    case FINDING_NONE: return CONDITION_SUSPECT;
    case FINDING_ANSWER:
    case FINDING_ALIVE: return CONDITION_UP;
    case FINDING_GONE:
    case FINDING_NOT_NOW: return CONDITION_DOWN;
    case FINDING_SILENT:
        if (before == CONDITION_DOWN || evidence->silent >= rules->down_after)
            return CONDITION_DOWN;
        return CONDITION_SUSPECT;
    }
    return CONDITION_DOWN;
}

static void tell_condition(const struct evidence *evidence, struct node_verdict *node)
{
    switch (evidence->finding) {
    case FINDING_NONE: because(node->reason, "not probed yet"); break;
    case FINDING_ANSWER: because(node->reason, "the last answer is older than observation_ttl"); break;
    case FINDING_GONE: because(node->reason, "nobody is there: %s", evidence->error); break;
    case FINDING_SILENT: because(node->reason, "does not answer: %s", evidence->error); break;
    case FINDING_NOT_NOW: because(node->reason, "lets nobody in: %s", evidence->error); break;
    case FINDING_ALIVE: because(node->reason, "alive, but refuses the probe: %s", evidence->error); break;
    }
}

static bool counts(const struct bench *bench, size_t i)
{
    const struct evidence *evidence = &bench->evidence[i];
    uint64_t ttl_ms = bench->rules->observation_ttl_ms;
    return evidence->answered && bench->verdict->nodes[i].condition != CONDITION_DOWN &&
           (ttl_ms == 0 || evidence->age_ms < ttl_ms);
}

static void weigh_conditions(struct bench *bench)
{
    for (size_t i = 0; i < bench->verdict->n; i++) {
        struct node_verdict *node = &bench->verdict->nodes[i];
        bench->before[i] = node->role;
        bench->timeline_before[i] = node->timeline;
        node->condition = condition_of(bench->rules, &bench->evidence[i], node->condition);
        node->role = ROLE_UNKNOWN;
        node->read_only = node->strayed = false;
        node->no_reads = bench->evidence[i].word.no_reads;
        node->shares_history = false;
        node->timeline = bench->evidence[i].answered ? bench->evidence[i].seen.timeline : 0;
        tell_condition(&bench->evidence[i], node);
        memcpy(bench->trouble[i], node->reason, JUDGE_REASON_MAX);
        bench->standing[i] = STANDING_NONE;
        if (counts(bench, i))
            bench->standing[i] = bench->evidence[i].seen.in_recovery ? STANDING_REPLICA : STANDING_CANDIDATE;
    }
}

/* --- which cluster is this --- */

static size_t count_identity(const struct bench *bench, uint64_t identifier)
{
    size_t count = 0;
    for (size_t i = 0; i < bench->verdict->n; i++)
        count +=
            bench->standing[i] != STANDING_NONE && bench->evidence[i].seen.system_identifier == identifier;
    return count;
}

static bool all_looked_at(const struct bench *bench)
{
    for (size_t i = 0; i < bench->verdict->n; i++) {
        if (bench->evidence[i].finding == FINDING_NONE)
            return false;
    }
    return true;
}

/* Nothing is remembered: the majority of all nodes decides at once, else that of the answers once all were
 * asked. */
static uint64_t decide_identity(struct bench *bench)
{
    uint64_t most = 0;
    size_t most_count = 0, known = 0;
    for (size_t i = 0; i < bench->verdict->n; i++) {
        uint64_t identifier = bench->evidence[i].seen.system_identifier;
        if (bench->standing[i] == STANDING_NONE || identifier == 0)
            continue;
        known++;
        size_t count = count_identity(bench, identifier);
        if (count > most_count) {
            most_count = count;
            most = identifier;
        }
    }
    bool sure = most_count * 2 > bench->verdict->n;
    bool settled = all_looked_at(bench) && (known == 0 || most_count * 2 > known);
    bench->identity_open = !sure && !settled;
    return most;
}

static void refuse_foreigners(struct bench *bench)
{
    uint64_t ours = bench->verdict->memory.system_identifier;
    if (ours == 0)
        ours = decide_identity(bench);
    for (size_t i = 0; i < bench->verdict->n; i++) {
        uint64_t its = bench->evidence[i].seen.system_identifier;
        if (bench->standing[i] == STANDING_NONE)
            continue;
        if (bench->identity_open) {
            because(bench->verdict->nodes[i].reason, all_looked_at(bench)
                                                         ? "the nodes have different system identifiers, and "
                                                           "no majority says which cluster this is"
                                                         : "waiting for the other nodes' first answer");
            bench->standing[i] = STANDING_NONE;
        } else if (ours != 0 && its != 0 && its != ours) {
            because(bench->verdict->nodes[i].reason,
                "belongs to another cluster: its system identifier is %" PRIu64 ", this cluster's %" PRIu64,
                its, ours);
            bench->standing[i] = STANDING_NONE;
        }
    }
}

/* --- primary --- */

static bool is_fresh(const struct bench *bench, const struct manager_word *word)
{
    return word->heard && word->age_ms < bench->rules->manager_grace_ms;
}

static bool is_named(const struct bench *bench, size_t i)
{
    const struct manager_word *word = &bench->evidence[i].word;
    bool named =
        word->role == MANAGER_PRIMARY || word->role == MANAGER_ABSTAINS || word->role == MANAGER_LEAVING;
    return !bench->rules->managed || (is_fresh(bench, word) && named);
}

static void remember_timelines(struct bench *bench)
{
    struct judge_memory *memory = &bench->verdict->memory;
    bench->newest = memory->timeline;
    for (size_t i = 0; i < bench->verdict->n; i++) {
        uint32_t timeline = bench->evidence[i].seen.timeline;
        if (bench->standing[i] == STANDING_NONE)
            continue;
        if (timeline > bench->newest)
            bench->newest = timeline;
        if (timeline > memory->timeline && (bench->standing[i] == STANDING_REPLICA || is_named(bench, i)))
            memory->timeline = timeline;
    }
}

static void refuse_old_timelines(struct bench *bench)
{
    struct verdict *verdict = bench->verdict;
    for (size_t i = 0; i < verdict->n; i++) {
        uint32_t timeline = bench->evidence[i].seen.timeline;
        if (bench->standing[i] != STANDING_CANDIDATE || timeline == bench->newest)
            continue;
        because(verdict->nodes[i].reason,
            "an old primary: it takes writes on timeline %" PRIu32
            ", but the cluster has reached timeline %" PRIu32,
            timeline, bench->newest);
        because(verdict->reason,
            "%s takes writes on timeline %" PRIu32 ", but timeline %" PRIu32
            " was seen (FORGET the node that had it, if that is to be undone)",
            bench->evidence[i].name, timeline, bench->newest);
        verdict->nodes[i].strayed = true;
        bench->standing[i] = STANDING_NONE;
    }
}

/* Why the manager's word does not make this candidate the primary; NULL when it does. */
static const char *objection(const struct bench *bench, const struct evidence *evidence)
{
    const struct manager_word *word = &evidence->word;
    if (!bench->rules->managed)
        return NULL;
    if (!word->heard)
        return "its manager has not spoken yet";
    if (!is_fresh(bench, word))
        return "its manager has been silent for longer than manager_grace";
    if (word->role != MANAGER_PRIMARY && word->role != MANAGER_ABSTAINS)
        return word->why[0] ? word->why : "its manager does not name it";
    if (bench->rules->read_only_waits && evidence->seen.read_only)
        return "it is read-only still";
    return NULL;
}

static void refuse_unnamed(struct bench *bench)
{
    for (size_t i = 0; i < bench->verdict->n; i++) {
        const struct evidence *evidence = &bench->evidence[i];
        if (bench->standing[i] != STANDING_CANDIDATE)
            continue;
        bool leaves = is_fresh(bench, &evidence->word) && evidence->word.role == MANAGER_LEAVING;
        bool held = bench->before[i] == ROLE_PRIMARY && bench->timeline_before[i] == evidence->seen.timeline;
        const char *why = leaves ? evidence->word.why : objection(bench, evidence);
        if (!why)
            continue;
        if (leaves && held)
            bench->leaving = (int)i;
        because(bench->verdict->nodes[i].reason, "takes writes on timeline %" PRIu32 ", but %s",
            evidence->seen.timeline, why);
        because(bench->verdict->reason, "%s takes writes, but %s", evidence->name, why);
        bench->standing[i] = STANDING_NONE;
    }
}

static void refuse_replaced(struct bench *bench)
{
    for (size_t i = 0; i < bench->verdict->n; i++) {
        if (bench->standing[i] != STANDING_CANDIDATE || !(bench->rules->replaced >> i & 1))
            continue;
        because(bench->verdict->nodes[i].reason, "is being replaced: another node is promoted");
        because(bench->verdict->reason, "%s is being replaced", bench->evidence[i].name);
        bench->standing[i] = STANDING_NONE;
    }
}

static bool same_server(const struct observation *a, const struct observation *b)
{
    return a->started_us != 0 && a->started_us == b->started_us && a->timeline == b->timeline &&
           a->system_identifier == b->system_identifier;
}

static void tell_split(struct bench *bench, size_t a, size_t b)
{
    const struct observation *one = &bench->evidence[a].seen, *other = &bench->evidence[b].seen;
    bench->verdict->split = true;
    char where[64] = "";
    if (history_differs(&one->history, &other->history) && one->history.n > 0 && other->history.n > 0) {
        char lsn_one[LSN_TEXT_MAX], lsn_other[LSN_TEXT_MAX];
        snprintf(where, sizeof where, " (forked at %s and at %s)",
            lsn_format(one->history.forks[one->history.n - 1].lsn, lsn_one),
            lsn_format(other->history.forks[other->history.n - 1].lsn, lsn_other));
    }
    because(bench->verdict->reason, "split: %s and %s both take writes on timeline %" PRIu32 "%s",
        bench->evidence[a].name, bench->evidence[b].name, one->timeline, where);
}

/* After refuse_old_timelines all candidates are on one timeline: another one is the same server, or a split.
 */
static bool tolerates(struct bench *bench, size_t held, size_t other)
{
    if (!same_server(&bench->evidence[held].seen, &bench->evidence[other].seen)) {
        tell_split(bench, held, other);
        return false;
    }
    because(bench->verdict->nodes[other].reason, "is the same server as %s", bench->evidence[held].name);
    bench->standing[other] = STANDING_NONE;
    return true;
}

static int find_candidate(struct bench *bench)
{
    int found = -1;
    for (size_t i = 0; i < bench->verdict->n; i++) {
        if (bench->standing[i] != STANDING_CANDIDATE)
            continue;
        if (found < 0)
            found = (int)i;
        else if (!tolerates(bench, (size_t)found, i))
            return -1;
    }
    return found;
}

static void tell_split_nodes(struct bench *bench)
{
    for (size_t i = 0; i < bench->verdict->n; i++) {
        if (bench->standing[i] == STANDING_CANDIDATE)
            because(bench->verdict->nodes[i].reason, "%s", bench->verdict->reason);
    }
}

/* Nobody stands, and the one who stood there before is leaving: it keeps the role till the end. */
static void hold(struct bench *bench)
{
    bench->verdict->holding = bench->leaving;
    if (bench->leaving < 0)
        return;
    bench->verdict->nodes[bench->leaving].role = ROLE_PRIMARY;
    bench->verdict->nodes[bench->leaving].read_only = bench->evidence[bench->leaving].seen.read_only;
}

static void elect(struct bench *bench)
{
    size_t candidates = 0;
    for (size_t i = 0; i < bench->verdict->n; i++)
        candidates += bench->standing[i] == STANDING_CANDIDATE;
    int best = find_candidate(bench);
    bench->verdict->primary = best;
    bench->verdict->holding = -1;
    if (candidates == 0)
        hold(bench);
    if (best < 0) {
        tell_split_nodes(bench);
        return;
    }
    struct node_verdict *node = &bench->verdict->nodes[best];
    const struct observation *seen = &bench->evidence[best].seen;
    node->role = ROLE_PRIMARY;
    node->read_only = seen->read_only;
    because(node->reason, "takes writes on timeline %" PRIu32 "%s", seen->timeline,
        seen->read_only ? ", but is read-only by default" : "");
    if (seen->system_identifier != 0)
        bench->verdict->memory.system_identifier = seen->system_identifier;
    bench->verdict->reason[0] = '\0';
}

/* --- replicas --- */

/* False when this replica cannot come from the primary's history, with the reason. */
static bool descends(const struct observation *seen, const struct observation *primary, char *reason)
{
    uint64_t left;
    if (history_differs(&seen->history, &primary->history)) {
        because(reason,
            "follows another timeline %" PRIu32 " than the primary's: it must be cloned anew or rewound",
            seen->timeline);
        return false;
    }
    if (seen->timeline == 0 || seen->timeline >= primary->timeline || !primary->history.known)
        return true;
    if (history_left(&primary->history, seen->timeline, &left)) {
        char text[LSN_TEXT_MAX];
        if (seen->lsn <= left)
            return true;
        because(reason, "diverged: it replayed timeline %" PRIu32 " past %s, where the primary left it",
            seen->timeline, lsn_format(left, text));
        return false;
    }
    if (primary->history.n == HISTORY_MAX_FORKS)
        return true;
    because(reason, "is on timeline %" PRIu32 ", which the primary does not come from", seen->timeline);
    return false;
}

/* What the manager says of a replica does not change its role, but belongs to the reason. */
static void tell_word(const struct manager_word *word, struct node_verdict *node)
{
    char held[JUDGE_REASON_MAX];
    if (!word->why[0])
        return;
    memcpy(held, node->reason, sizeof held);
    because(node->reason, node->no_reads ? "%.100s, not to be read: %s" : "%.100s; %s", held, word->why);
}

static void judge_replica(struct bench *bench, size_t i)
{
    const struct observation *seen = &bench->evidence[i].seen;
    struct node_verdict *node = &bench->verdict->nodes[i];
    int primary = bench->verdict->primary;
    const struct observation *leader = primary >= 0 ? &bench->evidence[primary].seen : NULL;
    node->strayed = leader && !descends(seen, leader, node->reason);
    if (node->strayed)
        return;
    node->role = ROLE_REPLICA;
    node->shares_history = leader && seen->timeline != 0 && seen->timeline == leader->timeline;
    if (seen->timeline == 0)
        because(node->reason,
            seen->receiver
                ? "in recovery, on a timeline that the probe's user may not see (grant it pg_monitor)"
                : "in recovery, without a connection to its primary, on a timeline that is not known");
    else
        because(node->reason, "in recovery on timeline %" PRIu32 "%s", seen->timeline,
            seen->receiver ? "" : ", without a connection to its primary");
    tell_word(&bench->evidence[i].word, node);
}

/* --- the whole --- */

static void tell_no_primary(struct bench *bench)
{
    struct verdict *verdict = bench->verdict;
    if (verdict->primary >= 0 || verdict->reason[0])
        return;
    size_t replicas = 0, silent = 0;
    for (size_t i = 0; i < verdict->n; i++) {
        const struct manager_word *word = &bench->evidence[i].word;
        if (bench->rules->managed && is_fresh(bench, word) && word->role == MANAGER_PRIMARY) {
            because(verdict->reason, "%s is named primary, but %.160s", bench->evidence[i].name,
                verdict->nodes[i].reason);
            return;
        }
        if (bench->rules->managed && is_fresh(bench, word) && word->leads_standbys) {
            verdict->standby_leader = (int)i;
            because(verdict->reason, "this is a standby cluster: its leader %s follows another cluster",
                bench->evidence[i].name);
            return;
        }
        replicas += verdict->nodes[i].role == ROLE_REPLICA;
        silent += bench->evidence[i].finding == FINDING_NONE;
    }
    if (silent > 0)
        because(verdict->reason, "not all nodes are probed yet");
    else if (replicas > 0)
        because(verdict->reason, "no node takes writes: %zu of %zu are in recovery", replicas, verdict->n);
    else if (verdict->n > 0)
        because(verdict->reason, "%s: %.160s", bench->evidence[0].name, verdict->nodes[0].reason);
    else
        because(verdict->reason,
            bench->rules->managed ? "the manager has not listed any node yet" : "the cluster has no nodes");
}

/* A role held on an older answer: the reason names what the newest look met as well. */
static void tell_trouble(struct bench *bench)
{
    for (size_t i = 0; i < bench->verdict->n; i++) {
        struct node_verdict *node = &bench->verdict->nodes[i];
        char held[JUDGE_REASON_MAX];
        if (bench->evidence[i].finding == FINDING_ANSWER || node->role == ROLE_UNKNOWN)
            continue;
        memcpy(held, node->reason, sizeof held);
        because(node->reason, "%.120s; now %.120s", held, bench->trouble[i]);
    }
}

static void raise_generations(struct bench *bench)
{
    for (size_t i = 0; i < bench->verdict->n; i++) {
        struct node_verdict *node = &bench->verdict->nodes[i];
        bool was_elsewhere = node->role == ROLE_PRIMARY && bench->timeline_before[i] != 0 &&
                             node->timeline != bench->timeline_before[i];
        if (node->role != bench->before[i] || was_elsewhere)
            node->generation++;
    }
}

void verdict_init(struct verdict *verdict, const struct judge_memory *memory, size_t n_nodes)
{
    assert(n_nodes <= TOPOLOGY_MAX_NODES);
    memset(verdict, 0, sizeof *verdict);
    verdict->memory = *memory;
    verdict->primary = verdict->holding = verdict->standby_leader = -1;
    verdict->n = n_nodes;
    because(verdict->reason, "not all nodes are probed yet");
    for (size_t i = 0; i < n_nodes; i++) {
        verdict->nodes[i].condition = CONDITION_SUSPECT;
        verdict->nodes[i].generation = 1;
        because(verdict->nodes[i].reason, "not probed yet");
    }
}

void judge(const struct judge_rules *rules, const struct evidence *evidence, struct verdict *verdict)
{
    struct bench bench = {.rules = rules, .evidence = evidence, .verdict = verdict, .leaving = -1};
    verdict->reason[0] = '\0';
    verdict->split = false;
    verdict->standby_leader = -1;
    weigh_conditions(&bench);
    refuse_foreigners(&bench);
    if (!bench.identity_open)
        remember_timelines(&bench);
    refuse_old_timelines(&bench);
    refuse_unnamed(&bench);
    refuse_replaced(&bench);
    elect(&bench);
    for (size_t i = 0; i < verdict->n; i++) {
        if (bench.standing[i] == STANDING_REPLICA)
            judge_replica(&bench, i);
    }
    tell_no_primary(&bench);
    tell_trouble(&bench);
    raise_generations(&bench);
}
