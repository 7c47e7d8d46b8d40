/*
 * Letters between threads; see mailbox.h.
 *
 * Posting appends under the lock and wakes the loop only when the queue was empty: a drain takes the whole
 * queue at once, so whoever appends to a non-empty queue knows that a wake-up is already on its way.
 */
#include "conf/base/mailbox.h"

#include <assert.h>

static struct letter *take_all(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    struct letter *first = mailbox->head;
    mailbox->head = NULL;
    mailbox->tail = &mailbox->head;
    pthread_mutex_unlock(&mailbox->lock);
    return first;
}

static void on_wake(uv_async_t *async)
{
    struct mailbox *mailbox = async->data;
    for (struct letter *letter = take_all(mailbox), *next; letter; letter = next) {
        next = letter->next;
        letter->next = NULL;
        if (mailbox->closed) /* by the receiver of an earlier letter; only this thread closes */
            mailbox->drop(letter);
        else
            mailbox->receive(mailbox->owner, letter);
    }
}

bool mailbox_open(struct mailbox *mailbox, uv_loop_t *loop, void *owner,
    void (*receive)(void *owner, struct letter *letter), void (*drop)(struct letter *letter))
{
    *mailbox = (struct mailbox){.receive = receive, .drop = drop, .owner = owner};
    mailbox->tail = &mailbox->head;
    if (uv_async_init(loop, &mailbox->async, on_wake) != 0)
        return false;
    pthread_mutex_init(&mailbox->lock, NULL);
    mailbox->async.data = mailbox;
    return true;
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
    letter->next = NULL;
    pthread_mutex_lock(&mailbox->lock);
    bool closed = mailbox->closed;
    if (!closed) {
        bool was_empty = mailbox->head == NULL;
        *mailbox->tail = letter;
        mailbox->tail = &letter->next;
        if (was_empty)
            uv_async_send(&mailbox->async);
    }
    pthread_mutex_unlock(&mailbox->lock);
    if (closed)
        mailbox->drop(letter);
}

void mailbox_close(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    assert(!mailbox->closed);
    mailbox->closed = true;
    pthread_mutex_unlock(&mailbox->lock);
    for (struct letter *letter = take_all(mailbox), *next; letter; letter = next) {
        next = letter->next;
        mailbox->drop(letter);
    }
    uv_close((uv_handle_t *)&mailbox->async, NULL);
}

void mailbox_fini(struct mailbox *mailbox)
{
    assert(mailbox->closed);
    pthread_mutex_destroy(&mailbox->lock);
}
