/* Letters arrive once and in order, from several threads, and none is lost when the mailbox closes. */
#include "conf/base/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SENDERS 2
#define LETTERS 20000

struct note {
    struct letter letter; /* first */
    int sender, number;
};

struct reader {
    struct mailbox mailbox;
    int next[SENDERS]; /* the number expected from each */
    int received, close_after;
};

static _Atomic int dropped;

static void count_drop(struct letter *letter)
{
    atomic_fetch_add(&dropped, 1);
    free(letter);
}

static struct note *write_note(int sender, int number)
{
    struct note *note = malloc(sizeof *note);
    assert_non_null(note);
    note->sender = sender;
    note->number = number;
    return note;
}

static void receive(void *owner, struct letter *letter)
{
    struct reader *reader = owner;
    struct note *note = (struct note *)letter;
    assert_int_equal(note->number, reader->next[note->sender]);
    reader->next[note->sender]++;
    free(note);
    if (++reader->received == reader->close_after)
        mailbox_close(&reader->mailbox);
}

struct sender {
    pthread_t thread;
    struct mailbox *mailbox;
    int id;
};

static void *send_all(void *argument)
{
    struct sender *sender = argument;
    for (int i = 0; i < LETTERS; i++)
        mailbox_post(sender->mailbox, &write_note(sender->id, i)->letter);
    return NULL;
}

static void run(struct reader *reader)
{
    uv_loop_t loop;
    struct sender senders[SENDERS];
    atomic_store(&dropped, 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_true(mailbox_open(&reader->mailbox, &loop, reader, receive, count_drop));
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){.mailbox = &reader->mailbox, .id = i};
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    uv_run(&loop, UV_RUN_DEFAULT); /* ends with mailbox_close */
    for (int i = 0; i < SENDERS; i++)
        pthread_join(senders[i].thread, NULL);
    assert_int_equal(uv_loop_close(&loop), 0);
    mailbox_fini(&reader->mailbox);
}

static void letters_of_each_thread_arrive_in_order_and_none_is_lost(void **context)
{
    (void)context;
    struct reader reader = {.close_after = SENDERS * LETTERS};
    run(&reader);
    assert_int_equal(reader.received, SENDERS * LETTERS);
    assert_int_equal(atomic_load(&dropped), 0);
}

static void letters_are_received_or_dropped_when_the_mailbox_closes_midway(void **context)
{
    (void)context;
    struct reader reader = {.close_after = LETTERS / 2};
    run(&reader);
    assert_int_equal(reader.received, LETTERS / 2);
    assert_int_equal(atomic_load(&dropped), SENDERS * LETTERS - LETTERS / 2);
}

static void a_letter_posted_after_the_close_is_dropped_at_once(void **context)
{
    (void)context;
    uv_loop_t loop;
    struct reader reader = {.close_after = -1};
    atomic_store(&dropped, 0);
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_true(mailbox_open(&reader.mailbox, &loop, &reader, receive, count_drop));
    mailbox_post(&reader.mailbox, &write_note(0, 0)->letter);
    mailbox_close(&reader.mailbox);
    assert_int_equal(atomic_load(&dropped), 1); /* the queued one */
    mailbox_post(&reader.mailbox, &write_note(0, 1)->letter);
    assert_int_equal(atomic_load(&dropped), 2);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    mailbox_fini(&reader.mailbox);
    assert_int_equal(reader.received, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_of_each_thread_arrive_in_order_and_none_is_lost),
        cmocka_unit_test(letters_are_received_or_dropped_when_the_mailbox_closes_midway),
        cmocka_unit_test(a_letter_posted_after_the_close_is_dropped_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
