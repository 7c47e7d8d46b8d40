/*
 * What happened to a cluster, for its hooks; see events.h. In this order: the split, the primary's loss, then
 * node by node.
 */
#include "health/hook/events.h"

static void add_primary(struct facts *facts, const struct roster *roster, const struct verdict *verdict)
{
    const struct config_node *primary = &roster->nodes[verdict->primary];
    facts_add(facts, "PRIMARY", "%s", primary->name);
    facts_add(facts, "PRIMARY_HOST", "%s", primary->host);
    facts_add(facts, "PRIMARY_PORT", "%u", (unsigned)primary->port);
}

void events_facts(struct facts *facts, enum hook hook, const struct settings *settings,
    const struct roster *roster, const struct verdict *verdict)
{
    facts_add(facts, "HOOK", "%s", hook_name(hook));
    facts_add(facts, "CLUSTER", "%s", settings->cluster->name);
    facts_add(facts, "CONFIG", "%s", settings->config->path);
    if (verdict->primary >= 0)
        add_primary(facts, roster, verdict);
}

void events_node_facts(
    struct facts *facts, const struct roster *roster, const struct verdict *verdict, size_t node)
{
    const struct config_node *config = &roster->nodes[node];
    const struct node_verdict *now = &verdict->nodes[node];
    facts_add(facts, "NODE", "%s", config->name);
    facts_add(facts, "HOST", "%s", config->host);
    facts_add(facts, "PORT", "%u", (unsigned)config->port);
    facts_add(facts, "ROLE", "%s", node_role_name(now->role));
    facts_add(facts, "CONDITION", "%s", node_condition_name(now->condition));
    facts_add(facts, "TIMELINE", "%u", (unsigned)now->timeline);
    facts_add(facts, "REASON", "%s", now->reason);
}

struct telling {
    struct hook_queue *queue;
    const struct settings *settings;
    const struct roster *roster;
    const struct verdict *before, *now;
};

static void tell_node(const struct telling *telling, enum hook hook, size_t node)
{
    struct facts facts = {0};
    if (!hook_queue_has(telling->queue, hook))
        return;
    events_facts(&facts, hook, telling->settings, telling->roster, telling->now);
    events_node_facts(&facts, telling->roster, telling->now, node);
    facts_add(&facts, "OLD_ROLE", "%s", node_role_name(telling->before->nodes[node].role));
    hook_queue_run(telling->queue, hook, &facts, NULL, NULL);
}

static void tell_split(const struct telling *telling)
{
    struct facts facts = {0};
    events_facts(&facts, HOOK_ON_SPLIT, telling->settings, telling->roster, telling->now);
    facts_add(&facts, "REASON", "%s", telling->now->reason);
    hook_queue_run(telling->queue, HOOK_ON_SPLIT, &facts, NULL, NULL);
}

static void tell_of_node(const struct telling *telling, size_t i)
{
    const struct node_verdict *before = &telling->before->nodes[i], *now = &telling->now->nodes[i];
    if (now->condition == CONDITION_DOWN && before->condition != CONDITION_DOWN)
        tell_node(telling, HOOK_ON_NODE_DOWN, i);
    if (now->condition != CONDITION_DOWN && before->condition == CONDITION_DOWN)
        tell_node(telling, HOOK_ON_NODE_UP, i);
    if (now->role != before->role)
        tell_node(telling, HOOK_ON_ROLE_CHANGE, i);
}

/* Who had the role, and has it no more, not even until its successor stands. */
static int find_lost(const struct verdict *before, const struct verdict *now)
{
    int had = before->primary >= 0 ? before->primary : before->holding;
    return now->primary < 0 && now->holding < 0 ? had : -1;
}

void events_tell(struct hook_queue *queue, const struct settings *settings, const struct roster *roster,
    const struct verdict *before, const struct verdict *now)
{
    const struct telling telling = {queue, settings, roster, before, now};
    int lost = find_lost(before, now);
    if (now->split && !before->split)
        tell_split(&telling);
    bool confirmed_later = settings->cluster->failover == FAILOVER_BUILTIN; /* and told then */
    if (lost >= 0 && now->nodes[lost].condition == CONDITION_DOWN && !confirmed_later)
        tell_node(&telling, HOOK_ON_PRIMARY_DOWN, (size_t)lost);
    for (size_t i = 0; i < now->n; i++)
        tell_of_node(&telling, i);
}
