/*
 * The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS: logs in to a node. Pure but for the nonce's
 * random bytes.
 *
 *     scram_client_init(&c, ...);
 *     scram_client_first(&c, &request, &mechanism, &out, &error)  send SASLInitialResponse
 *     scram_client_continue(&c, data, &out, &error)               send SASLResponse
 *     scram_client_final(&c, data, &error)                        SCRAM_DONE: the node has proven itself as
 * well
 *
 * AuthenticationOk without SCRAM_DONE before it must be refused. A struct belongs to one login on one thread.
 */
#ifndef ROLECALL_AUTH_SCRAM_CLIENT_H
#define ROLECALL_AUTH_SCRAM_CLIENT_H

#include "conf/base/error.h"
#include "proxy/auth/scram.h"
#include "proxy/wire/backend.h"

struct scram_client {
    /* private */
    enum {
        SCRAM_CLIENT_FIRST,
        SCRAM_CLIENT_CONTINUE,
        SCRAM_CLIENT_FINAL,
        SCRAM_CLIENT_DONE,
        SCRAM_CLIENT_FAILED
    } state;
    const struct secret *secret, *cached; /* the caller's; must outlive the exchange */
    struct scram_keys keys;
    size_t binding_len;
    unsigned char binding[SCRAM_BINDING_MAX];
    bool plus;
    char nonce[64]; /* NUL-terminated; made at the first message unless a test has set it */
    char user[64];  /* empty: nodes take the name of the startup message */
    size_t client_first_len;
    char client_first[256]; /* bare */
    unsigned char server_signature[SCRAM_KEY_LEN];
};

/*
 * secret: SECRET_PLAIN or SECRET_SCRAM_KEYS, not copied. cached: NULL, or what scram_client_keys gave after
 * an earlier login with this plain password: used when salt and iterations are still the same (saves the
 * derivation). binding: tls-server-end-point of the node's certificate; empty without TLS.
 */
void scram_client_init(struct scram_client *client, const struct secret *secret, const struct secret *cached,
    struct slice binding);
/* Chooses PLUS when it is offered and there is a binding. `mechanism` is static storage. */
enum scram_result scram_client_first(struct scram_client *client,
    const struct backend_authentication *request, struct slice *mechanism, struct scram_message *out,
    struct error *error);
/* 28P01 when the keys are for another salt or iteration count than the node's. */
enum scram_result scram_client_continue(
    struct scram_client *client, struct slice data, struct scram_message *out, struct error *error);
enum scram_result scram_client_final(struct scram_client *client, struct slice data, struct error *error);
/* After SCRAM_DONE: SECRET_SCRAM_KEYS for `cached`. */
bool scram_client_keys(const struct scram_client *client, struct secret *out);
void scram_client_wipe(struct scram_client *client);

#endif
