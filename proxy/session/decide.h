/*
 * Where a session's request would go at this moment. Decided without changing anything, so that it may be
 * asked for the request itself (route.c) and by those who only want to know (report.c, explain.c). The
 * session's thread.
 */
#ifndef ROLECALL_SESSION_DECIDE_H
#define ROLECALL_SESSION_DECIDE_H

#include "router/target.h"

#include <stdbool.h>

struct server;
struct session;

enum decision_kind {
    DECISION_STAY,  /* on the server that the session has */
    DECISION_NODE,  /* to that node */
    DECISION_HOLD,  /* there is none now: it waits */
    DECISION_PAUSE, /* it waits for the administrator's RESUME */
    DECISION_REFUSE /* there is none, and the configuration says not to wait */
};

struct decision {
    enum decision_kind kind;
    bool read;                        /* what it does may leave the primary */
    enum reason verdict;              /* why it goes there, or would */
    enum reason choice;               /* target_choose's */
    const struct topology_node *node; /* NODE; of the topology of this turn of the loop */
    uint32_t incarnation;             /* of the node */
    const char *why;                  /* HOLD, REFUSE: in words; lives as long as the topology */
};

/* The session has a pool, and its request is none that rolecall answers itself. */
void decide(struct session *session, struct decision *out);

/* What begins anew on this server, whose node is being deposed, waits for the next primary, or for this one's
   return. */
bool decide_must_hold(const struct session *session, const struct server *server);

/* The session's own setting makes a read of its request. */
bool decide_is_hinted_read(const struct session *session);

const struct config_cluster *session_cluster(const struct session *session);

#endif
