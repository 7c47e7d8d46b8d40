/*
 * The `rejoin` hook; see rejoin.h. A hook that ended well is trusted: it is run again only when the node went
 * away and came back astray. One that failed is run again after 10 s, 20 s, 40 s and so on up to five
 * minutes; so is one that stops its node and starts it as it was. A node that is seen as a replica begins
 * anew.
 */
#include "health/hook/rejoin.h"

#include "conf/base/log.h"
#include "health/hook/events.h"

void rejoin_init(struct rejoin *rejoin)
{
    *rejoin = (struct rejoin){.running = -1};
}

void rejoin_forget(struct rejoin *rejoin)
{
    unsigned stale = rejoin->stale + (rejoin->running >= 0 && !rejoin->ended);
    *rejoin = (struct rejoin){.running = -1, .stale = stale};
}

static void on_ended(void *context, const struct command_end *end)
{
    struct rejoin *rejoin = context;
    if (rejoin->stale > 0) {
        rejoin->stale--;
        return;
    }
    rejoin->ended = true;
    rejoin->ended_well = end->ok;
}

static void settle(
    struct rejoin *rejoin, const struct settings *settings, const struct roster *roster, uint64_t now_us)
{
    struct rejoin_node *node = &rejoin->nodes[rejoin->running];
    uint32_t doublings = node->attempts < 6 ? node->attempts : 6;
    uint64_t pause_us = REJOIN_PAUSE_US << doublings >> 1;
    if (pause_us > REJOIN_PAUSE_MAX_US)
        pause_us = REJOIN_PAUSE_MAX_US;
    node->not_before_us = now_us + pause_us;
    node->trusted = rejoin->ended_well;
    if (!node->trusted)
        log_event(LOG_WARNING, "rejoin_waits", "cluster=%s node=%s attempts=%u next_ms=%llu",
            settings->cluster->name, roster->nodes[rejoin->running].name, (unsigned)node->attempts,
            (unsigned long long)pause_us / 1000);
    rejoin->running = -1;
    rejoin->ended = false;
}

static void run(struct rejoin *rejoin, struct hook_queue *queue, const struct settings *settings,
    const struct roster *roster, const struct verdict *verdict, size_t i)
{
    struct facts facts = {0};
    rejoin->running = (int)i;
    rejoin->nodes[i].attempts++;
    events_facts(&facts, HOOK_REJOIN, settings, roster, verdict);
    events_node_facts(&facts, roster, verdict, i);
    facts_add(&facts, "OLD_ROLE", "%s", node_role_name(verdict->nodes[i].role)); /* it has none to lose */
    facts_add(&facts, "ATTEMPT", "%u", (unsigned)rejoin->nodes[i].attempts);
    hook_queue_run(queue, HOOK_REJOIN, &facts, rejoin, on_ended);
}

void rejoin_judged(struct rejoin *rejoin, struct hook_queue *queue, const struct settings *settings,
    const struct roster *roster, const struct verdict *verdict, uint64_t now_us)
{
    if (rejoin->ended)
        settle(rejoin, settings, roster, now_us);
    for (size_t i = 0; i < verdict->n; i++) {
        struct rejoin_node *node = &rejoin->nodes[i];
        const struct node_verdict *now = &verdict->nodes[i];
        if ((int)i == rejoin->running)
            continue;
        if (!now->strayed) {
            node->trusted = false;
            if (now->role == ROLE_REPLICA && now->condition == CONDITION_UP)
                *node = (struct rejoin_node){0};
            continue;
        }
        bool due = verdict->primary >= 0 && !node->trusted && now_us >= node->not_before_us;
        if (due && rejoin->running < 0 && hook_queue_has(queue, HOOK_REJOIN))
            run(rejoin, queue, settings, roster, verdict, i);
    }
}
