/*
 * What a client's messages say, while its request is collected: the class of each text, and what it does to
 * the session's names of prepared statements. The session's thread.
 */
#ifndef ROLECALL_SESSION_NOTE_H
#define ROLECALL_SESSION_NOTE_H

#include "conf/base/slice.h"
#include "proxy/wire/frame.h"

#include <stdbool.h>
#include <stdint.h>

struct classification;
struct request;
struct session;

/* The text of a simple Query. False closes the session. */
bool note_query(struct session *session, struct slice text);
/* Adds one of its statements to a request. `shape`: note_hash of a read's text, or the number of a prepared
   statement; 0 = of no shape that is worth remembering. */
void note_merge(struct request *request, const struct classification *class, uint64_t shape);
uint64_t note_hash(struct slice text);
/* A message of the extended protocol (others are of no interest). False closes the session, or has. */
bool note_message(struct session *session, const struct frame *frame);

#endif
