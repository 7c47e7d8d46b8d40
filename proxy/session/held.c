/*
 * Who waits for a node; see held.h.
 *
 * A round tries HELD_PER_TURN of them in a turn of the loop, the next ones a millisecond later. Who cannot go
 * yet stays where it was; who begins to wait goes to the end. A change during a round makes another one after
 * it, so that nobody at the end is forgotten over those at the beginning.
 */
#include "proxy/session/held.h"

#include "proxy/session/session.h"

#define PAUSE_MS 1

static void insert_before(struct held *held, struct session *session, struct session *next)
{
    struct session *prev = next ? next->held_prev : held->last;
    session->held_prev = prev;
    session->held_next = next;
    if (prev)
        prev->held_next = session;
    else
        held->first = session;
    if (next)
        next->held_prev = session;
    else
        held->last = session;
}

/* The cluster's count, for those who watch it (events, pages). There is none before the first topology. */
static void count_held(struct session *session)
{
    struct topology *topology = pool_topology(session->pool);
    if (!topology || !topology->live)
        return;
    session->held_in = cluster_live_ref(topology->live);
    atomic_fetch_add_explicit(&session->held_in->holding, 1, memory_order_relaxed);
    if (session->state != SESSION_HELD)
        atomic_fetch_add_explicit(&session->held_in->held, 1, memory_order_relaxed);
}

static void count_unheld(struct session *session)
{
    if (!session->held_in)
        return;
    atomic_fetch_sub_explicit(&session->held_in->holding, 1, memory_order_relaxed);
    cluster_live_unref(session->held_in);
    session->held_in = NULL;
}

void held_failed(const struct session *session)
{
    const struct topology *topology = pool_topology(session->pool);
    if (topology && topology->live)
        atomic_fetch_add_explicit(&topology->live->hold_failed, 1, memory_order_relaxed);
}

bool held_has_room(const struct session *session, uint32_t limit, uint64_t limit_bytes)
{
    const struct held *held = &session->all->held;
    return held->n < limit && (held->n == 0 || held->bytes + session->request->bytes.len <= limit_bytes);
}

void held_add(struct session *session)
{
    struct held *held = &session->all->held;
    size_t bytes = session->request->bytes.len;
    insert_before(held, session, held->trying == session ? held->at : NULL);
    session->is_held = true;
    session->held_bytes = bytes;
    held->bytes += bytes;
    held->n++;
    count_held(session);
}

void held_remove(struct session *session)
{
    struct held *held = &session->all->held;
    if (!session->is_held)
        return;
    count_unheld(session);
    if (held->at == session)
        held->at = session->held_next;
    if (session->held_prev)
        session->held_prev->held_next = session->held_next;
    else
        held->first = session->held_next;
    if (session->held_next)
        session->held_next->held_prev = session->held_prev;
    else
        held->last = session->held_prev;
    session->held_prev = session->held_next = NULL;
    session->is_held = false;
    held->bytes -= session->held_bytes;
    held->n--;
}

static void try_some(struct held *held);

static void on_timer(uv_timer_t *timer)
{
    try_some(timer->data);
}

static void try_some(struct held *held)
{
    for (int n = 0; n < HELD_PER_TURN && held->at; n++) {
        struct session *session = held->at;
        held->at = session->held_next;
        held->trying = session;
        route_request(session);
        held->trying = NULL;
    }
    if (!held->at && held->again) {
        held->again = false;
        held->at = held->first;
    }
    if (held->at)
        uv_timer_start(&held->timer, on_timer, PAUSE_MS, 0);
}

void held_try(struct sessions *sessions)
{
    struct held *held = &sessions->held;
    if (held->trying || held->at) {
        held->again = true;
        return;
    }
    held->at = held->first;
    try_some(held);
}

void held_open(struct sessions *sessions)
{
    uv_timer_init(sessions->reactor->loop, &sessions->held.timer);
    sessions->held.timer.data = &sessions->held;
}

void held_close(struct sessions *sessions)
{
    uv_close((uv_handle_t *)&sessions->held.timer, NULL);
}
