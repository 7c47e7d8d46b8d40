/*
 * rolecall's own settings, named "rolecall.*": SHOW, SET and RESET of them as statements of their own, and at
 * connection start. They belong to the session and never reach a server, but they keep to its transactions:
 * what is set in one is undone when it is rolled back (as a whole: ROLLBACK TO SAVEPOINT takes nothing back),
 * and SET LOCAL ends with it. The session's thread.
 */
#ifndef ROLECALL_SESSION_OWN_SETTINGS_H
#define ROLECALL_SESSION_OWN_SETTINGS_H

#include "conf/base/error.h"
#include "conf/base/slice.h"
#include "conf/config.h"
#include "router/target.h"

#include <stdbool.h>
#include <stdint.h>

struct answer;
struct server;
struct session;

enum own_route { OWN_ROUTE_DEFAULT, OWN_ROUTE_PRIMARY, OWN_ROUTE_REPLICA, OWN_ROUTE_ANY };

/* All zero: nothing is set. */
struct own_settings {
    enum own_route route;
    uint64_t max_lag_bytes, max_lag_ms; /* 0 = the cluster's; TARGET_NO_BOUND = none */
    bool has_consistency;
    enum consistency consistency; /* else the cluster's */
    /* Of rolecall.token: reads wait for the first sample that starts after it was given. 0 = none. */
    uint32_t token_timeline;
    uint64_t token_epoch; /* 0 = not known yet */
};

/* What a SET inside the open transaction leaves. */
struct own_change {
    struct own_settings before, after; /* what holds once it was rolled back; committed */
};

/* A statement of these that needs a server all the same. */
enum own_need {
    OWN_NEEDS_NOTHING,
    OWN_NEEDS_POSITION, /* SHOW rolecall.token asks the primary */
    OWN_NEEDS_FAILURE /* an error inside a transaction fails it at its server as well; also begin_forbids() */
};

/* Sets one at connection start, named without the prefix. */
bool own_begin(struct session *session, struct slice name, struct slice value, struct error *error);

/* A statement of the request that is being collected. */
void own_note(struct session *session, struct slice text);
/* Answers the request when it is SHOW, SET or RESET of one; true when it did. False with
   request.own_need set: it is to be sent on, and own_send does that. */
bool own_answer(struct session *session);
bool own_send(struct session *session, struct server *server);
void own_on_row(struct session *session, const struct answer *answer);
/* What own_send has asked for is there: writes the answer, but for ReadyForQuery. */
void own_on_done(struct session *session, struct server *server);

/* A request has ended with this transaction status, before the session's own is changed. */
void own_settle(struct session *session, char status);
void own_free(struct session *session);

enum consistency own_consistency(const struct session *session);
/*
 * What the token asks of this topology: the epoch that a read needs, 0 = nothing. False: nothing can be read
 * here, since the token is of a later timeline, or since it is not known of which this one is (primary -1).
 */
bool own_token_epoch(struct session *session, const struct topology *topology, uint64_t *epoch);

#endif
