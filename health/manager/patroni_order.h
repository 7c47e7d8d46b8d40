/*
 * A switchover that is ordered of Patroni: POST /switchover of the leader's REST API, and what the answer
 * means. Pure: foreign bytes in, words out. Any thread.
 *
 * Patroni answers when another member holds the leader lock (200), a second after that at the latest, or when
 * it has given up (503); 400 and 412 say at once why it does not even begin. Source: Patroni 3.0, api.py.
 */
#ifndef ROLECALL_HEALTH_MANAGER_PATRONI_ORDER_H
#define ROLECALL_HEALTH_MANAGER_PATRONI_ORDER_H

#include "health/manager.h"
#include "health/manager/rest.h"

#include <stdbool.h>

#define PATRONI_ORDER_MAX 1024 /* two names, each byte of them escaped */

/* The JSON to send; candidate NULL: whichever Patroni finds best. */
void patroni_order_write(const char *leader, const char *candidate, char out[PATRONI_ORDER_MAX]);

/* True when Patroni does it, or has done it. `words` say what it answered in either case. */
bool patroni_order_read(const struct rest_answer *answer, char words[MANAGER_ANSWER_MAX]);

#endif
