/*
 * Making and dropping the messages between threads; see message.h.
 *
 * The receiver takes what it wants to keep by clearing the member (fd = -1, pointers NULL) and then frees the
 * message; what is left is dropped here, so that a message lost on its way (a mailbox that closed) leaks
 * neither a descriptor nor a reference. The whole message is wiped first: replies carry secrets and cancel
 * keys.
 */
#include "router/message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct message *message_new(enum message_kind kind)
{
    struct message *message = calloc(1, sizeof *message);
    if (!message)
        abort();
    message->kind = kind;
    if (kind == MESSAGE_CONNECTION)
        message->connection.fd = -1;
    if (kind == MESSAGE_CONSOLE)
        message->console.fd = -1;
    return message;
}

struct message *message_of_event(const struct event *event)
{
    struct message *message = message_new(MESSAGE_EVENT);
    message->event = malloc(sizeof *event);
    if (!message->event)
        abort();
    *message->event = *event;
    return message;
}

static void drop_connection(struct message *message)
{
    if (message->connection.fd >= 0)
        close(message->connection.fd);
    config_unref(message->connection.config);
}

static void drop_content(struct message *message)
{
    switch (message->kind) {
    case MESSAGE_CONFIG: config_unref(message->config); break;
    case MESSAGE_TOPOLOGY: topology_unref(message->topology); break;
    case MESSAGE_CATALOGUE: catalogue_unref(message->catalogue); break;
    case MESSAGE_EVENT: free(message->event); break;
    case MESSAGE_NODE_HINT: node_live_unref(message->node_hint.node); break;
    case MESSAGE_CONNECTION: drop_connection(message); break;
    case MESSAGE_CONSOLE:
        if (message->console.fd >= 0)
            close(message->console.fd);
        break;
    case MESSAGE_RUNTIME:
        if (message->runtime.runtime && message->runtime.drop)
            message->runtime.drop(message->runtime.runtime);
        break;
    case MESSAGE_SERVER:
        if (message->server.server && message->server.destroy)
            message->server.destroy(message->server.server);
        break;
    case MESSAGE_SERVER_WANTED:
        if (message->server_wanted.ledger && message->server_wanted.drop_ledger)
            message->server_wanted.drop_ledger(message->server_wanted.ledger);
        break;
    case MESSAGE_NODE_ORDER:
    case MESSAGE_NODE_ORDER_REPLY:
    case MESSAGE_CATALOGUE_REQUEST:
    case MESSAGE_SECRET_REQUEST:
    case MESSAGE_SECRET_REPLY:
    case MESSAGE_CANCEL:
    case MESSAGE_STATUS_REQUEST: /* the request belongs to main, which waits for it */
    case MESSAGE_STATUS_REPLY:
    case MESSAGE_STOP: break;
    }
}

void message_reply(struct message *order, bool done, const struct error *error)
{
    assert(order->kind == MESSAGE_NODE_ORDER);
    if (order->node_order.reply_to) {
        struct message *reply = message_new(MESSAGE_NODE_ORDER_REPLY);
        reply->node_order_reply.ticket = order->node_order.ticket;
        reply->node_order_reply.done = done;
        reply->node_order_reply.error = *error;
        mailbox_post(order->node_order.reply_to, &reply->letter);
    }
    message_free(order);
}

void message_free(struct message *message)
{
    if (!message)
        return;
    drop_content(message);
    explicit_bzero(message, sizeof *message);
    free(message);
}

void message_drop(struct letter *letter)
{
    static_assert(offsetof(struct message, letter) == 0, "the letter comes first");
    message_free((struct message *)letter);
}
