/*
 * A worker's thread; see worker.h.
 *
 * All well: it runs its loop until MESSAGE_STOP, then ends each session as soon as it is idle, and ends
 * itself with the last one (consoles do not count: they watch). A second MESSAGE_STOP ends it at once.
 */
#include "proxy/worker/worker.h"

#include "conf/base/log.h"
#include "router/message.h"

#include <assert.h>
#include <stdio.h>

#define TICK_MS 100

static void finish(struct worker *worker)
{
    if (uv_is_closing((uv_handle_t *)&worker->tick))
        return;
    sessions_close(&worker->sessions);
    reactor_close(&worker->reactor);
    mailbox_close(&worker->mailbox);
    uv_close((uv_handle_t *)&worker->tick, NULL);
}

static void on_tick(uv_timer_t *timer)
{
    struct worker *worker = timer->data;
    sessions_tick(&worker->sessions);
    failed_logins_tell(&worker->sessions.failed_logins, uv_now(&worker->loop), worker->main);
    if (sessions_are_over(&worker->sessions))
        finish(worker);
}

static void stop(struct worker *worker)
{
    if (worker->sessions.draining)
        finish(worker);
    else
        sessions_drain(&worker->sessions);
}

static void receive(void *owner, struct letter *letter)
{
    struct worker *worker = owner;
    struct sessions *sessions = &worker->sessions;
    struct message *message = (struct message *)letter;
    switch (message->kind) {
    case MESSAGE_CONNECTION: sessions_accept(sessions, message); break;
    case MESSAGE_TOPOLOGY:
        sessions_on_topology(sessions, message->topology);
        message->topology = NULL;
        break;
    case MESSAGE_CATALOGUE:
        sessions_on_catalogue(sessions, message->catalogue);
        message->catalogue = NULL;
        break;
    case MESSAGE_CATALOGUE_REQUEST: sessions_on_catalogue_changed(sessions, message); break;
    case MESSAGE_RUNTIME: sessions_on_runtime(sessions, message->runtime.runtime); break;
    case MESSAGE_SECRET_REPLY: sessions_on_secret(sessions, message); break;
    case MESSAGE_SERVER_WANTED: pools_on_wanted(&sessions->pools, message); break;
    case MESSAGE_SERVER: pools_on_server(&sessions->pools, message); break;
    case MESSAGE_CANCEL: sessions_on_cancel(sessions, message); break;
    case MESSAGE_STATUS_REQUEST:
        if (message->status.answer)
            message->status.answer(message->status.request, sessions, worker->index);
        break;
    case MESSAGE_STOP: stop(worker); break;
    case MESSAGE_CONFIG:
    case MESSAGE_SECRET_REQUEST:
    case MESSAGE_NODE_HINT:
    case MESSAGE_EVENT:
    case MESSAGE_CONSOLE:
    case MESSAGE_NODE_ORDER:
    case MESSAGE_NODE_ORDER_REPLY:
    case MESSAGE_STATUS_REPLY: break; /* not for workers */
    }
    message_free(message);
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    mailbox_post(worker->main, &message_new(MESSAGE_STOP)->letter);
    return NULL;
}

bool worker_init(struct worker *worker, uint32_t index, struct runtime *runtime,
    _Atomic uint32_t *process_clients, struct error *error)
{
    *worker = (struct worker){.index = index};
    worker->sessions.process_clients = process_clients;
    if (uv_loop_init(&worker->loop) != 0 || reactor_open(&worker->reactor, &worker->loop) != 0 ||
        !mailbox_open(&worker->mailbox, &worker->loop, worker, receive, message_drop) ||
        !sessions_open(&worker->sessions, &worker->reactor, index, runtime))
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "worker %u cannot be made", index);
    uv_timer_init(&worker->loop, &worker->tick);
    worker->tick.data = worker;
    uv_timer_start(&worker->tick, on_tick, TICK_MS, TICK_MS);
    return true;
}

bool worker_start(struct worker *worker, struct mailbox *const *peers, uint32_t n_peers,
    struct mailbox *control, struct mailbox *main, struct error *error)
{
    worker->sessions.pools.peers = peers;
    worker->sessions.pools.n_peers = n_peers;
    worker->sessions.pools.control = control;
    worker->sessions.control = control;
    worker->sessions.main = main;
    worker->main = main;
    worker->started = pthread_create(&worker->thread, NULL, run, worker) == 0;
    if (!worker->started)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "no thread for worker %u", worker->index);
    char name[16];
    snprintf(name, sizeof name, "worker %u", worker->index % 100000);
    pthread_setname_np(worker->thread, name);
    return true;
}

void worker_join(struct worker *worker)
{
    if (worker->started)
        pthread_join(worker->thread, NULL);
    else
        finish(worker);
    uv_run(&worker->loop, UV_RUN_DEFAULT); /* closing handles of a thread that never ran */
    reactor_fini(&worker->reactor);
    int left = uv_loop_close(&worker->loop);
    assert(left == 0);
}

void worker_fini(struct worker *worker)
{
    mailbox_fini(&worker->mailbox);
}

uint64_t worker_load(const struct worker *worker)
{
    const struct session_counters *counters = &worker->sessions.counters;
    uint64_t taken = atomic_load_explicit(&counters->taken, memory_order_relaxed);
    return atomic_load_explicit(&counters->clients, memory_order_relaxed) + worker->handed - taken;
}
