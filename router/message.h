/*
 * The typed messages between threads. Allocated by the sender (message_new), posted to a mailbox, freed by
 * the receiver (message_free drops whatever the message still holds).
 */
#ifndef ROLECALL_ROUTER_MESSAGE_H
#define ROLECALL_ROUTER_MESSAGE_H

#include "conf/base/error.h"
#include "conf/base/mailbox.h"
#include "conf/config.h"
#include "router/catalogue.h"
#include "router/event.h"
#include "router/topology.h"

#include <stdint.h>
#include <sys/socket.h>

enum message_kind {
    MESSAGE_CONFIG,            /* main -> control: a new configuration */
    MESSAGE_RUNTIME,           /* main -> workers: the same, with certificates and user lists loaded */
    MESSAGE_TOPOLOGY,          /* control -> workers, main: a new snapshot */
    MESSAGE_CATALOGUE,         /* control -> workers: a database's catalogue */
    MESSAGE_CATALOGUE_REQUEST, /* worker -> control: this database is used with split routing, or had DDL;
                                  then to the other workers as well */
    MESSAGE_SECRET_REQUEST,    /* worker -> control: run auth_query */
    MESSAGE_SECRET_REPLY,      /* control -> the asking worker */
    MESSAGE_NODE_HINT,         /* worker -> control: something was seen on a node; probe it now */
    MESSAGE_NODE_ORDER,        /* main -> control: the operator's word about a node */
    MESSAGE_NODE_ORDER_REPLY,  /* control -> whoever gave it */
    MESSAGE_CONNECTION,        /* main -> worker: an accepted descriptor */
    MESSAGE_SERVER_WANTED,     /* worker -> worker: an idle server of this pool, please */
    MESSAGE_SERVER,            /* worker -> worker: here is one */
    MESSAGE_CANCEL,         /* worker -> worker, main: a cancel request whose key names you, or a console */
    MESSAGE_CONSOLE,        /* worker -> main: a client who has proved to be an administrator */
    MESSAGE_STATUS_REQUEST, /* main -> worker: report what you hold */
    MESSAGE_STATUS_REPLY,   /* worker -> main */
    MESSAGE_EVENT,          /* control, worker -> main: something an operator wants to hear of */
    MESSAGE_STOP            /* main -> all: drain and end */
};

enum node_hint {
    HINT_REFUSED,   /* connect refused or reset */
    HINT_LOST,      /* an established connection broke */
    HINT_SHUTDOWN,  /* 57P01, 57P02, 57P03 */
    HINT_READ_ONLY, /* 25006 or in_hot_standby=on from a supposed primary */
    HINT_PROMOTED   /* in_hot_standby=off from a supposed replica */
};

enum node_order {
    ORDER_ACCEPT, /* what this node is now (system identifier, timeline) is the cluster: re-initialised,
                     pg_upgrade */
    ORDER_FORGET, /* what this node showed does not count any more: it was promoted by mistake and is gone */
    ORDER_ENABLE, /* these three set its duty (topology.h) */
    ORDER_DRAIN,
    ORDER_DISABLE,
    ORDER_WEIGHT,     /* its share of the reads */
    ORDER_PROBE,      /* look at it now; without a name at every node */
    ORDER_SWITCHOVER, /* make it the primary; without a name the best one */
    ORDER_CALL_OFF    /* the switchover with this ticket, as long as nothing has been changed for it */
};

/* The fixed part of strings that cross threads: PostgreSQL's NAMEDATALEN is 64; longer names are refused at
 * login. */
#define MESSAGE_NAME_MAX 64
#define MESSAGE_SECRET_MAX 512
#define MESSAGE_PEER_MAX 64 /* address and port */

struct message {
    struct letter letter; /* first */
    enum message_kind kind;
    union {
        struct config *config;       /* one reference */
        struct topology *topology;   /* one reference */
        struct catalogue *catalogue; /* one reference */
        struct event *event;         /* owned */
        struct {
            char cluster[MESSAGE_NAME_MAX], database[MESSAGE_NAME_MAX];
            bool changed; /* DDL was seen: what is known is stale */
        } catalogue_request;
        struct {
            uint32_t worker; /* who asks */
            uint64_t ticket; /* given back in the reply */
            bool refresh;    /* a proof failed: ask the primary again, past the cache */
            char cluster[MESSAGE_NAME_MAX], user[MESSAGE_NAME_MAX], database[MESSAGE_NAME_MAX];
        } secret_request;
        struct {
            uint64_t ticket;
            bool answered; /* false: no node could be asked; then `found` says nothing */
            bool found;    /* false: no such user (or it may not log in) */
            char user[MESSAGE_NAME_MAX];
            char secret[MESSAGE_SECRET_MAX]; /* "SCRAM-SHA-256$...", "md5...", or a plain password; wiped on
                                                free */
        } secret_reply;
        struct {
            struct node_live *node; /* one reference */
            uint32_t generation;
            enum node_hint hint;
        } node_hint;
        struct {
            enum node_order order;
            uint32_t weight;
            char cluster[MESSAGE_NAME_MAX], node[NODE_NAME_MAX];
            struct mailbox *reply_to; /* NULL: nobody waits; the outcome is logged in any case */
            uint64_t ticket;          /* given back in the reply */
        } node_order;
        struct {
            uint64_t ticket;
            bool done;
            struct error error; /* when not done; else its text is what came of it, or empty */
        } node_order_reply;
        struct {
            int fd;                /* owned; closed by message_free when still set */
            size_t listener;       /* index into config->listeners */
            struct config *config; /* the configuration that index belongs to; one reference */
            struct sockaddr_storage peer;
        } connection;
        struct {
            void *runtime; /* struct runtime of the data plane; one reference; opaque here */
            void (*drop)(void *runtime);
        } runtime;
        struct {
            void *server; /* struct server of the data plane; opaque here */
            void (*destroy)(void *server);
        } server;
        struct {
            uint32_t worker;   /* who asks */
            uint64_t since_us; /* clock_now_us when its oldest claim began to wait; 0 = only make room on the
                                  node */
            void *ledger;      /* the pool's shared record; one reference (drop_ledger) */
            void (*drop_ledger)(void *ledger);
        } server_wanted;
        struct {
            uint32_t slot;
            uint32_t pid; /* of the key as the client sent it */
            bool foreign; /* look for the node's own key of a passthrough relay */
            uint8_t secret[32];
            size_t secret_len;
        } cancel;
        struct {
            int fd; /* what the client says and hears, in the clear; owned, as above */
            bool is_admin;
            char user[MESSAGE_NAME_MAX], from[MESSAGE_PEER_MAX];
            uint32_t pid; /* the key by which it may cancel */
            uint8_t secret[32];
            size_t secret_len;
        } console;
        struct {
            void *request; /* opaque to all but who asks */
            /* Called by the worker in its own thread: may look at its sessions, and posts the answer itself.
             */
            void (*answer)(void *request, void *sessions, uint32_t worker);
        } status;
    };
};

struct message *message_new(enum message_kind kind);
/* A MESSAGE_EVENT with a copy. */
struct message *message_of_event(const struct event *event);
/* Replies to a MESSAGE_NODE_ORDER, if anybody waits for that, and takes it. */
void message_reply(struct message *order, bool done, const struct error *error);
void message_free(struct message *message); /* NULL is allowed */
/* For mailbox_open's `drop`. */
void message_drop(struct letter *letter);

#endif
