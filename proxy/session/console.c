/*
 * The administrator's database: a client of a listener that talks to rolecall itself. What it may ask is
 * answered by the main thread (proxy/front/admin.c); the worker keeps the client's end, with its TLS, and
 * passes bytes on between it and one end of a socket pair, whose other end is main's.
 *
 * All well: who has proved to be among admin_users or stats_users is handed over and greeted by main.
 * Failure: others are refused; either end's end is the other's; main that does not greet in login_timeout
 * costs the client its session.
 */
#include "proxy/session/session.h"

#include "conf/access.h"
#include "conf/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct console {
    struct session *session;
    struct stream stream; /* to main */
};

bool console_is_wanted(const struct session *session)
{
    return session->runtime->config->admin_database && strcmp(session->database, CONSOLE_DATABASE) == 0;
}

/* ---- bytes ---- */

static size_t on_data(void *owner, const char *bytes, size_t len)
{
    struct session *session = ((struct console *)owner)->session;
    session_deadline(session, 0); /* main has greeted */
    session_write(session, bytes, len);
    if (stream_is_full(&session->stream))
        stream_hold(&session->console->stream);
    return len;
}

static void on_open(void *owner)
{
    (void)owner;
}

static void on_drained(void *owner)
{
    stream_release(&((struct console *)owner)->session->stream);
}

static void on_end(void *owner, enum stream_end end, const struct error *error)
{
    (void)end;
    (void)error;
    session_close(((struct console *)owner)->session, "the console has ended");
}

static const struct stream_events events = {
    .on_data = on_data, .on_open = on_open, .on_drained = on_drained, .on_end = on_end};

size_t console_on_data(struct session *session, const char *bytes, size_t len)
{
    stream_write(&session->console->stream, bytes, len);
    if (stream_is_full(&session->console->stream))
        stream_hold(&session->stream);
    return len;
}

void console_on_drained(struct session *session)
{
    stream_release(&session->console->stream);
}

/* ---- beginning and end ---- */

static bool connect_to_main(struct session *session, int *theirs)
{
    int ends[2];
    struct console *console = calloc(1, sizeof *console);
    if (!console || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        free(console);
        return false;
    }
    console->session = session;
    if (!stream_accept(&console->stream, session->all->reactor, &events, console, ends[0],
            session->runtime->config->stream_buffer_bytes)) {
        close(ends[0]);
        close(ends[1]);
        free(console);
        return false;
    }
    console->stream.keeps_end = session->stream.keeps_end = 1;
    session->console = console;
    session->all->consoles++;
    *theirs = ends[1];
    return true;
}

static void hand_over(struct session *session, int fd)
{
    struct message *message = message_new(MESSAGE_CONSOLE);
    message->console.fd = fd;
    message->console.is_admin = access_of_user(session->runtime->config, session->user) == ACCESS_ADMIN;
    snprintf(message->console.user, sizeof message->console.user, "%s", session->user);
    session_peer(session, message->console.from);
    message->console.pid = session->key.pid;
    memcpy(message->console.secret, session->key.secret, session->key.secret_len);
    message->console.secret_len = session->key.secret_len;
    log_event(LOG_INFO, "console_opened", "user=%s address=%s listener=%s", session->user,
        message->console.from, session->listener->name);
    mailbox_post(session->all->main, &message->letter);
}

bool console_admits(const struct session *session, struct error *error)
{
    if (access_of_user(session->runtime->config, session->user) == ACCESS_NONE)
        return error_set(error, SQLSTATE_INSUFFICIENT_PRIVILEGE,
            "permission denied for database \"" CONSOLE_DATABASE
            "\": user \"%s\" is neither among admin_users nor among stats_users",
            session->user);
    return session->replication == REPLICATION_NONE ||
           error_set(error, SQLSTATE_FEATURE_NOT_SUPPORTED, "rolecall itself does not replicate");
}

void console_open(struct session *session)
{
    unsigned char random[CANCEL_KEY_RANDOM];
    int theirs;
    if (!cancel_random(random, sizeof random) || !connect_to_main(session, &theirs)) {
        session_fatal(session, SQLSTATE_INTERNAL_ERROR, "no console: %s", strerror(errno));
        return;
    }
    cancel_key_build(&session->runtime->issuer, (uint8_t)session->all->pools.worker, session->slot,
        session->version == PROTOCOL_3_2, random, &session->key);
    session_move(session, SESSION_CONSOLE);
    session_deadline(session, session->runtime->config->login_timeout_ms);
    count(&session->all->counters.logins);
    hand_over(session, theirs);
}

void console_cancel(struct session *session)
{
    struct message *message = message_new(MESSAGE_CANCEL);
    message->cancel.pid = session->key.pid;
    message->cancel.secret_len = session->key.secret_len;
    memcpy(message->cancel.secret, session->key.secret, session->key.secret_len);
    mailbox_post(session->all->main, &message->letter);
}

static void free_console(void *object)
{
    free(object);
}

void console_close(struct session *session)
{
    struct console *console = session->console;
    if (!console)
        return;
    session->console = NULL;
    session->all->consoles--;
    stream_close(&console->stream);
    reactor_bury(session->all->reactor, console, free_console);
}
