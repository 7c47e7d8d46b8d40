/* The administrator's errands; see errand.h. */
#include "proxy/session/errand.h"

#include "conf/base/log.h"
#include "proxy/pool/pause.h"
#include "proxy/session/session.h"

#include <string.h>

struct session *session_by_serial(const struct sessions *sessions, uint64_t serial)
{
    struct session *session = sessions->first;
    while (session && session->serial != serial)
        session = session->next;
    return session;
}

/* ---- pauses ---- */

/* With session pooling and split routing a session keeps connections that it could do without, since its
   state is tracked. Without split routing it is not: such a session keeps its connection until it ends. */
static void give_back_kept(struct session *session)
{
    bool tracked = session->limits && session->limits->pool == POOL_SESSION && session_is_split(session);
    if (!tracked || session->state != SESSION_IDLE || session->tx_status != 'I' || session->pins ||
        session->request->kind != REQUEST_NONE)
        return;
    struct claim *claims[] = {&session->claim, session->parked};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        if (claims[i] && claims[i]->server)
            pool_release(claims[i], true);
}

static bool is_meant(const struct session *session, const struct errand *errand)
{
    return session->pool &&
           (!errand->database[0] || strcmp(pool_database(session->pool), errand->database) == 0);
}

static void pause_database(struct sessions *sessions, const struct errand *errand, struct errand_report *out)
{
    if (errand->kind == ERRAND_PAUSE) {
        pauses_add(&sessions->pools.pauses, errand->database);
        pools_apply_pauses(&sessions->pools);
        pools_renew(&sessions->pools, errand->database);
    }
    for (struct session *session = sessions->first; session; session = session->next) {
        if (!is_meant(session, errand))
            continue;
        if (pool_is_paused(session->pool))
            give_back_kept(session);
        out->relays += session->state == SESSION_RELAY;
    }
    out->left = pools_count(&sessions->pools, errand->database);
}

static void resume(struct sessions *sessions, const struct errand *errand)
{
    pauses_remove(&sessions->pools.pauses, errand->database);
    pools_apply_pauses(&sessions->pools);
    held_try(sessions);
}

/* ---- one session ---- */

static void kill_session(struct sessions *sessions, uint64_t serial, struct errand_report *out)
{
    struct session *session = session_by_serial(sessions, serial);
    if (!session)
        return;
    out->done = 1;
    log_event(LOG_WARNING, "session_killed", "id=%u.%llu user=%s database=%s", sessions->pools.worker,
        (unsigned long long)serial, session->user, session->database);
    if (session->state == SESSION_ACTIVE || session->state == SESSION_STREAMING ||
        session->state == SESSION_COPY_IN)
        cancel_running(session); /* the node would go on otherwise */
    session_fatal(session, SQLSTATE_ADMIN_SHUTDOWN, "terminating connection due to administrator command");
}

void errand_run(struct sessions *sessions, const struct errand *errand, struct errand_report *out)
{
    *out = (struct errand_report){.met = pools_know(&sessions->pools, errand->database)};
    switch (errand->kind) {
    case ERRAND_PAUSE:
    case ERRAND_LOOK: pause_database(sessions, errand, out); break;
    case ERRAND_RESUME: resume(sessions, errand); break;
    case ERRAND_RECONNECT: out->left = pools_renew(&sessions->pools, errand->database); break;
    case ERRAND_KILL:
        if (errand->worker == sessions->pools.worker)
            kill_session(sessions, errand->serial, out);
        break;
    case ERRAND_EXPLAIN: break;
    }
}
