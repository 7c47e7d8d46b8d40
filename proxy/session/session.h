/*
 * One client: from its first byte to its last. The files of this room share this struct; nobody else looks
 * inside.
 *
 * The way of a request:
 *
 *   client bytes -> session.c (by state) -> collect.c (a request: Query, or everything up to Sync)
 *                -> route.c (verdict, node, claim; held when there is none)
 *                -> dispatch.c (settings, prepared statements, the request: one write) -> server
 *   node bytes   -> server -> answer.c (withheld, forwarded, or asked again) -> client
 *   node gone    -> lost.c (DESIGN section 7)
 *
 * The client's stream is held while a request is on its way: what it pipelines waits in its stream.
 */
#ifndef ROLECALL_SESSION_SESSION_H
#define ROLECALL_SESSION_SESSION_H

#include "conf/base/error.h"
#include "proxy/auth/scram_server.h"
#include "proxy/pool/pool.h"
#include "proxy/session/begin.h"
#include "proxy/session/buffer.h"
#include "proxy/session/names.h"
#include "proxy/session/own_settings.h"
#include "proxy/session/sessions.h"
#include "proxy/stream/stream.h"
#include "proxy/wire/cancel_key.h"
#include "proxy/wire/frontend.h"
#include "proxy/wire/startup.h"
#include "router/own_statement.h"

#include <netinet/in.h>

/* Off only in a build that measures what it costs (CMakeLists.txt). */
#ifdef ROLECALL_NO_TRACKING
#define SESSION_TRACKING false
#else
#define SESSION_TRACKING true
#endif

enum session_state {
    SESSION_PROXY_HEADER, /* PROXY protocol line is awaited */
    SESSION_STARTUP,      /* the first packet is awaited */
    SESSION_TLS,
    SESSION_SECRET,    /* auth_query runs */
    SESSION_AUTH,      /* the client's answer is awaited */
    SESSION_IDLE,      /* a request is awaited or being collected */
    SESSION_HELD,      /* a request waits for a node */
    SESSION_WAITING,   /* a request waits for a connection */
    SESSION_ACTIVE,    /* a request is at the server */
    SESSION_STREAMING, /* a batch is passed on message by message until its Sync */
    SESSION_COPY_IN,   /* the client's COPY data is passed on */
    SESSION_RELAY,
    SESSION_CONSOLE, /* talks to rolecall itself */
    SESSION_CLOSED
};

enum request_kind {
    REQUEST_NONE,
    REQUEST_QUERY,    /* simple Query */
    REQUEST_BATCH,    /* extended protocol up to Sync */
    REQUEST_FUNCTION, /* FunctionCall */
    REQUEST_WELCOME,  /* none of the client's: fetches ParameterStatus for a new session */
    REQUEST_RELAY     /* a server for good */
};

/* ParameterStatus comes as the server sends it, or at the request's end, as far as it differs from what was
   before the request: on its server, or in the client's eyes. */
enum comparison { COMPARE_NOTHING, COMPARE_WITH_SERVER, COMPARE_WITH_TOLD };

/* Which message of a request gives or takes a name of a prepared statement; by SQL it is the Execute (of a
   Query: the statement in it). */
enum name_cause { CAUSE_PARSE, CAUSE_CLOSE, CAUSE_EXECUTE, CAUSE_COUNT };

/* What the current request did to the session's names; undone when the node skipped it. */
struct name_change {
    enum name_cause cause;
    bool closed;      /* else prepared */
    bool duplicate;   /* the name was taken: the node will say so */
    uint32_t ordinal; /* how many messages of this kind came before in the request */
    char *name;       /* owned */
    size_t len;
    struct prepared *prepared; /* what was closed, or prepared unless `duplicate`; one reference */
};

/* Where a text sent to the server is longer or shorter than the client's: positions in errors are moved. */
struct shift {
    uint32_t ordinal; /* of the Execute that runs it */
    uint32_t at;      /* characters of the server's text before the place's end */
    int32_t by;       /* how many more there are than in the client's */
};
#define SHIFTS_MAX 8

#define RERUNS_MAX 8 /* of one request */

/* What answers in place of an error. */
enum retry { RETRY_NOT, RETRY_ON_PRIMARY, RETRY_ELSEWHERE, RETRY_ANYWHERE };

struct request {
    struct request *next_spare;
    enum request_kind kind;
    struct buffer bytes;    /* whole messages as the client sent them */
    struct buffer streamed; /* each Parse that was passed on, whole; and each Bind, where names are doubled */
    bool complete;          /* ends with Sync (or is a Query) */
    bool stream; /* too large to collect, or flushed: goes to the primary and is passed on as it comes */
    bool flush_as_sync; /* ends with a Flush after Parse/Describe/Close only */
    bool has_bind, has_unnamed_parse;
    enum statement_class class;
    enum reason reason;
    uint32_t flags, pins, frees; /* of all statements in it */
    uint32_t pinned;             /* by it, and not before */
    uint32_t statements;
    uint64_t shape;            /* hash for the memory of refused shapes */
    struct own_statement *own; /* owned; NULL unless the request is one */
    enum own_need own_need;    /* it is answered by rolecall, but own_send asks a server first */
    struct name_change *changes;
    uint32_t n_changes, cap_changes;
    uint32_t noted_of[CAUSE_COUNT]; /* messages collected */
    uint32_t sent_of[CAUSE_COUNT];  /* while it is dispatched */
    uint32_t done_of[CAUSE_COUNT];  /* answered */
    uint32_t done_binds;            /* BindComplete was answered so often */
    bool parse_failed;              /* the error was that of a Parse; what follows it was skipped */
    bool unnamed_closed;            /* a Close without a name is behind every Parse without one */
    uint32_t unnamed_ordinal;       /* of the last Close or Parse without a name */
    bool read_until_flush;          /* a stream that was a read until it became one */
    bool keeps_portal;              /* a portal with a name may be open behind it */
    bool suspends;                  /* one without a name may be */
    bool resumes;                   /* the portal without a name is asked for as it was before */
    bool replaces;                  /* ... is another one, or gone, when it is first asked for */
    bool names_statements;          /* a text in it names prepared statements */
    bool unreadable;                /* a Query that is no UTF-8: the node may not even read it */
    bool unread;                    /* ... and that is what it says */
    bool unnamed_sent;              /* an unnamed Parse of it was sent */
    struct slice unnamed_parse; /* the last one, a whole message, when its text names prepared statements */
    bool drops_statements;      /* DEALLOCATE or DISCARD ALL: what the server holds changes under us */
    bool drops_plans;           /* DISCARD PLANS was done */
    bool discarded;             /* DISCARD ALL was done */
    uint64_t bound_portal;      /* hash of the name of the portal bound last */
    uint64_t bound_key;         /* the shared statement that it is of; 0: none */
    uint64_t executes_key;      /* the one that the next Execute runs by EXECUTE; 0: none */
    uint32_t bare;              /* Binds of statements that the client has been told the columns of, and is
                                   not told again */
    uint64_t bare_portal;       /* hash of the name of the portal that the last of these binds */
    uint64_t unnamed_columns;   /* of the unnamed statement, where it was put in place ahead; 0: it was not */
    struct shift shifts[SHIFTS_MAX];
    uint32_t n_shifts;
    size_t awaited;    /* bytes of a large message still to be collected */
    size_t message_at; /* where it begins */

    enum reason verdict;
    bool withholds; /* what precedes the first row or completion is kept back: it may run again, or fail */
    bool completed; /* a CommandComplete was seen */
    bool retriable; /* a read, alone, on a replica: an error is not final */
    bool committed; /* something of the answer has gone to the client */
    enum retry retrying; /* when ReadyForQuery has come */
    bool force_primary;
    bool sent;           /* handed to a server */
    bool in_transaction; /* it began inside one */
    bool error_seen;     /* an ErrorResponse was forwarded */
    bool copy_ended;     /* CopyDone or CopyFail was passed on */
    bool copy_done;      /* CopyDone was passed on */
    bool copying;        /* COPY FROM STDIN was begun */
    bool undescribed;    /* a statement could not be described: its Bind shall say what is wrong */
    bool probing;        /* statements are described again, hidden, before it is sent */
    uint32_t probes;     /* how often they were; of a stream: for the next Bind */
    bool healing;        /* waiting for ReadyForQuery to run again with statements parsed anew */
    uint32_t heals;
    struct buffer kept_error; /* of a hidden message; the client hears it instead of the next one */
    uint64_t exclude;         /* nodes tried */
    uint32_t reruns;          /* at most RERUNS_MAX */
    uint32_t refusals;        /* nodes that have refused the login for it */
    struct buffer withheld;
    enum comparison compares;
    struct params before;
    char fatal_sqlstate[6];                /* the server's last word, when it was FATAL */
    bool cut_short;                        /* ... and it came in place of an answer that was owed still */
    uint64_t began_us, sent_us;            /* reactor_now_us: first routed, sent (last) */
    uint64_t blocked_us, blocked_since_us; /* the answer waited for the client: so far, and since when */
};

enum lost_state { LOST_NONE, LOST_PENDING, LOST_REPORTED }; /* an open transaction whose server is gone */

struct auth;    /* only during login */
struct console; /* console.c */
struct inquiry; /* inquiry.h */

/* Where the client comes from. AF_UNIX has no address. */
union peer {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

struct session {
    struct stream stream;
    struct sessions *all;
    struct session *prev, *next;           /* all sessions */
    struct session *held_prev, *held_next; /* held ones */
    enum session_state state;
    struct runtime *runtime;
    const struct config_listener *listener;
    const struct limits *limits; /* kept by sessions_limits */
    union peer peer;
    uint32_t slot;
    uint64_t serial; /* with the worker's number the name that the administrator knows it by; never again */
    struct cancel_key key;
    uint32_t version; /* of the protocol */
    bool tls_direct;  /* TLS without SSLRequest: ALPN is required then */
    bool ssl_asked, gss_asked;
    enum startup_replication replication;

    char *user, *database;           /* as the client said; one block of memory */
    const struct settings *startup;  /* what it asked for when it began; one reference */
    const struct settings *settings; /* what it has now outside of a transaction; one reference */
    struct params *asked;            /* startup settings while the startup packet is read; else NULL */
    struct inquiry *inquiry;         /* what the current transaction may have changed; NULL: nothing */
    uint64_t id;                     /* unique in the process; new when its sequences' values are discarded */
    struct auth *auth;
    struct pool *pool;
    struct known_catalogue *known; /* of the pool's database */
    uint64_t defined;              /* serial of its schema after the session's own last DDL */
    struct claim claim;
    struct claim
        *parked;    /* session pooling with split routing: the connection to the other role; else NULL */
    uint64_t space; /* for prepared statements: hash of all that matters when parsing */

    struct request *request; /* the worker's empty one while there is none: never written to then */
    struct names names;
    struct buffer unnamed; /* the last unnamed Parse message; for servers that do not hold it */
    uint64_t unnamed_stamp;
    bool unnamed_names;    /* its text names prepared statements */
    uint64_t unnamed_told; /* hash of the columns that the client was told of; 0: it was told of none */
    const struct settings
        *unnamed_settings;             /* that it was parsed under; one reference; NULL: none, not known */
    struct prepared *unnamed_prepared; /* the same under a name, where that must be; one reference */
    uint32_t pins;
    bool escape_strings; /* standard_conforming_strings is off */
    char tx_status;
    uint32_t tx_flags; /* enum statement_flag of the open transaction so far */
    struct begin begin;
    struct buffer transfer_said; /* what else its transaction is made of, each text with a NUL; transfer.c */
    enum default_isolation default_isolation;
    enum lost_state lost;
    bool skip_simple;     /* ... for a Query that was too large to collect: ReadyForQuery follows it */
    bool skip_to_sync;    /* an error was given for a batch whose Sync has not come yet */
    bool cancelled;       /* the client asked to cancel the current request */
    size_t passing;       /* bytes of a client message still to be passed on (or skipped) */
    size_t skipping;      /* bytes of a message that goes nowhere */
    bool passing_ends;    /* with it the client's part of the request is over */
    bool is_held;         /* in the list of held sessions */
    size_t held_bytes;    /* what it counts there */
    struct server *relay; /* of its own, in no pool */
    struct console *console;
    bool greeted; /* of a passthrough relay: the node's key has been seen */
    bool counted; /* among logged-in clients of its limits */

    struct cluster_live *held_in;      /* whose count of waiting requests it is in; one reference */
    struct node_live *sticky;          /* one reference */
    struct node_live *last_node;       /* who answered last; one reference */
    uint32_t last_incarnation;         /* of that node, when it was chosen */
    uint32_t incarnation;              /* of the node that the request goes to, when it was chosen */
    struct own_settings own, own_base; /* rolecall's own: in force; of the startup packet */
    struct own_change *own_change;     /* made in the open transaction; NULL: none */
    uint64_t write_epoch, seen_epoch;

    uint64_t received_bytes, sent_bytes; /* since they were last added to a meter */
    uint64_t transaction_us;             /* reactor_now_us: the open transaction began */
    struct meter_share *relay_meter;     /* of a relay; NULL else */
    uint64_t deadline_ms, state_since_ms, began_ms;
    uint64_t held_since_ms;
};

/* session.c */
struct session *session_new(struct sessions *all);
void session_move(struct session *session, enum session_state to);
/* Ends it. `reason` is for the log; a message to the client must have been written before. Idempotent. */
void session_close(struct session *session, const char *reason);
/* FATAL to the client, then closed. */
void session_fatal(struct session *session, const char *sqlstate, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* ERROR to the client (no ReadyForQuery). */
void session_error(struct session *session, const char *sqlstate, const char *text);
void session_ready_for_query(struct session *session, char status);
void session_notice(struct session *session, enum severity severity, const char *sqlstate, const char *text);
void session_write(struct session *session, const void *bytes, size_t len);
/* ParameterStatus */
void session_parameter(struct session *session, const char *name, const char *value);
void session_deadline(struct session *session, uint64_t in_ms); /* 0 = none */
/* Forgets the request and goes on with what the client has sent meanwhile. */
void session_next(struct session *session);
const char *session_state_name(enum session_state state);
bool session_is_split(const struct session *session);
/* What was loaded for its listener: certificates, user list, HBA file. */
const struct runtime_listener *session_listening(const struct session *session);
extern const struct stream_events session_stream_events;

/* startup.c, authenticate.c, welcome.c */
size_t startup_on_data(struct session *session, const char *bytes, size_t len);
void startup_on_tls(struct session *session);
/* True when the first byte begins direct TLS, which has then been started. */
bool startup_on_first_byte(struct session *session, unsigned char byte);
void authenticate_begin(struct session *session);
size_t authenticate_on_data(struct session *session, const char *bytes, size_t len);
void authenticate_on_secret(struct session *session, const struct message *reply);
void auth_free(struct auth *auth);
/* ticket 0 = none */
uint64_t auth_ticket(const struct auth *auth);
void welcome_begin(struct session *session, const struct secret *login_secret);
/* "address:port" of the client */
void session_peer(const struct session *session, char out[MESSAGE_PEER_MAX]);
void welcome_relay(struct session *session, struct server *server);
void welcome_on_server(struct session *session, struct server *server);
void welcome_on_row(struct session *session, const struct answer *answer);
/* Takes the session out of the counts of clients. */
void welcome_leave(struct session *session);
/* From what was learnt before; false when nothing is known. */
bool welcome_from_memory(struct session *session, bool stale_too);
void welcomes_clear(struct sessions *sessions);

/* What prepared statements are shared by, after the settings have changed. */
void session_respace(struct session *session);

/* collect.c */
/* The session has no unnamed statement any more. */
void session_forget_unnamed(struct session *session);
size_t collect_on_data(struct session *session, const char *bytes, size_t len);
/* The session's request, made when there is none yet; NULL closes the session. */
struct request *request_begin(struct session *session);
void request_reset(struct session *session);
/* It will be sent again: forgets how far it came. */
void request_again(struct session *session);
/* A batch, whole, that only parses, binds or describes: there is nothing to commit. */
bool request_runs_nothing(const struct request *request);
/* STATEMENT_COMMIT and STATEMENT_ROLLBACK, of what it runs: drivers prepare such a statement before they run
 * it. */
uint32_t request_ends(const struct request *request);
/* One statement outside of a transaction block, of which the client has heard nothing: an error, or a server
   that rolls back, leaves nothing of it. */
bool request_is_repeatable(const struct request *request);

/* route.c */
void route_request(struct session *session);
/* Sends the request again, not to this node. */
void route_retry_without(struct session *session, const struct node_live *live);
extern const struct claim_events route_claim_events, route_parked_events;

/* dispatch.c */
/* The request is at this server, or no longer: keeps the node's count of outstanding work. Idempotent. */
void request_arrives(struct session *session, struct server *server);
void request_leaves(struct session *session, struct server *server);
void dispatch_request(struct session *session, struct server *server);
/* Sends one client message on (rewritten if need be) and accounts for it. False closes the session. */
void session_pin(struct session *session, uint32_t pins); /* enum pin: keeps its server */
void session_unpin(struct session *session, uint32_t pins);
/* Pins what the request leaves and nobody can ask for. */
void request_pin(struct session *session);
bool dispatch_message(struct session *session, struct server *server, const struct frame *frame);
/* Everything is in place: sends the request. */
void dispatch_go_on(struct session *session, struct server *server);
/* A Bind's head for a known or unknown statement; `rest` bytes follow. */
bool dispatch_bind_head(
    struct session *session, struct server *server, const struct frontend_bind *bind, size_t rest);
/* pass.c */
size_t streaming_on_data(struct session *session, const char *bytes, size_t len);
size_t copy_on_data(struct session *session, const char *bytes, size_t len);

/* answer.c */
extern const struct server_user_events answer_events;

/* settle.c */
/* DISCARD ALL was done. */
void settle_discarded(struct session *session, struct server *server);
/* A single statement, outside of a transaction, that reads or is about the session alone. */
bool settle_writes_nothing(const struct request *request);
/* The client takes its answer again. */
void settle_unblocked(struct session *session);
/* Gives its server back unless the session must keep it; `torn`: closes the server. */
void settle_give_back(struct session *session, bool torn);
/* The request is over: settles state, gives the server back. */
void settle_request(struct session *session, char status);
/* The client has seen something of this node's answer. */
void settle_came_from(struct session *session, struct node_live *node);

/* lost.c */
void lost_server(
    struct session *session, struct server *server, enum stream_end end, const struct error *error);
/* Answers a request of a session whose transaction was lost; true when it did. */
bool lost_answer(struct session *session);
/* Ends the request with an error that is rolecall's own; the session lives. */
void lost_fail_request(struct session *session, const char *sqlstate, const char *text, char status);
/* Replay on a replica has broken off what was run there; another node does not do that. */
bool lost_is_recovery_conflict(const char *sqlstate);

/* relay.c */
void relay_claim(struct session *session, const struct topology_node *node);
void relay_close(struct session *session);
/* The topology has changed: a relay whose node is down or lost its role is closed. */
void relay_review(struct session *session);
size_t relay_on_data(struct session *session, const char *bytes, size_t len);
bool session_is_relay(const struct session *session);

/* console.c */
/* It has asked for the administrator's database. */
bool console_is_wanted(const struct session *session);
/* The user, who has proved who it is, may have it; false fills the error. */
bool console_admits(const struct session *session, struct error *error);
void console_open(struct session *session);
size_t console_on_data(struct session *session, const char *bytes, size_t len);
void console_on_drained(struct session *session);
void console_cancel(struct session *session);
void console_close(struct session *session);

/* cancel.c */
/* Cancels what runs on the session's server. */
void cancel_running(struct session *session);
void cancel_from_client(struct session *session, uint32_t pid, struct slice secret);

#endif
