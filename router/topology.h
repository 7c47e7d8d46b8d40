/*
 * Who holds which role: the control thread's verdict about one cluster, published as an immutable snapshot.
 *
 * A snapshot changes only with membership, role or condition. Numbers that change at every probe live in the
 * shared records (node_live, cluster_live), which every thread reads with relaxed atomics. Snapshots and
 * records are reference-counted; any thread may take and drop references.
 */
#ifndef ROLECALL_ROUTER_TOPOLOGY_H
#define ROLECALL_ROUTER_TOPOLOGY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOPOLOGY_MAX_NODES 64
#define NODE_NAME_MAX 64

enum node_role { ROLE_UNKNOWN, ROLE_PRIMARY, ROLE_REPLICA, ROLE_MASTER };
enum node_condition { CONDITION_UP, CONDITION_SUSPECT, CONDITION_DOWN };

/* What the operator said of a node, whatever its role is. */
enum node_duty {
    DUTY_ENABLED,
    DUTY_DRAINED, /* gets no new work; what it has begun ends in peace */
    DUTY_DISABLED /* as if it were down: its condition says so, too */
};

/* What a node's WAL receiver does. */
enum node_following {
    FOLLOWING_UNKNOWN,
    FOLLOWING_NONE,
    FOLLOWING_SILENT, /* it runs, and has heard nothing for too long */
    FOLLOWING_STREAM
};

/* One per configured node; lives as long as anybody refers to it. */
struct node_live {
    _Atomic uint32_t refs;
    char name[NODE_NAME_MAX];
    _Atomic uint32_t generation;  /* raised by the control thread at each role change; see topology_node */
    _Atomic uint32_t incarnation; /* raised when what it had replayed may be gone, before the epoch falls */
    _Atomic uint64_t replayed_epoch; /* highest sample replayed in this incarnation; 0 = none */
    _Atomic uint64_t lag_bytes;      /* replay behind the primary's insert position */
    _Atomic uint64_t lag_ms;         /* UINT64_MAX = not known */
    /* As last seen, to be shown; 0 = not known. */
    _Atomic uint64_t lsn, received_lsn; /* inserted or replayed; received by a replica */
    _Atomic uint32_t timeline;
    _Atomic uint32_t following;    /* enum node_following */
    _Atomic uint32_t transactions; /* server connections with an open transaction */
    _Atomic uint32_t outstanding;  /* exchanges in flight from all workers */
    _Atomic uint32_t connections;  /* server connections of the process, being opened included */
    _Atomic uint64_t exchanges;    /* finished, since start */
};

/*
 * Sampling of the primary's position (read your own writes). `started` is the number of the newest sample
 * whose query was sent; it is raised before sending. A session whose write ended when `started` was s may
 * read from a replica whose replayed_epoch is at least s + 1. Numbers never fall, across failovers too;
 * replayed_epoch rises within an incarnation and falls to 0 with the next one.
 */
struct cluster_live {
    _Atomic uint32_t refs;
    _Atomic uint64_t started;
    _Atomic uint64_t
        wanted_at_us; /* clock_now_us of the last moment a session missed an epoch; workers raise it */
    _Atomic uint32_t holding;     /* requests that wait for a node now, of all workers */
    _Atomic uint64_t held;        /* that had to, since the start */
    _Atomic uint64_t hold_failed; /* that were refused or gave up, since the start */
};

struct topology_node {
    char *name;
    char *host;     /* as configured; a socket directory starts with '/' */
    char *hostaddr; /* the resolved address that the probes use; NULL for sockets or when not known yet */
    uint32_t moves; /* raised when the host's addresses are all others; what was connected before is cut */
    uint16_t port;
    uint32_t weight, max_connections;
    enum node_role role;
    bool read_only; /* primary, but default_transaction_read_only is on */
    enum node_condition condition;
    enum node_duty duty;
    uint32_t generation; /* a server connection keeps the generation that it was made in */
    char *reason;        /* why this role and condition, in words */
    struct node_live *live;
};

/* What its readers say back, who each add to it once. Sessions are counted when a node is leaving: those that
   cannot be held there and will be closed. */
struct topology_echo {
    _Atomic uint32_t pinned, relays; /* sessions */
    _Atomic uint32_t heard;          /* readers that act by it; raised after the others */
};

struct topology {
    _Atomic uint32_t refs;
    struct topology_echo echo;
    char *cluster;    /* the cluster's name */
    uint64_t version; /* raised with each publication */
    struct topology_node *nodes;
    size_t n_nodes;
    uint32_t timeline;       /* the primary's; 0 = none, or not known */
    int primary;             /* index of the one node to write to, -1 when there is none; a node that has the
                                role meanwhile is leaving */
    char *no_primary_reason; /* in words, when primary is -1 */
    uint64_t max_lag_bytes, max_lag_ms;
    struct cluster_live *live;
};

/* A new snapshot with room for n nodes, zeroed; fill it before publishing. One reference is the caller's. */
struct topology *topology_new(const char *cluster, size_t n_nodes);
struct topology *topology_ref(struct topology *topology);
void topology_unref(struct topology *topology); /* NULL is allowed */

/* The node keeps the primary's role, but is being deposed: what runs there goes on, new work waits for
 * another. */
bool topology_is_leaving(const struct topology *topology, size_t node);

/* Index of the node with this record, or -1. */
int topology_find(const struct topology *topology, const struct node_live *live);

struct node_live *node_live_new(const char *name);
struct node_live *node_live_ref(struct node_live *live);
void node_live_unref(struct node_live *live); /* NULL is allowed */
struct cluster_live *cluster_live_new(void);
struct cluster_live *cluster_live_ref(struct cluster_live *live);
void cluster_live_unref(struct cluster_live *live); /* NULL is allowed */

const char *node_role_name(enum node_role role);
const char *node_condition_name(enum node_condition condition);
const char *node_duty_name(enum node_duty duty);
const char *node_following_name(enum node_following following); /* NULL: not known */

#endif
