/*
 * What one look at a node told: facts only, no opinion. Made by the probes (health/probe/), weighed by the
 * judge. Plain values, copied freely; no pointers, no clock.
 */
#ifndef ROLECALL_HEALTH_OBSERVATION_H
#define ROLECALL_HEALTH_OBSERVATION_H

#include "health/history.h"

#include <stdbool.h>
#include <stdint.h>

/* How a look at a node ended. */
enum finding {
    FINDING_NONE,    /* not looked at yet */
    FINDING_ANSWER,  /* an observation */
    FINDING_GONE,    /* refused or reset: nobody is there */
    FINDING_SILENT,  /* a deadline passed, no route, no address, or an answer that cannot be used */
    FINDING_NOT_NOW, /* 57P01, 57P02, 57P03: somebody is there and lets nobody in */
    FINDING_ALIVE    /* it refused the probe for a reason that says that it lives: 53300, 28xxx, 3D000 ... */
};

#define STANDBY_NAME_MAX 64
#define SYNC_NAMES_MAX 512 /* longer settings are not known */

struct observation {
    bool in_recovery;
    bool read_only; /* default_transaction_read_only */
    bool receiver;  /* a WAL receiver runs */
    bool hears;     /* the WAL receiver has heard from its primary within half of wal_receiver_timeout */
    char receiver_status[16];   /* "streaming" ...; "" when there is none or it may not be seen */
    uint64_t system_identifier; /* 0 = not known */
    uint32_t timeline;          /* 0 = not known */
    uint64_t lsn;               /* in recovery: replayed; else: insert position without page header */
    uint64_t flush_lsn;         /* in recovery: received */
    uint64_t lag_ms;            /* UINT64_MAX = not known; 0 when all that was received is replayed */
    int64_t started_us;         /* the postmaster's start, by its own clock */
    char standby_name[STANDBY_NAME_MAX]; /* as synchronous_standby_names would call it; "" = not known */
    bool sync_names_known;
    char sync_names[SYNC_NAMES_MAX]; /* synchronous_standby_names */
    int server_version;              /* 150020 */
    uint32_t page_bytes;             /* of WAL; 0 = not known */
    uint64_t segment_bytes;
    struct history history; /* of `timeline` */
};

#endif
