/*
 * What the administrator asks a worker to do to its sessions and pools. Run in the worker's own thread;
 * sessions are named by worker and serial, databases as the nodes call them ("" = all).
 */
#ifndef ROLECALL_SESSION_ERRAND_H
#define ROLECALL_SESSION_ERRAND_H

#include "conf/base/slice.h"
#include "router/message.h"

#include <stdint.h>

struct sessions;
struct session;

enum errand_kind {
    ERRAND_PAUSE,     /* no connection for new work */
    ERRAND_LOOK,      /* what a pause has left to be closed */
    ERRAND_RESUME,    /* what waited goes on */
    ERRAND_RECONNECT, /* no connection that is open now is used for new work */
    ERRAND_KILL,      /* one session */
    ERRAND_EXPLAIN    /* one session; explain.c does that */
};

struct errand {
    enum errand_kind kind;
    char database[MESSAGE_NAME_MAX];
    uint32_t worker; /* KILL, EXPLAIN */
    uint64_t serial;
    struct slice text; /* EXPLAIN; borrowed */
};

struct errand_report {
    uint32_t done;   /* sessions that were killed */
    uint32_t left;   /* PAUSE, LOOK, RECONNECT: connections that are still to be closed */
    uint32_t relays; /* PAUSE, LOOK: relayed connections, which are not touched */
    bool met;        /* the database has been used here */
};

void errand_run(struct sessions *sessions, const struct errand *errand, struct errand_report *out);

/* The session with this serial, NULL when it is gone. */
struct session *session_by_serial(const struct sessions *sessions, uint64_t serial);

#endif
