/*
 * Publishing; see publish.h. A snapshot is always built, then compared with the last one: building is cheap,
 * looks are few, and what is compared is exactly what would be sent. What did not change is not sent.
 */
#include "health/publish.h"

#include "conf/base/clock.h"
#include "health/memory.h"

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

static void fill_node(struct topology_node *out, const struct config_node *config,
    const struct published_node *node, const struct node_verdict *verdict)
{
    out->name = memory_copy(config->name);
    out->host = memory_copy(config->host);
    out->hostaddr = memory_copy(endpoint_address(node->endpoint));
    out->port = config->port;
    out->weight = config->weight;
    out->max_connections = config->max_connections;
    out->role = verdict->role;
    out->read_only = verdict->read_only;
    out->condition = verdict->condition;
    out->generation = verdict->generation;
    out->reason = memory_copy(verdict->reason);
    out->live = node_live_ref(node->live);
}

static struct topology *make(const struct settings *settings, struct cluster_live *live,
    const struct published_node *nodes, const struct verdict *verdict)
{
    const struct config_cluster *cluster = settings->cluster;
    struct topology *topology = topology_new(cluster->name, cluster->n_nodes);
    topology->primary = verdict->primary;
    topology->timeline = verdict->primary < 0 ? 0 : verdict->nodes[verdict->primary].timeline;
    topology->no_primary_reason = verdict->primary < 0 ? memory_copy(verdict->reason) : NULL;
    topology->max_lag_bytes = cluster->max_lag_bytes;
    topology->max_lag_ms = cluster->max_lag_ms;
    topology->live = cluster_live_ref(live);
    for (size_t i = 0; i < cluster->n_nodes; i++)
        fill_node(&topology->nodes[i], &cluster->nodes[i], &nodes[i], &verdict->nodes[i]);
    return topology;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_node(const struct topology_node *a, const struct topology_node *b)
{
    return a->live == b->live && a->role == b->role && a->read_only == b->read_only &&
           a->condition == b->condition && a->generation == b->generation && a->port == b->port &&
           a->weight == b->weight && a->max_connections == b->max_connections &&
           same_text(a->name, b->name) && same_text(a->host, b->host) &&
           same_text(a->hostaddr, b->hostaddr) && same_text(a->reason, b->reason);
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
