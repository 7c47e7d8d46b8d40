/*
 * The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: checks a client. Pure but for the nonce's random
 * bytes.
 *
 *     scram_server_init(&s, ...);
 *     scram_server_first(&s, mechanism, data, &out, &error)  SCRAM_MORE: send out as
 * AuthenticationSASLContinue scram_server_final(&s, data, &out, &error)             SCRAM_DONE: send out as
 * AuthenticationSASLFinal
 *
 * A struct belongs to one login on one thread; scram_server_wipe ends it. A user who is unknown, or has no
 * secret that SCRAM can use, goes through the same exchange with a salt that is always the same for that
 * name, and fails at the end with the same words as a wrong password.
 *
 * A plain secret is derived when the proof is checked, which takes some two milliseconds more than a verifier
 * or a mock exchange: who measures that learns that the name has a plain password here. Store verifiers where
 * that matters.
 */
#ifndef ROLECALL_AUTH_SCRAM_SERVER_H
#define ROLECALL_AUTH_SCRAM_SERVER_H

#include "conf/base/error.h"
#include "proxy/auth/scram.h"

struct scram_server {
    /* private */
    enum { SCRAM_SERVER_FIRST, SCRAM_SERVER_FINAL, SCRAM_SERVER_DONE, SCRAM_SERVER_FAILED } state;
    bool doomed; /* a mock exchange */
    bool plus;   /* the client chose SCRAM-SHA-256-PLUS */
    char flag;   /* 'n', 'y' or 'p' */
    struct scram_keys keys;
    size_t plain_len; /* a plain secret is derived at the end */
    char plain[SECRET_PLAIN_MAX];
    char user[64]; /* for the error; cut when longer */
    size_t binding_len;
    unsigned char binding[SCRAM_BINDING_MAX];
    size_t nonce_len; /* of client and server */
    char nonce[SCRAM_MESSAGE_MAX];
    char server_nonce[64]; /* NUL-terminated; made at the first message unless a test has set it */
    size_t client_first_len, server_first_len;
    char client_first[SCRAM_MESSAGE_MAX]; /* client-first-message-bare */
    char server_first[SCRAM_MESSAGE_MAX];
};

/*
 * secret: NULL for an unknown user; copied. mock_key: 32 random bytes of the process (two processes behind
 * one address should share them, else they can be told apart by the salts of unknown names). binding:
 * tls-server-end-point of the certificate that the client saw, empty when the connection has no TLS (then
 * PLUS must not be offered).
 */
void scram_server_init(struct scram_server *server, struct slice user, const struct secret *secret,
    const unsigned char mock_key[32], struct slice binding);
/* SASLInitialResponse. data.data NULL (none sent) is answered with an empty challenge, as PostgreSQL does;
   the client's first message then comes as a SASLResponse: call scram_server_first again with the same
   mechanism. */
enum scram_result scram_server_first(struct scram_server *server, struct slice mechanism, struct slice data,
    struct scram_message *out, struct error *error);
/* SASLResponse. SCRAM_FAILED with 28P01: wrong password; with 08P01: malformed. */
enum scram_result scram_server_final(
    struct scram_server *server, struct slice data, struct scram_message *out, struct error *error);
/* After SCRAM_DONE: SECRET_SCRAM_KEYS, to log in to nodes that hold the same verifier. */
bool scram_server_keys(const struct scram_server *server, struct secret *out);
void scram_server_wipe(struct scram_server *server);

#endif
