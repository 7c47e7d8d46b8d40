/*
 * SCRAM-SHA-256's arithmetic (RFC 5802, RFC 7677), for both sides. Pure; any thread.
 *
 * PostgreSQL's rule for passwords: SASLprep when the text is valid UTF-8 and the profile allows it, else the
 * bytes as they are. ASCII passes unchanged.
 */
#ifndef ROLECALL_AUTH_SCRAM_H
#define ROLECALL_AUTH_SCRAM_H

#include "conf/base/slice.h"
#include "proxy/auth/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRAM_SHA_256 "SCRAM-SHA-256"
#define SCRAM_SHA_256_PLUS "SCRAM-SHA-256-PLUS"
#define SCRAM_ITERATIONS_DEFAULT 4096
/* More than this is refused: a derivation runs on a worker's thread (a million takes about half a second). */
#define SCRAM_ITERATIONS_MAX 1000000
/* No message of an exchange is longer (PostgreSQL's PG_MAX_SASL_MESSAGE_LENGTH). */
#define SCRAM_MESSAGE_MAX 1024
/* tls-server-end-point: the longest hash of a certificate. */
#define SCRAM_BINDING_MAX 64
#define SCRAM_NONCE_LEN 24 /* base64 of 18 random bytes */

/* What a step left behind. */
enum scram_result {
    SCRAM_MORE,  /* send `out`, wait for the peer */
    SCRAM_DONE,  /* proven; on the server's side send `out` as AuthenticationSASLFinal */
    SCRAM_FAILED /* the error says why */
};

/* A message to send. */
struct scram_message {
    size_t len;
    char data[SCRAM_MESSAGE_MAX + 1];
};

/* All keys from a password (salt and iterations of `keys` are given). False only when OpenSSL fails. */
bool scram_derive(struct slice password, struct scram_keys *keys);
/* "SCRAM-SHA-256$4096:salt$StoredKey:ServerKey". False when malformed or out of bounds. */
bool scram_parse_verifier(struct slice text, struct scram_keys *out);

#define SCRAM_VERIFIER_MAX 320
/* The reverse; returns the length. */
size_t scram_format_verifier(const struct scram_keys *keys, char out[SCRAM_VERIFIER_MAX]);

/* HMAC-SHA-256 of up to five parts one after the other; a part with .data NULL is skipped. */
bool scram_hmac(const unsigned char key[SCRAM_KEY_LEN], const struct slice *parts, size_t n_parts,
    unsigned char out[SCRAM_KEY_LEN]);
bool scram_sha256(const void *data, size_t len, unsigned char out[SCRAM_KEY_LEN]);

/* "name=value" up to a comma or the end, taken off `rest` with the comma; '\0' = any letter. */
bool scram_attribute(struct slice *rest, char wanted, struct slice *value);
/* A decimal number of 1 to max. */
bool scram_parse_number(struct slice text, uint32_t max, uint32_t *out);
/* Visible ASCII without a comma: what a nonce may be made of. */
bool scram_printable(struct slice nonce);

#endif
