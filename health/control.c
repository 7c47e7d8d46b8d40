/*
 * The control thread; see control.h.
 *
 * It opens a watch for each cluster of the configuration and then only reacts: to its timers and sockets, and
 * to the letters that come. At the stop all watches are closed and the loop ends by itself when the last
 * handle has gone.
 */
#include "health/control.h"

#include "conf/base/log.h"
#include "health/cluster.h"
#include "health/memory.h"
#include "health/pgconn.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

struct control {
    pthread_t thread;
    uv_loop_t loop;
    struct mailbox mailbox;
    struct subscribers subscribers;
    struct config *config;
    struct cluster **clusters;
    size_t n_clusters;
    bool stopping;
};

static struct cluster *find_cluster(const struct control *control, const char *name)
{
    for (size_t i = 0; i < control->n_clusters; i++) {
        if (control->clusters[i] && strcmp(cluster_name(control->clusters[i]), name) == 0)
            return control->clusters[i];
    }
    return NULL;
}

/* --- configuration --- */

static void close_clusters(struct cluster **clusters, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (clusters[i])
            cluster_close(clusters[i]);
    }
    free(clusters);
}

static void take_out(struct control *control, const struct cluster *cluster)
{
    for (size_t i = 0; i < control->n_clusters; i++) {
        if (control->clusters[i] == cluster)
            control->clusters[i] = NULL;
    }
}

/* Clusters are known by name: those that stay are reloaded, the others closed or opened. */
static void set_config(struct control *control, struct config *config)
{
    struct cluster **clusters = memory_new(config->n_clusters, sizeof *clusters);
    for (size_t i = 0; i < config->n_clusters; i++) {
        struct cluster *cluster = find_cluster(control, config->clusters[i].name);
        take_out(control, cluster);
        if (cluster)
            cluster_reload(cluster, config, i);
        else
            cluster = cluster_open(&control->loop, config, i, &control->subscribers);
        clusters[i] = cluster;
    }
    close_clusters(control->clusters, control->n_clusters);
    control->clusters = clusters;
    control->n_clusters = config->n_clusters;
    config_unref(control->config);
    control->config = config;
}

/* --- letters --- */

static void stop(struct control *control)
{
    if (control->stopping)
        return;
    control->stopping = true;
    close_clusters(control->clusters, control->n_clusters);
    control->clusters = NULL;
    control->n_clusters = 0;
    mailbox_close(&control->mailbox);
}

static bool obey(struct cluster *cluster, struct message *message, struct error *error)
{
    if (!cluster)
        return error_set(
            error, SQLSTATE_INVALID_PARAMETER, "there is no cluster \"%s\"", message->node_order.cluster);
    return cluster_order(
        cluster, message->node_order.order, message->node_order.node, message->node_order.weight, error);
}

/* Takes the message. */
static void take_order(struct control *control, struct message *message)
{
    struct error error = {0};
    message->node_order.cluster[MESSAGE_NAME_MAX - 1] = '\0';
    message->node_order.node[NODE_NAME_MAX - 1] = '\0';
    struct cluster *cluster = find_cluster(control, message->node_order.cluster);
    bool of_switchover =
        message->node_order.order == ORDER_SWITCHOVER || message->node_order.order == ORDER_CALL_OFF;
    if (cluster && of_switchover) {
        cluster_switchover(cluster, message);
        return;
    }
    bool done = obey(cluster, message, &error);
    if (!done)
        log_event(LOG_WARNING, "node_order_refused", "cluster=%s node=%s error=%s",
            message->node_order.cluster, message->node_order.node, error.text);
    message_reply(message, done, &error);
}

static void take_hint(struct control *control, const struct message *message)
{
    const struct node_live *live = message->node_hint.node;
    for (size_t i = 0; i < control->n_clusters; i++) {
        if (cluster_hint(control->clusters[i], live, message->node_hint.hint))
            return;
    }
}

static void take_catalogue_request(struct control *control, struct message *message)
{
    message->catalogue_request.cluster[MESSAGE_NAME_MAX - 1] = '\0';
    message->catalogue_request.database[MESSAGE_NAME_MAX - 1] = '\0';
    struct cluster *cluster = find_cluster(control, message->catalogue_request.cluster);
    if (cluster)
        cluster_catalogue_request(
            cluster, message->catalogue_request.database, message->catalogue_request.changed);
}

/* A cluster that is not known any more cannot answer, but whoever asks must not wait for ever. */
static void refuse_secret(struct control *control, const struct message *request)
{
    if (request->secret_request.worker >= control->subscribers.n)
        return;
    struct message *reply = message_new(MESSAGE_SECRET_REPLY);
    reply->secret_reply.ticket = request->secret_request.ticket;
    memcpy(reply->secret_reply.user, request->secret_request.user, sizeof reply->secret_reply.user);
    mailbox_post(control->subscribers.mailboxes[request->secret_request.worker], &reply->letter);
}

/* True when the message was passed on. */
static bool take_secret_request(struct control *control, struct message *message)
{
    message->secret_request.cluster[MESSAGE_NAME_MAX - 1] = '\0';
    message->secret_request.user[MESSAGE_NAME_MAX - 1] = '\0';
    struct cluster *cluster = find_cluster(control, message->secret_request.cluster);
    if (cluster)
        cluster_secret_request(cluster, message);
    else
        refuse_secret(control, message);
    return cluster != NULL;
}

static void on_letter(void *owner, struct letter *letter)
{
    struct control *control = owner;
    struct message *message = (struct message *)letter;
    bool passed_on = false;
    if (control->stopping) {
        message_free(message);
        return;
    }
    switch (message->kind) {
    case MESSAGE_CONFIG:
        set_config(control, message->config);
        message->config = NULL;
        break;
    case MESSAGE_NODE_HINT: take_hint(control, message); break;
    case MESSAGE_NODE_ORDER:
        take_order(control, message);
        passed_on = true;
        break;
    case MESSAGE_CATALOGUE_REQUEST: take_catalogue_request(control, message); break;
    case MESSAGE_SECRET_REQUEST: passed_on = take_secret_request(control, message); break;
    case MESSAGE_STOP: stop(control); break;
    case MESSAGE_TOPOLOGY:
    case MESSAGE_RUNTIME:
    case MESSAGE_CATALOGUE:
    case MESSAGE_SECRET_REPLY:
    case MESSAGE_NODE_ORDER_REPLY:
    case MESSAGE_CONSOLE:
    case MESSAGE_CONNECTION:
    case MESSAGE_SERVER_WANTED:
    case MESSAGE_SERVER:
    case MESSAGE_CANCEL:
    case MESSAGE_STATUS_REQUEST:
    case MESSAGE_STATUS_REPLY:
    case MESSAGE_EVENT: assert(!"a message that is not for the control thread");
    }
    if (!passed_on)
        message_free(message);
}

/* --- life --- */

static void *run(void *context)
{
    struct control *control = context;
    pthread_setname_np(pthread_self(), "control");
    set_config(control, config_ref(control->config));
    uv_run(&control->loop, UV_RUN_DEFAULT);
    return NULL;
}

static void release(struct control *control)
{
    config_unref(control->config);
    free(control->subscribers.mailboxes);
    free(control);
}

/* The thread takes no signals: they are the main thread's. */
static int start_thread(struct control *control)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&control->thread, NULL, run, control);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed;
}

static void on_nothing(uv_handle_t *handle, void *context)
{
    (void)context;
    if (!uv_is_closing(handle))
        uv_close(handle, NULL);
}

static void close_loop(uv_loop_t *loop)
{
    uv_walk(loop, on_nothing, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    int busy = uv_loop_close(loop);
    assert(busy == 0);
    (void)busy;
}

static struct control *new_control(struct config *config, struct mailbox *const *subscribers, size_t n)
{
    struct control *control = memory_new(1, sizeof *control);
    control->config = config_ref(config);
    control->subscribers.mailboxes = memory_new(n, sizeof *subscribers);
    memcpy(control->subscribers.mailboxes, subscribers, n * sizeof *subscribers);
    control->subscribers.n = n;
    return control;
}

/* False with the loop closed again. */
static bool open_mailbox(struct control *control)
{
    if (mailbox_open(&control->mailbox, &control->loop, control, on_letter, message_drop))
        return true;
    close_loop(&control->loop);
    return false;
}

static void close_all(struct control *control)
{
    close_loop(&control->loop);
    mailbox_fini(&control->mailbox);
    release(control);
}

struct control *control_start(
    struct config *config, struct mailbox *const *subscribers, size_t n_subscribers, struct error *error)
{
    pgconn_clear_environment();
    struct control *control = new_control(config, subscribers, n_subscribers);
    int failed = uv_loop_init(&control->loop);
    if (failed || !open_mailbox(control)) {
        error_set(error, SQLSTATE_INTERNAL_ERROR, "the control thread gets no loop: %s",
            failed ? uv_strerror(failed) : "no descriptor for its mailbox");
        release(control);
        return NULL;
    }
    failed = start_thread(control);
    if (failed) {
        error_set(error, SQLSTATE_INTERNAL_ERROR, "the control thread does not start: %s", strerror(failed));
        mailbox_close(&control->mailbox);
        close_all(control);
        return NULL;
    }
    return control;
}

struct mailbox *control_mailbox(struct control *control)
{
    return &control->mailbox;
}

void control_stop(struct control *control)
{
    if (!control)
        return;
    mailbox_post(&control->mailbox, &message_new(MESSAGE_STOP)->letter);
    pthread_join(control->thread, NULL);
    close_all(control);
}
