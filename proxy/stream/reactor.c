/*
 * The turn of a worker's loop; see reactor.h.
 *
 * uv_prepare runs between the callbacks of one turn and the next poll: there the streams with buffered input
 * are served, the dirty ones flushed, and the dead freed.
 */
#include "proxy/stream/reactor.h"

#include "proxy/stream/stream.h"

#include <assert.h>
#include <stdlib.h>

#define FREE_PAGES_KEPT 256
#define ROUNDS 4   /* of input and flush in one turn, so that nobody starves */
#define SERVED 256 /* streams with buffered input served in one round */

struct grave {
    struct grave *next;
    void *object;
    void (*free_object)(void *object);
};

static void empty_graves(struct reactor *reactor)
{
    while (reactor->graves) {
        struct grave *grave = reactor->graves;
        reactor->graves = grave->next;
        grave->free_object(grave->object);
        free(grave);
    }
}

/* Keeps the loop from blocking while buffered input is left. */
static void on_idle(uv_idle_t *idle)
{
    (void)idle;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct reactor *reactor = prepare->data;
    for (int round = 0; round < ROUNDS && (reactor->again || reactor->dirty); round++) {
        for (int served = 0; served < SERVED && reactor->again; served++)
            stream_serve_again(reactor);
        stream_flush_dirty(reactor);
    }
    empty_graves(reactor);
    reactor->now_us = 0;
    if (reactor->again)
        uv_idle_start(&reactor->idle, on_idle);
    else
        uv_idle_stop(&reactor->idle);
}

int reactor_open(struct reactor *reactor, uv_loop_t *loop)
{
    *reactor = (struct reactor){.loop = loop};
    reactor->read_buffer = malloc(REACTOR_READ_BUFFER);
    if (!reactor->read_buffer)
        return UV_ENOMEM;
    uv_idle_init(loop, &reactor->idle);
    uv_prepare_init(loop, &reactor->prepare);
    reactor->prepare.data = reactor;
    return uv_prepare_start(&reactor->prepare, on_prepare);
}

void reactor_close(struct reactor *reactor)
{
    stream_flush_dirty(reactor);
    empty_graves(reactor);
    uv_close((uv_handle_t *)&reactor->prepare, NULL);
    uv_close((uv_handle_t *)&reactor->idle, NULL);
}

void reactor_fini(struct reactor *reactor)
{
    assert(reactor->handles == 0);
    empty_graves(reactor);
    while (reactor->free_pages) {
        struct page *page = reactor->free_pages;
        reactor->free_pages = page->next;
        free(page);
    }
    free(reactor->read_buffer);
}

void reactor_bury(struct reactor *reactor, void *object, void (*free_object)(void *object))
{
    struct grave *grave = malloc(sizeof *grave);
    assert(grave);
    *grave = (struct grave){reactor->graves, object, free_object};
    reactor->graves = grave;
}

struct page *reactor_page(struct reactor *reactor)
{
    struct page *page = reactor->free_pages;
    if (page) {
        reactor->free_pages = page->next;
        reactor->n_free_pages--;
    } else {
        page = malloc(sizeof *page);
        assert(page);
    }
    page->next = NULL;
    page->start = page->end = 0;
    return page;
}

void reactor_page_free(struct reactor *reactor, struct page *page)
{
    if (reactor->n_free_pages >= FREE_PAGES_KEPT) {
        free(page);
        return;
    }
    page->next = reactor->free_pages;
    reactor->free_pages = page;
    reactor->n_free_pages++;
}
