/*
 * What all streams of one worker share: the loop, the read buffer, the pages of waiting output, and the turn.
 *
 * A turn of the loop: descriptors become readable, owners parse and write; just before the loop polls again
 * every stream that was written to is flushed once (uv_prepare), so there is one send per socket and turn.
 * What owners gave up during the turn is freed after the flush, hence a pointer to a session or a server
 * stays valid for the turn in which it was closed. One thread.
 */
#ifndef ROLECALL_STREAM_REACTOR_H
#define ROLECALL_STREAM_REACTOR_H

#include "conf/base/clock.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define REACTOR_READ_BUFFER (64 * 1024)
#define PAGE_BYTES (8 * 1024)

struct stream;

/* A page of output on its way to one peer. */
struct page {
    struct page *next;
    uint32_t start, end; /* the bytes still to send: data[start, end) */
    char data[PAGE_BYTES - 16];
};

struct reactor {
    uv_loop_t *loop;
    uv_prepare_t prepare;
    uv_idle_t idle;
    char *read_buffer; /* REACTOR_READ_BUFFER bytes */
    struct page *free_pages;
    size_t n_free_pages;
    struct stream *dirty; /* streams with output to flush this turn */
    struct stream *again; /* streams with input that no poll would tell of */
    struct grave *graves;
    size_t handles;  /* uv handles not yet closed */
    uint64_t now_us; /* clock_now_us of this turn; 0: not asked for yet */
};

int reactor_open(struct reactor *reactor, uv_loop_t *loop);
/* Every stream must be closed. The loop must run until its handles are gone before reactor_fini. */
void reactor_close(struct reactor *reactor);
void reactor_fini(struct reactor *reactor);

/* Frees `object` by `free_object` when this turn of the loop is over. */
void reactor_bury(struct reactor *reactor, void *object, void (*free_object)(void *object));

/* The time of this turn of the loop: the clock is read once a turn at most, and not before it is asked for.
 */
static inline uint64_t reactor_now_us(struct reactor *reactor)
{
    if (reactor->now_us == 0)
        reactor->now_us = clock_now_us();
    return reactor->now_us;
}

struct page *reactor_page(struct reactor *reactor);
void reactor_page_free(struct reactor *reactor, struct page *page);

#endif
