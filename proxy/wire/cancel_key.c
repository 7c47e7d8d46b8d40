/*
 * Cancel keys: from (worker, slot) to what a client is given, and back.
 *
 * The pid that both protocol versions carry is (worker, slot) sent through a keyed permutation of 1 .. 2^31 -
 * 1: a Feistel network over 32 bits, walked until the result is in that range. It hides how many sessions
 * there are and in which order they came; it is no cipher, and nothing relies on it being one: the secret is
 * what proves a request.
 */
#include "proxy/wire/cancel_key.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define PID_MAX 0x7fffffffU
#define SLOT_BITS 23

bool cancel_random(void *out, size_t len)
{
    char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        len -= (size_t)got;
    }
    return true;
}

bool cancel_issuer_init(struct cancel_issuer *issuer)
{
    return cancel_random(&issuer->process, sizeof issuer->process) &&
           cancel_random(issuer->rounds, sizeof issuer->rounds);
}

/* One round's function: mixes a half with a key (multipliers of a common integer hash). */
static uint16_t mix(uint16_t half, uint32_t key)
{
    uint32_t x = half ^ key;
    x = (x ^ x >> 16) * 0x7feb352dU;
    x = (x ^ x >> 15) * 0x846ca68bU;
    return (uint16_t)(x ^ x >> 16);
}

static uint32_t permute(const struct cancel_issuer *issuer, uint32_t value)
{
    uint16_t left = (uint16_t)(value >> 16), right = (uint16_t)value;
    for (int i = 0; i < 4; i++) {
        uint16_t next = left ^ mix(right, issuer->rounds[i]);
        left = right;
        right = next;
    }
    return (uint32_t)left << 16 | right;
}

static uint32_t unpermute(const struct cancel_issuer *issuer, uint32_t value)
{
    uint16_t left = (uint16_t)(value >> 16), right = (uint16_t)value;
    for (int i = 3; i >= 0; i--) {
        uint16_t before = right ^ mix(left, issuer->rounds[i]);
        right = left;
        left = before;
    }
    return (uint32_t)left << 16 | right;
}

static bool in_range(uint32_t pid)
{
    return pid >= 1 && pid <= PID_MAX;
}

void cancel_key_build(const struct cancel_issuer *issuer, uint8_t worker, uint32_t slot, bool wide,
    const unsigned char random[CANCEL_KEY_RANDOM], struct cancel_key *out)
{
    assert(slot <= CANCEL_SLOT_MAX);
    memset(out, 0, sizeof *out);
    out->pid = permute(issuer, ((uint32_t)worker << SLOT_BITS | slot) + 1);
    while (!in_range(out->pid)) /* ends: the walk is a cycle through its starting point, which is in range */
        out->pid = permute(issuer, out->pid);
    if (!wide) {
        out->secret_len = 4;
        memcpy(out->secret, random, 4);
        return;
    }
    out->secret_len = CANCEL_WIDE_SECRET;
    out->secret[0] = (unsigned char)(issuer->process >> 8);
    out->secret[1] = (unsigned char)issuer->process;
    out->secret[2] = worker;
    out->secret[3] = (unsigned char)(slot >> 16);
    out->secret[4] = (unsigned char)(slot >> 8);
    out->secret[5] = (unsigned char)slot;
    memcpy(out->secret + 6, random, CANCEL_KEY_RANDOM);
}

static bool parse_wide(struct slice secret, struct cancel_address *out)
{
    const unsigned char *p = (const unsigned char *)secret.data;
    out->process_known = true;
    out->process = (uint16_t)(p[0] << 8 | p[1]);
    out->worker = p[2];
    out->slot = (uint32_t)p[3] << 16 | (uint32_t)p[4] << 8 | p[5];
    return out->slot <= CANCEL_SLOT_MAX;
}

bool cancel_key_parse(
    const struct cancel_issuer *issuer, uint32_t pid, struct slice secret, struct cancel_address *out)
{
    memset(out, 0, sizeof *out);
    if (!in_range(pid))
        return false;
    if (secret.len == CANCEL_WIDE_SECRET)
        return parse_wide(secret, out);
    if (secret.len != 4)
        return false;
    uint32_t value = unpermute(issuer, pid);
    while (!in_range(value))
        value = unpermute(issuer, value);
    value--;
    out->worker = (uint8_t)(value >> SLOT_BITS);
    out->slot = value & ((1U << SLOT_BITS) - 1);
    return out->slot <= CANCEL_SLOT_MAX;
}

bool cancel_key_equal(const struct cancel_key *key, struct slice secret)
{
    if (secret.len != key->secret_len || secret.len == 0)
        return false;
    unsigned char difference = 0;
    for (size_t i = 0; i < secret.len; i++)
        difference |= (unsigned char)((unsigned char)secret.data[i] ^ key->secret[i]);
    return difference == 0;
}
