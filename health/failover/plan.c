/* Who may be promoted; see plan.h. */
#include "health/failover/plan.h"

#include "health/failover/sync_names.h"
#include "health/lsn.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static bool no(char reason[PLAN_REASON_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reason, PLAN_REASON_MAX, format, args);
    va_end(args);
    return false;
}

static bool is_fresh(const struct plan_facts *facts, const struct evidence *evidence)
{
    return evidence->finding == FINDING_ANSWER && evidence->age_ms <= facts->since_ms;
}

bool plan_is_gone(const struct plan_facts *facts, char reason[PLAN_REASON_MAX])
{
    const struct evidence *old = &facts->evidence[facts->old];
    if (old->finding == FINDING_ANSWER || old->finding == FINDING_ALIVE)
        return no(reason, "%s answers", old->name);
    for (size_t i = 0; i < facts->n; i++) {
        const struct evidence *evidence = &facts->evidence[i];
        if (i != facts->old && is_fresh(facts, evidence) && evidence->seen.hears)
            return no(
                reason, "%s does not answer here, but %s hears from its primary", old->name, evidence->name);
    }
    reason[0] = '\0';
    return true;
}

uint64_t plan_position(const struct observation *seen)
{
    return seen->flush_lsn > seen->lsn ? seen->flush_lsn : seen->lsn;
}

bool plan_is_eligible(const struct plan_facts *facts, size_t node, char reason[PLAN_REASON_MAX])
{
    const struct evidence *evidence = &facts->evidence[node];
    const struct observation *seen = &evidence->seen, *primary = facts->primary;
    if (node == facts->old)
        return no(reason, "%s is the one to be replaced", evidence->name);
    if (!is_fresh(facts, evidence))
        return no(reason, "%s cannot be asked", evidence->name);
    if (!seen->in_recovery)
        return no(reason, "%s is not a replica", evidence->name);
    if (seen->system_identifier == 0 || seen->system_identifier != primary->system_identifier)
        return no(reason, "%s has not this cluster's system identifier", evidence->name);
    if (seen->timeline == 0 || seen->timeline != primary->timeline ||
        history_differs(&seen->history, &primary->history))
        return no(reason, "%s is not on the primary's timeline %u", evidence->name, primary->timeline);
    return true;
}

/* --- what may be lost --- */

/* Nodes that may have acknowledged commits; *asked: those of them that can be asked. */
static size_t count_listed(const struct plan_facts *facts, const struct sync_names *names, size_t *asked)
{
    char reason[PLAN_REASON_MAX];
    bool met[SYNC_NAMES_LIST_MAX] = {false};
    size_t listed = 0;
    *asked = 0;
    for (size_t i = 0; i < facts->n; i++) {
        const char *standby = facts->evidence[i].seen.standby_name;
        struct sync_names one = {.n = 1};
        bool is_listed = names->any;
        for (size_t k = 0; k < names->n && *standby; k++) {
            memcpy(one.names[0], names->names[k], SYNC_NAME_MAX);
            bool same = sync_names_list(&one, standby);
            met[k] = met[k] || same;
            is_listed = is_listed || same;
        }
        if (!is_listed || i == facts->old) /* which acknowledges nothing to itself */
            continue;
        listed++;
        *asked += plan_is_eligible(facts, i, reason);
    }
    for (size_t k = 0; k < names->n; k++)
        listed += !met[k]; /* a standby that rolecall does not know */
    return listed;
}

/* True when no acknowledged commit can be missing in what can be asked. */
static bool nothing_is_lost(const struct plan_facts *facts, char reason[PLAN_REASON_MAX])
{
    const struct observation *primary = facts->primary;
    struct sync_names names;
    size_t asked;
    if (!primary->sync_names_known || !sync_names_parse(primary->sync_names, &names))
        return no(reason, "it is not known which standbys its commits waited for");
    if (names.acknowledge == 0)
        return no(reason, "its commits waited for no standby (synchronous_standby_names is empty)");
    size_t listed = count_listed(facts, &names, &asked);
    if (asked > 0 && asked + names.acknowledge > listed)
        return true;
    return no(reason,
        "of %zu standbys, of which %u acknowledged each commit, only %zu can be asked: the others may have "
        "more",
        listed, names.acknowledge, asked);
}

/* --- the choice --- */

static int most_advanced(const struct plan_facts *facts, char reason[PLAN_REASON_MAX])
{
    int best = -1;
    uint64_t best_position = 0;
    char why[PLAN_REASON_MAX];
    no(reason, "no replica can be promoted");
    for (size_t i = 0; i < facts->n; i++) {
        uint64_t position = plan_position(&facts->evidence[i].seen);
        if (!plan_is_eligible(facts, i, why)) {
            if (i != facts->old)
                no(reason, "no replica can be promoted: %.200s", why);
            continue;
        }
        if (best < 0 || position > best_position) {
            best = (int)i;
            best_position = position;
        }
    }
    return best;
}

static bool is_excluded(const struct plan_facts *facts, int node)
{
    return facts->excluded >> node & 1;
}

/* The first in order that has all that the best has. */
static int as_advanced(const struct plan_facts *facts, int best)
{
    char why[PLAN_REASON_MAX];
    uint64_t position = plan_position(&facts->evidence[best].seen);
    for (size_t i = 0; i < facts->n; i++) {
        bool fit = plan_is_eligible(facts, i, why) && !is_excluded(facts, (int)i) &&
                   (facts->wanted < 0 || facts->wanted == (int)i);
        if (fit && plan_position(&facts->evidence[i].seen) == position)
            return (int)i;
    }
    return -1;
}

int plan_choose(const struct plan_facts *facts, char reason[PLAN_REASON_MAX])
{
    char lost[PLAN_REASON_MAX] = "", lsn[LSN_TEXT_MAX];
    int best = most_advanced(facts, reason);
    if (best < 0)
        return -1;
    if (!nothing_is_lost(facts, lost) && facts->data_loss == DATA_LOSS_REFUSE) {
        no(reason, "%.200s, and data_loss = refuse", lost);
        return -1;
    }
    const struct observation *seen = &facts->evidence[best].seen;
    int node = as_advanced(facts, best);
    if (node < 0) {
        no(reason, "%s is the most advanced (%s), but may not be promoted", facts->evidence[best].name,
            lsn_format(plan_position(seen), lsn));
        return -1;
    }
    no(reason, "%s has the most (%s)%s%.160s", facts->evidence[node].name,
        lsn_format(plan_position(seen), lsn), *lost ? "; commits may be lost: " : "", lost);
    return node;
}
