/*
 * The manager of a cluster: who decides there which node is primary. It tells which nodes are members and
 * what it wants each of them to be; the judge weighs that together with what SQL shows.
 *
 * A cluster has one manager or none (NULL, which every function takes: no members, no words). Owned by the
 * cluster's watch; control thread only. A kind of manager is one file that embeds struct manager and fills a
 * table of methods.
 */
#ifndef ROLECALL_HEALTH_MANAGER_H
#define ROLECALL_HEALTH_MANAGER_H

#include "conf/base/error.h"
#include "health/manager_word.h"
#include "health/settings.h"
#include "router/event.h"
#include "router/topology.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define MANAGER_HOST_MAX 256
#define MANAGER_ANSWER_MAX 256

/* A node that the manager knows. */
struct manager_member {
    char name[NODE_NAME_MAX]; /* as the manager calls it */
    char host[MANAGER_HOST_MAX];
    uint16_t port; /* PostgreSQL's */
};

struct manager_members {
    size_t n;
    struct manager_member list[TOPOLOGY_MAX_NODES];
};

struct manager_events {
    void *context;
    /* Words or members have changed. Comes from the loop, never from within a manager_* function and never
     * after manager_close. */
    void (*spoke)(void *context);
    /* Something that an operator wants to hear of. By the same rules. */
    void (*told)(void *context, enum event_kind kind, const char *text, const char *reason);
    /* What it says to an order (manager_switchover): that it does it, or why not. By the same rules. */
    void (*answered)(void *context, bool accepted, const char *words);
};

/* Where a node is. */
struct manager_place {
    const char *host;
    uint16_t port;
};

struct manager;

struct manager_methods {
    bool (*members)(const struct manager *manager, struct manager_members *out);
    void (*word)(const struct manager *manager, const char *host, uint16_t port, uint64_t now_us,
        struct manager_word *out);
    void (*ask)(struct manager *manager, const char *host, uint16_t port); /* NULL: it tells by itself */
    void (*seek)(struct manager *manager, bool seeking);
    bool (*switchover)(struct manager *manager, const struct manager_place *from,
        const struct manager_place *to, struct error *error);
    void (*reload)(struct manager *manager);
    void (*close)(struct manager *manager);
};

/* The part that all kinds share; the first member of each kind's own struct. */
struct manager {
    const struct manager_methods *methods;
};

/* NULL when the settings name none. `settings` must live until manager_close and are read anew at each use.
 */
struct manager *manager_open(
    uv_loop_t *loop, const struct settings *settings, const struct manager_events *events);

/* The members as last heard of. False, and nothing in *out, as long as the manager has never listed any. */
bool manager_members(const struct manager *manager, struct manager_members *out);

/* What is said of the node there; all zeroes when nothing is. now_us: clock_now_us, for the age. */
void manager_word(const struct manager *manager, const char *host, uint16_t port, uint64_t now_us,
    struct manager_word *out);

/* The node there takes writes by SQL, but has not been named: ask about it now. May be called often. */
void manager_ask(struct manager *manager, const char *host, uint16_t port);

/* The cluster has no primary (or has one again): ask in short order (or at the usual pace). */
void manager_seek(struct manager *manager, bool seeking);

/*
 * Orders that another node take the place of the primary at `from`: the one at `to`, or (NULL) whichever the
 * manager finds best. False, with the reason, when it cannot even be asked. Else `answered` comes once,
 * unless another order follows before; the new primary may be there earlier or later than that.
 */
bool manager_switchover(struct manager *manager, const struct manager_place *from,
    const struct manager_place *to, struct error *error);

/* The settings have changed, but not the kind of manager. What was heard stays. */
void manager_reload(struct manager *manager);

/* No callback afterwards; the memory goes when the loop has closed the handles. */
void manager_close(struct manager *manager);

#endif
