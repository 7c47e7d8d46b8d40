/*
 * One client of the admin socket, or of a listener (proxy/session/console.c): its bytes, the commands it has
 * asked for, its answers. The language (admin_wire.c, admin_text.c) takes the bytes apart and words the
 * answers; for the admin_*.c files only. Main thread.
 *
 *     bytes -> language->consume -> script_begin -> command by command (admin_script.c) -> events->answer ->
 * output -> written
 *
 * One thing at a time: while a command runs or output waits to be taken nothing more is read, so a client
 * costs its input, one result and one rendering of it.
 */
#ifndef ROLECALL_FRONT_ADMIN_CLIENT_H
#define ROLECALL_FRONT_ADMIN_CLIENT_H

#include "proxy/front/admin_output.h"
#include "proxy/front/admin_survey.h"
#include "proxy/front/admin_view.h"
#include "proxy/front/command.h"
#include "proxy/wire/cancel_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define CLIENT_INPUT_MAX (64 * 1024)
#define CLIENT_WHO_MAX 192

struct client;

struct client_language {
    /* Uses up the next line or message; 0 = more is needed. */
    size_t (*consume)(struct client *client, const char *bytes, size_t len);
    /* It has proved who it is elsewhere; NULL: the language knows no such clients. */
    void (*greet)(struct client *client);
    /* Last words to a client that is closed by us. */
    void (*fatal)(struct client *client, const struct error *error);
    void (*fini)(struct client *client); /* frees client->talk */
};
extern const struct client_language wire_language, text_language;

/* How the commands of one script are answered. */
struct script_events {
    bool (*directive)(
        struct client *client, const struct words *words); /* true: it was no command; may be NULL */
    void (*answer)(struct client *client, struct command_call *call);
    void (*fail)(struct client *client, const struct error *error); /* the rest of the script is dropped */
    void (*end)(struct client *client);                             /* also after fail */
};

enum client_state {
    CLIENT_READING,
    CLIENT_RUNNING, /* a survey is on its way, or a reply, or the command is to be run again */
    CLIENT_WRITING,
    CLIENT_CLOSED
};

struct client_owner {
    struct admin_view *view;
    struct surveys *surveys;
    void *context;
    void (*on_gone)(void *context, struct client *client); /* it is freed when this returns */
    /* One of them asks that what the owner of this key is doing be given up. */
    void (*on_cancel)(void *context, uint32_t pid, struct slice secret);
};

struct client {
    uv_pipe_t pipe;
    const struct client_owner *owner;
    struct client *prev, *next; /* the owner's list */
    enum client_state state;
    char who[CLIENT_WHO_MAX]; /* for the log and events */
    bool is_admin, may_look;
    bool remote;                            /* of a listener */
    struct cancel_key key;                  /* no secret: none was given to it */
    const struct client_language *language; /* NULL until the first byte */
    void *talk;                             /* the language's */
    bool welcomed;                          /* has logged in, or said a whole line */
    bool ending;                            /* to be closed when the output is written */

    char *in; /* CLIENT_INPUT_MAX bytes; what is to be read lies in [in_at, in_len) */
    size_t in_at, in_len;
    bool in_ended;
    uint64_t
        since_ms; /* began to wait for the rest of a login, line or message; for a command; for being read */
    struct output out;
    uv_write_t write;
    size_t unwritten; /* when last looked at */

    char *script; /* owned; NULL = none */
    struct slice rest;
    const struct script_events *events;
    struct words words;
    struct command_call call;
    struct survey *survey;
};

/* Takes the connection that waits at `listening`. NULL: it was dropped. */
struct client *client_accept(uv_stream_t *listening, const struct client_owner *owner);
/* A MESSAGE_CONSOLE, whose descriptor is taken; greets it, or sends it away when there is a refusal. */
struct client *client_adopt(
    uv_loop_t *loop, struct message *console, const struct client_owner *owner, const struct error *refusal);
/* Idempotent; on_gone follows. */
void client_close(struct client *client);
/* Says why, and closes when that is written (or at once when it does not read). */
void client_dismiss(struct client *client, const struct error *error);
/* Looks at its deadlines. */
void client_tick(struct client *client, uint64_t login_timeout_ms);
bool client_is_idle(const struct client *client);

/* For admin_script.c: goes on as far as it can, after what it waited for has come. */
void client_step(struct client *client);

#endif
