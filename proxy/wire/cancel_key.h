/*
 * The keys that clients get for CancelRequest, and what they name. Any thread.
 *
 * A key leads to a session without a table that threads share: it names the worker and the slot in that
 * worker's table of sessions; the worker then compares the secret. How hard they are to guess:
 *  - protocol 3.2: a 32-byte secret: process (16 bits), worker (8) and slot (24) in clear and 26 random bytes
 *    (208 bits): not to be guessed.
 *  - protocol 3.0: 4 bytes of pid and 4 of secret, no more is possible. The pid is a keyed permutation of
 * worker and slot (31 bits, never 0 or negative, unique in the process, says nothing of how many sessions
 * there are); the secret is 32 random bits. An attacker who does not know a pid has to guess some 63 bits;
 * one who does (it is no secret: an application may log it) has to guess 32, online: limit the rate of
 * failures. The process is not in it.
 */
#ifndef ROLECALL_WIRE_CANCEL_KEY_H
#define ROLECALL_WIRE_CANCEL_KEY_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CANCEL_KEY_RANDOM 26
#define CANCEL_WIDE_SECRET 32
#define CANCEL_WORKER_MAX 255U
#define CANCEL_SLOT_MAX 0x7ffffdU /* 23 bits, so that the pid stays a positive int */

/* One per process, made at start, then read-only and shared. */
struct cancel_issuer {
    uint16_t process;   /* random: tells processes behind one address apart */
    uint32_t rounds[4]; /* keys of the permutation */
};

struct cancel_key {
    uint32_t pid; /* goes out as BackendKeyData's process id; 1 .. 2^31 - 1 */
    unsigned char secret[CANCEL_WIDE_SECRET];
    size_t secret_len; /* 4 on protocol 3.0, 32 on 3.2 */
};

struct cancel_address {
    bool process_known; /* false on 3.0 */
    uint16_t process;
    uint8_t worker;
    uint32_t slot;
};

/* Fills `out` with random bytes from the kernel; false when it gives none (never, after boot). */
bool cancel_random(void *out, size_t len);
bool cancel_issuer_init(struct cancel_issuer *issuer);

/* Pure: `random` are fresh random bytes. `wide` = protocol 3.2. */
void cancel_key_build(const struct cancel_issuer *issuer, uint8_t worker, uint32_t slot, bool wide,
    const unsigned char random[CANCEL_KEY_RANDOM], struct cancel_key *out);
/* Where a request's key leads; false when it cannot be one of ours. Nothing is proven yet: compare the
 * secret. */
bool cancel_key_parse(
    const struct cancel_issuer *issuer, uint32_t pid, struct slice secret, struct cancel_address *out);
/* Constant time for secrets of equal length. */
bool cancel_key_equal(const struct cancel_key *key, struct slice secret);

#endif
