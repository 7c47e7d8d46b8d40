/*
 * Publishing; see publish.h. A snapshot is always built, then compared with the last one: building is cheap,
 * looks are few, and what is compared is exactly what would be sent. What did not change is not sent.
 */
#include "health/publish.h"

#include "conf/base/clock.h"
#include "health/memory.h"

#include <stdio.h>

void subscribers_send_topology(const struct subscribers *subscribers, struct topology *topology)
{
    for (size_t i = 0; i < subscribers->n; i++) {
        struct message *message = message_new(MESSAGE_TOPOLOGY);
        message->topology = topology_ref(topology);
        mailbox_post(subscribers->mailboxes[i], &message->letter);
    }
}

void subscribers_send_catalogue(const struct subscribers *subscribers, struct catalogue *catalogue)
{
    for (size_t i = 0; i < subscribers->n; i++) {
        struct message *message = message_new(MESSAGE_CATALOGUE);
        message->catalogue = catalogue_ref(catalogue);
        mailbox_post(subscribers->mailboxes[i], &message->letter);
    }
}

void subscribers_send_event(const struct subscribers *subscribers, const struct event *event)
{
    struct message *message = message_of_event(event);
    if (message->event->at_ms == 0)
        message->event->at_ms = clock_day_ms();
    mailbox_post(subscribers->mailboxes[subscribers->n - 1], &message->letter);
}

/* The operator's word comes before the judge's. */
static char *told_off(enum node_duty duty, const char *reason)
{
    char text[JUDGE_REASON_MAX + 64];
    snprintf(text, sizeof text, "%s by the administrator%s%s", node_duty_name(duty), reason ? "; " : "",
        reason ? reason : "");
    return memory_copy(text);
}

/* A primary that takes no new work is none for those who seek one; it keeps its role, and what runs there
 * goes on. */
static void dismiss_primary(struct topology *topology)
{
    const struct topology_node *node = topology->primary < 0 ? NULL : &topology->nodes[topology->primary];
    char text[NODE_NAME_MAX + 64];
    if (!node || node->duty == DUTY_ENABLED)
        return;
    snprintf(text, sizeof text, "the primary, node %s, is %s by the administrator", node->name,
        node_duty_name(node->duty));
    topology->primary = -1;
    topology->no_primary_reason = memory_copy(text);
}

static void fill_node(
    struct topology_node *out, const struct published_node *node, const struct node_verdict *verdict)
{
    const struct config_node *config = node->config;
    out->name = memory_copy(config->name);
    out->host = memory_copy(config->host);
    out->hostaddr = memory_copy(endpoint_address(node->endpoint));
    out->moves = node->endpoint->moves;
    out->port = config->port;
    out->weight = verdict->no_reads ? 0 : orders_weight(node->orders, config->weight);
    out->max_connections = config->max_connections;
    out->role = verdict->role;
    out->read_only = verdict->read_only;
    out->duty = node->orders->duty;
    out->condition = out->duty == DUTY_DISABLED ? CONDITION_DOWN : verdict->condition;
    out->generation = verdict->generation;
    out->reason =
        out->duty == DUTY_ENABLED ? memory_copy(verdict->reason) : told_off(out->duty, verdict->reason);
    out->live = node_live_ref(node->live);
}

static struct topology *make(const struct settings *settings, struct cluster_live *live,
    const struct published_node *nodes, const struct verdict *verdict)
{
    const struct config_cluster *cluster = settings->cluster;
    struct topology *topology = topology_new(cluster->name, verdict->n);
    topology->primary = verdict->primary;
    topology->timeline = verdict->primary < 0 ? 0 : verdict->nodes[verdict->primary].timeline;
    topology->no_primary_reason = verdict->primary < 0 ? memory_copy(verdict->reason) : NULL;
    topology->max_lag_bytes = cluster->max_lag_bytes;
    topology->max_lag_ms = cluster->max_lag_ms;
    topology->live = cluster_live_ref(live);
    for (size_t i = 0; i < verdict->n; i++)
        fill_node(&topology->nodes[i], &nodes[i], &verdict->nodes[i]);
    dismiss_primary(topology);
    return topology;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_node(const struct topology_node *a, const struct topology_node *b)
{
    return a->live == b->live && a->role == b->role && a->read_only == b->read_only &&
           a->condition == b->condition && a->duty == b->duty && a->generation == b->generation &&
           a->port == b->port && a->moves == b->moves && a->weight == b->weight &&
           a->max_connections == b->max_connections && same_text(a->name, b->name) &&
           same_text(a->host, b->host) && same_text(a->hostaddr, b->hostaddr) &&
           same_text(a->reason, b->reason);
}

static bool same(const struct topology *a, const struct topology *b)
{
    if (a->n_nodes != b->n_nodes || a->primary != b->primary || a->timeline != b->timeline ||
        a->max_lag_bytes != b->max_lag_bytes || a->max_lag_ms != b->max_lag_ms ||
        !same_text(a->no_primary_reason, b->no_primary_reason))
        return false;
    for (size_t i = 0; i < a->n_nodes; i++) {
        if (!same_node(&a->nodes[i], &b->nodes[i]))
            return false;
    }
    return true;
}

void publish(struct publisher *publisher, const struct settings *settings, struct cluster_live *live,
    const struct published_node *nodes, const struct verdict *verdict)
{
    struct topology *topology = make(settings, live, nodes, verdict);
    if (publisher->last && same(publisher->last, topology)) {
        topology_unref(topology);
        return;
    }
    topology->version = publisher->last ? publisher->last->version + 1 : 1;
    for (size_t i = 0; i < topology->n_nodes; i++)
        atomic_store_explicit(
            &nodes[i].live->generation, topology->nodes[i].generation, memory_order_release);
    subscribers_send_topology(publisher->subscribers, topology);
    topology_unref(publisher->last);
    publisher->last = topology;
}

void publisher_fini(struct publisher *publisher)
{
    topology_unref(publisher->last);
    publisher->last = NULL;
}
