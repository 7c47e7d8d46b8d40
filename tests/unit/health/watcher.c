/* See watcher.h. */
#include "tests/unit/health/watcher.h"

#include "conf/base/clock.h"
#include "tests/unit/health/unit.h"

#include <unistd.h>

struct config *watcher_config(const struct postgres *postgres, const char *extra)
{
    char path[128];
    struct error error;
    snprintf(path, sizeof path, "%s/rolecall.ini", postgres->folder);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fprintf(out, "[rolecall]\nstate_dir = %s\n[cluster main]\n%s\n", postgres->folder, extra);
    for (int i = 0; i < postgres->n; i++)
        fprintf(
            out, "[node n%d]\ncluster = main\nhost = 127.0.0.1\nport = %d\n", i, postgres->servers[i].port);
    fprintf(out, "[listener main]\naddress = 127.0.0.1:1\ncluster = main\n");
    fclose(out);
    struct config *config = config_load(path, &error);
    if (!config)
        fail_msg("%s", error.text);
    return config;
}

static void take_reply(struct watcher *watcher, const struct message *message)
{
    watcher->replies++;
    watcher->ticket = message->secret_reply.ticket;
    watcher->answered = message->secret_reply.answered;
    watcher->found = message->secret_reply.found;
    snprintf(watcher->secret, sizeof watcher->secret, "%s", message->secret_reply.secret);
}

static void on_letter(void *owner, struct letter *letter)
{
    struct watcher *watcher = owner;
    struct message *message = (struct message *)letter;
    if (message->kind == MESSAGE_TOPOLOGY) {
        topology_unref(watcher->topology);
        watcher->topology = topology_ref(message->topology);
        watcher->topologies++;
    } else if (message->kind == MESSAGE_CATALOGUE) {
        catalogue_unref(watcher->catalogue);
        watcher->catalogue = catalogue_ref(message->catalogue);
        watcher->catalogues++;
    } else if (message->kind == MESSAGE_EVENT) {
        watcher->events[message->event->kind]++;
        watcher->last_event = *message->event;
    } else if (message->kind == MESSAGE_SECRET_REPLY) {
        take_reply(watcher, message);
    } else if (message->kind == MESSAGE_NODE_ORDER_REPLY) {
        watcher->orders_done += message->node_order_reply.done;
        watcher->orders_refused += !message->node_order_reply.done;
        watcher->refusal = message->node_order_reply.error;
    } else {
        fail_msg("message %d", (int)message->kind);
    }
    message_free(message);
}

void watcher_start(struct watcher *watcher, struct config *config)
{
    struct error error;
    memset(watcher, 0, sizeof *watcher);
    assert_int_equal(uv_loop_init(&watcher->loop), 0);
    assert_true(mailbox_open(&watcher->mailbox, &watcher->loop, watcher, on_letter, message_drop));
    struct mailbox *subscribers[] = {&watcher->mailbox};
    watcher->control = control_start(config, subscribers, 1, &error);
    assert_non_null(watcher->control);
    config_unref(config);
}

void watcher_stop(struct watcher *watcher)
{
    control_stop(watcher->control);
    mailbox_close(&watcher->mailbox);
    uv_run(&watcher->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&watcher->loop), 0);
    mailbox_fini(&watcher->mailbox);
    topology_unref(watcher->topology);
    catalogue_unref(watcher->catalogue);
}

void watcher_run(struct watcher *watcher, uint64_t ms)
{
    uint64_t end_us = clock_now_us() + ms * 1000;
    do {
        uv_run(&watcher->loop, UV_RUN_NOWAIT);
        usleep(500);
    } while (clock_now_us() < end_us);
}

uint64_t watcher_until(struct watcher *watcher, uint64_t limit_ms, const char *what,
    bool (*holds)(struct watcher *watcher, int number), int number)
{
    uint64_t begin_us = clock_now_us();
    while (!holds(watcher, number)) {
        watcher_run(watcher, 0);
        if (clock_now_us() - begin_us <= limit_ms * 1000)
            continue;
        for (size_t i = 0; watcher->topology && i < watcher->topology->n_nodes; i++) {
            const struct topology_node *node = &watcher->topology->nodes[i];
            print_message("%s: %s, %s: %s\n", node->name, node_role_name(node->role),
                node_condition_name(node->condition), node->reason);
        }
        fail_msg("not within %u ms: %s (%d)", (unsigned)limit_ms, what, number);
    }
    return (clock_now_us() - begin_us) / 1000;
}

bool primary_is(struct watcher *watcher, int node)
{
    return watcher->topology && watcher->topology->primary == node;
}

bool all_settled(struct watcher *watcher, int node)
{
    if (!primary_is(watcher, node))
        return false;
    for (size_t i = 0; i < watcher->topology->n_nodes; i++) {
        if ((int)i != node && watcher->topology->nodes[i].role != ROLE_REPLICA)
            return false;
    }
    return true;
}

bool node_is_down(struct watcher *watcher, int node)
{
    return watcher->topology && watcher->topology->nodes[node].condition == CONDITION_DOWN;
}

bool node_is_suspect(struct watcher *watcher, int node)
{
    return watcher->topology && watcher->topology->nodes[node].condition == CONDITION_SUSPECT;
}

bool node_is_up(struct watcher *watcher, int node)
{
    return watcher->topology && watcher->topology->nodes[node].condition == CONDITION_UP;
}

bool node_is_replica(struct watcher *watcher, int node)
{
    return watcher->topology && watcher->topology->nodes[node].role == ROLE_REPLICA;
}

bool catalogues_at_least(struct watcher *watcher, int number)
{
    return watcher->catalogues >= (unsigned)number;
}

bool replies_at_least(struct watcher *watcher, int number)
{
    return watcher->replies >= (unsigned)number;
}

void watcher_hint(struct watcher *watcher, int node, enum node_hint hint)
{
    struct message *message = message_new(MESSAGE_NODE_HINT);
    message->node_hint.node = node_live_ref(watcher->topology->nodes[node].live);
    message->node_hint.generation = watcher->topology->nodes[node].generation;
    message->node_hint.hint = hint;
    mailbox_post(control_mailbox(watcher->control), &message->letter);
}

void watcher_ask_catalogue(struct watcher *watcher, const char *database, bool changed)
{
    struct message *message = message_new(MESSAGE_CATALOGUE_REQUEST);
    snprintf(message->catalogue_request.cluster, MESSAGE_NAME_MAX, "main");
    snprintf(message->catalogue_request.database, MESSAGE_NAME_MAX, "%s", database);
    message->catalogue_request.changed = changed;
    mailbox_post(control_mailbox(watcher->control), &message->letter);
}

void watcher_ask_secret(struct watcher *watcher, const char *user, uint64_t ticket, bool refresh)
{
    struct message *message = message_new(MESSAGE_SECRET_REQUEST);
    snprintf(message->secret_request.cluster, MESSAGE_NAME_MAX, "main");
    snprintf(message->secret_request.user, MESSAGE_NAME_MAX, "%s", user);
    message->secret_request.ticket = ticket;
    message->secret_request.refresh = refresh;
    mailbox_post(control_mailbox(watcher->control), &message->letter);
}

static bool orders_at_least(struct watcher *watcher, int number)
{
    return watcher->orders_done + watcher->orders_refused >= (unsigned)number;
}

bool watcher_order(
    struct watcher *watcher, enum node_order order, const char *cluster, const char *node, uint32_t weight)
{
    unsigned done = watcher->orders_done;
    int n = (int)(done + watcher->orders_refused + 1);
    struct message *message = message_new(MESSAGE_NODE_ORDER);
    message->node_order.order = order;
    message->node_order.weight = weight;
    message->node_order.reply_to = &watcher->mailbox;
    snprintf(message->node_order.cluster, MESSAGE_NAME_MAX, "%s", cluster);
    snprintf(message->node_order.node, NODE_NAME_MAX, "%s", node);
    mailbox_post(control_mailbox(watcher->control), &message->letter);
    watcher_until(watcher, 1000, "the order is answered", orders_at_least, n);
    return watcher->orders_done > done;
}

void watcher_reload(struct watcher *watcher, struct config *config)
{
    struct message *message = message_new(MESSAGE_CONFIG);
    message->config = config;
    mailbox_post(control_mailbox(watcher->control), &message->letter);
}
