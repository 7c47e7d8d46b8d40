/*
 * What a worker tells of its sessions, servers and pools to whoever shows them: plain copies that hold no
 * pointers to anything living. Called in the worker's own thread; each call is bounded, so that queries are
 * served between two.
 */
#ifndef ROLECALL_SESSION_REPORT_H
#define ROLECALL_SESSION_REPORT_H

#include "proxy/session/sessions.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPORT_NAME_MAX 64  /* with the final NUL; longer names are cut */
#define REPORT_TEXT_MAX 256 /* without a NUL */
#define REPORT_WHY_MAX 128  /* with the final NUL; longer ones are cut */
#define REPORT_NO_SESSION UINT64_MAX

/* The end of a connection, as small as it can be. */
struct report_address {
    sa_family_t family; /* AF_INET, AF_INET6, AF_UNIX (then nothing else is said), 0 = not known */
    uint16_t port;
    struct in6_addr address; /* the first four bytes for AF_INET */
};

struct session_report {
    uint32_t worker;
    uint64_t serial;   /* together they name a session */
    const char *state; /* static */
    char user[REPORT_NAME_MAX], database[REPORT_NAME_MAX], listener[REPORT_NAME_MAX];
    char application_name[REPORT_NAME_MAX];
    char node[REPORT_NAME_MAX]; /* of the server connection that it holds or waits for; "" = none */
    struct report_address peer;
    uint32_t server_pid; /* the node's; 0 = none or not known */
    uint32_t pins;       /* enum pin */
    uint32_t prepared;   /* statements */
    char tx_status;
    bool tls, relay, has_verdict;
    enum reason verdict; /* of the request on its way; of one that waits, if it went now */
    uint64_t age_ms, state_age_ms, wait_us;
    const char *waits_for;    /* static; NULL = for nothing */
    char why[REPORT_WHY_MAX]; /* there is no node to go to; "" = it is not that */
};

struct server_report {
    uint32_t worker;
    uint64_t session;  /* serial of the session that uses it; REPORT_NO_SESSION = none */
    const char *state; /* static */
    char cluster[REPORT_NAME_MAX], user[REPORT_NAME_MAX], database[REPORT_NAME_MAX], node[REPORT_NAME_MAX];
    struct report_address address;
    uint32_t pid, generation, prepared;
    enum node_role role; /* of the node when the connection was made */
    char tx_status;
    bool tls, relay, dirty;
    uint64_t age_ms, idle_ms;
};

/* A pool's share of one node in one worker. */
struct pool_report {
    uint32_t worker;
    char cluster[REPORT_NAME_MAX], database[REPORT_NAME_MAX], user[REPORT_NAME_MAX], node[REPORT_NAME_MAX];
    uint32_t idle, active, resetting, opening, waiting;
    uint32_t cancels, cancelled; /* as in pool_numbers */
    uint32_t connections;        /* of the whole process */
    uint32_t pool_size;
    enum pool_mode mode;
    uint64_t oldest_wait_us;
};

/* A prepared statement that sessions of a worker share. */
struct prepared_report {
    uint32_t worker;
    uint32_t users; /* names that sessions have for it */
    uint64_t id;    /* its name on servers, without the rc_ before it */
    bool sql;       /* by PREPARE */
    uint16_t n_types;
    uint32_t len; /* of the text, of which the beginning is kept */
    char text[REPORT_TEXT_MAX];
};

/*
 * Sessions by slot: start with *cursor = 0; writes up to `max` reports and looks at a bounded number of
 * slots. Returns how many were written; *cursor is UINT32_MAX when that was the last of them. A session that
 * stays is told exactly once.
 */
size_t report_sessions(struct sessions *sessions, uint32_t *cursor, struct session_report *out, size_t max);
/* The connections of relays, in the same way. */
size_t report_relays(struct sessions *sessions, uint32_t *cursor, struct server_report *out, size_t max);

/* All connections, pools and prepared statements, into memory from malloc that is the caller's; 0 also when
 * memory is out. */
size_t report_servers(struct sessions *sessions, struct server_report **out);
size_t report_pools(struct sessions *sessions, struct pool_report **out);
size_t report_prepared(struct sessions *sessions, struct prepared_report **out);

#endif
