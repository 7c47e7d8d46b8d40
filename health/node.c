/*
 * One node's watch; see node.h. The schedule says when, the probe looks, the evidence is what came out; the
 * owner weighs it together with that of the other nodes and says what pause is right.
 */
#include "health/node.h"

#include "health/memory.h"
#include "health/probe/sql.h"

#include <assert.h>
#include <stdio.h>

struct node {
    uv_loop_t *loop;
    const struct settings *settings;
    struct node_owner owner;
    char *name;
    struct endpoint endpoint;
    struct node_live *live;
    struct sql_probe *probe;
    struct schedule schedule;
    struct orders orders;
    bool closed;
    /* evidence */
    enum finding finding;
    char error[JUDGE_REASON_MAX];
    uint32_t silent;
    bool answered;
    uint64_t answered_at_us;
    struct observation seen;
};

static void on_asking(void *context)
{
    struct node *node = context;
    node->owner.asking(node->owner.context, node);
}

static void on_report(void *context, const struct sql_report *report)
{
    struct node *node = context;
    bool answer = report->finding == FINDING_ANSWER;
    node->finding = report->finding;
    node->silent = report->finding == FINDING_SILENT ? node->silent + 1 : 0;
    snprintf(node->error, sizeof node->error, "%.*s", JUDGE_REASON_MAX - 1, answer ? "" : report->error.text);
    if (answer) {
        node->answered = true;
        node->answered_at_us = report->asked_at_us;
        node->seen = report->seen;
    }
    node->owner.looked(node->owner.context, node, answer ? &node->seen : NULL);
}

static void on_lost(void *context)
{
    struct node *node = context;
    node->owner.lost(node->owner.context, node);
}

static void open_probe(struct node *node)
{
    const struct sql_probe_owner owner = {
        .context = node, .asking = on_asking, .report = on_report, .lost = on_lost};
    node->probe = sql_probe_open(node->loop, node->name, &node->endpoint, node->settings, &owner);
}

static void on_due(void *context)
{
    struct node *node = context;
    sql_probe_run(node->probe);
}

struct node *node_open(uv_loop_t *loop, const struct settings *settings, const struct config_node *config,
    struct node_live *live, const struct node_owner *owner)
{
    struct node *node = memory_new(1, sizeof *node);
    node->loop = loop;
    node->settings = settings;
    node->owner = *owner;
    node->name = memory_copy(config->name);
    node->live = live;
    endpoint_init(&node->endpoint, config->host, config->port);
    open_probe(node);
    schedule_open(&node->schedule, loop, node, on_due);
    return node;
}

const char *node_name(const struct node *node)
{
    return node->name;
}

struct endpoint *node_endpoint(struct node *node)
{
    return &node->endpoint;
}

struct node_live *node_live(struct node *node)
{
    return node->live;
}

struct orders *node_orders(struct node *node)
{
    return &node->orders;
}

bool node_is(const struct node *node, const struct config_node *config)
{
    return strcmp(node->name, config->name) == 0 && strcmp(node->endpoint.host, config->host) == 0 &&
           node->endpoint.port == config->port;
}

void node_evidence(const struct node *node, uint64_t now_us, struct evidence *out)
{
    *out = (struct evidence){.name = node->name,
        .finding = node->finding,
        .error = node->error,
        .silent = node->silent,
        .answered = node->answered,
        .age_ms = now_us > node->answered_at_us ? (now_us - node->answered_at_us) / 1000 : 0,
        .seen = node->seen};
}

void node_schedule(struct node *node, const struct pace *pace)
{
    schedule_next(&node->schedule, pace);
}

void node_hint(struct node *node, uint64_t gap_ms)
{
    schedule_hint(&node->schedule, gap_ms);
}

void node_hurry(struct node *node, const struct pace *pace)
{
    schedule_hurry(&node->schedule, pace);
}

void node_forget(struct node *node)
{
    node->finding = FINDING_NONE;
    node->error[0] = '\0';
    node->silent = 0;
    node->answered = false;
    node->seen = (struct observation){0};
}

void node_reconnect(struct node *node)
{
    bool busy = sql_probe_busy(node->probe);
    const struct pace at_once = {.interval_ms = 1};
    sql_probe_close(node->probe);
    open_probe(node);
    if (busy) /* the look that was under way will not report any more */
        schedule_next(&node->schedule, &at_once);
    else
        schedule_hint(&node->schedule, 0);
}

static void on_closed(void *context)
{
    struct node *node = context;
    endpoint_fini(&node->endpoint);
    free(node->name);
    free(node);
}

void node_close(struct node *node)
{
    assert(!node->closed);
    node->closed = true;
    sql_probe_close(node->probe);
    node_live_unref(node->live);
    schedule_close(&node->schedule, on_closed);
}
