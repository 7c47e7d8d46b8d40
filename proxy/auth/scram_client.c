/*
 * Logging in to a node by SCRAM, with a password or with the keys that a client's own login left behind.
 *
 * We send a nonce; the node answers with its half, salt and iteration count; we send the proof and check the
 * node's signature, which only somebody who holds the verifier can make. Messages of the node are believed no
 * more than a client's: lengths and the iteration count are bounded. Every failure fills the error and ends
 * the exchange.
 */
#include "proxy/auth/scram_client.h"

#include "proxy/auth/base64.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define BINDING_HEADER "p=tls-server-end-point,,"
#define CLIENT_NONCE_BYTES 18

static enum scram_result fail(
    struct scram_client *client, struct error *error, const char *sqlstate, const char *text)
{
    client->state = SCRAM_CLIENT_FAILED;
    error_set(error, sqlstate, "%s", text);
    return SCRAM_FAILED;
}

static enum scram_result malformed(struct scram_client *client, struct error *error, const char *detail)
{
    client->state = SCRAM_CLIENT_FAILED;
    error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "malformed SCRAM message from the node: %s", detail);
    return SCRAM_FAILED;
}

void scram_client_init(struct scram_client *client, const struct secret *secret, const struct secret *cached,
    struct slice binding)
{
    memset(client, 0, sizeof *client);
    client->secret = secret;
    client->cached = cached;
    assert(binding.len <= SCRAM_BINDING_MAX);
    client->binding_len = binding.len;
    if (binding.len > 0)
        memcpy(client->binding, binding.data, binding.len);
}

static bool choose_mechanism(
    struct scram_client *client, const struct backend_authentication *request, struct slice *mechanism)
{
    struct slice offered;
    bool plain = false;
    for (size_t at = 0; backend_next_mechanism(request, &at, &offered);) {
        client->plus = client->plus || (client->binding_len > 0 && slice_is(offered, SCRAM_SHA_256_PLUS));
        plain = plain || slice_is(offered, SCRAM_SHA_256);
    }
    *mechanism = slice_from(client->plus ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256);
    return client->plus || plain;
}

/* The gs2 header: with 'y' the node can tell that somebody took PLUS out of its offer. */
static const char *binding_header(const struct scram_client *client)
{
    return client->plus ? BINDING_HEADER : client->binding_len > 0 ? "y,," : "n,,";
}

enum scram_result scram_client_first(struct scram_client *client,
    const struct backend_authentication *request, struct slice *mechanism, struct scram_message *out,
    struct error *error)
{
    assert(client->state == SCRAM_CLIENT_FIRST);
    if (client->secret->kind != SECRET_PLAIN && client->secret->kind != SECRET_SCRAM_KEYS)
        return fail(client, error, SQLSTATE_INVALID_PASSWORD,
            "the node asks for SCRAM, but neither the password nor the keys of a client's login are known");
    if (!choose_mechanism(client, request, mechanism))
        return fail(client, error, SQLSTATE_FEATURE_NOT_SUPPORTED,
            "none of the SASL mechanisms that the node offers is supported");
    unsigned char bytes[CLIENT_NONCE_BYTES];
    if (client->nonce[0] == '\0') {
        if (RAND_bytes(bytes, sizeof bytes) != 1)
            return fail(client, error, SQLSTATE_INTERNAL_ERROR, "could not generate random nonce");
        client->nonce[base64_encode(bytes, sizeof bytes, client->nonce)] = '\0';
    }
    client->client_first_len = (size_t)snprintf(
        client->client_first, sizeof client->client_first, "n=%s,r=%s", client->user, client->nonce);
    out->len =
        (size_t)snprintf(out->data, sizeof out->data, "%s%s", binding_header(client), client->client_first);
    client->state = SCRAM_CLIENT_CONTINUE;
    return SCRAM_MORE;
}

static enum scram_result read_server_first(
    struct scram_client *client, struct slice rest, struct slice *nonce, struct error *error)
{
    struct slice salt, iterations;
    size_t ours = strlen(client->nonce);
    if (rest.len > SCRAM_MESSAGE_MAX)
        return malformed(client, error, "it is too long");
    if (!scram_attribute(&rest, 'r', nonce) || !scram_attribute(&rest, 's', &salt) ||
        !scram_attribute(&rest, 'i', &iterations) || rest.len > 0)
        return malformed(client, error, "nonce, salt and iteration count were expected");
    if (nonce->len <= ours || memcmp(nonce->data, client->nonce, ours) != 0 || !scram_printable(*nonce))
        return malformed(client, error, "its nonce does not begin with ours");
    if (!base64_decode(salt, client->keys.salt, SCRAM_SALT_MAX, &client->keys.salt_len) ||
        client->keys.salt_len == 0)
        return malformed(client, error, "bad salt");
    if (!scram_parse_number(iterations, SCRAM_ITERATIONS_MAX, &client->keys.iterations))
        return malformed(client, error, "the iteration count is not a number from 1 to 1000000");
    return SCRAM_MORE;
}

static bool fits(const struct secret *secret, const struct scram_keys *wanted)
{
    return secret != NULL && secret->kind == SECRET_SCRAM_KEYS &&
           secret->scram.iterations == wanted->iterations && secret->scram.salt_len == wanted->salt_len &&
           memcmp(secret->scram.salt, wanted->salt, wanted->salt_len) == 0;
}

/* Keys for the node's salt and iterations. */
static enum scram_result find_keys(struct scram_client *client, struct error *error)
{
    const struct secret *secret = client->secret;
    if (fits(secret, &client->keys))
        client->keys = secret->scram;
    else if (secret->kind == SECRET_SCRAM_KEYS)
        return fail(client, error, SQLSTATE_INVALID_PASSWORD,
            "the node's verifier has another salt or iteration count than the one that the client's login "
            "was "
            "checked with");
    else if (fits(client->cached, &client->keys))
        client->keys = client->cached->scram;
    else if (!scram_derive(slice_of(secret->plain.text, secret->plain.len), &client->keys))
        return fail(client, error, SQLSTATE_INTERNAL_ERROR, "could not derive the SCRAM keys");
    return SCRAM_MORE;
}

/* "c=header and binding,r=nonce": what the proof is made over, and the message begins with. */
static size_t write_without_proof(
    const struct scram_client *client, struct slice nonce, char out[SCRAM_MESSAGE_MAX])
{
    char header[sizeof BINDING_HEADER - 1 + SCRAM_BINDING_MAX], encoded[BASE64_LEN(sizeof header) + 1];
    size_t len = strlen(binding_header(client));
    memcpy(header, binding_header(client), len);
    if (client->plus) {
        memcpy(header + len, client->binding, client->binding_len);
        len += client->binding_len;
    }
    encoded[base64_encode(header, len, encoded)] = '\0';
    int written = snprintf(out, SCRAM_MESSAGE_MAX, "c=%s,r=%.*s", encoded, (int)nonce.len, nonce.data);
    return (size_t)written;
}

enum scram_result scram_client_continue(
    struct scram_client *client, struct slice data, struct scram_message *out, struct error *error)
{
    assert(client->state == SCRAM_CLIENT_CONTINUE);
    unsigned char proof[SCRAM_KEY_LEN];
    struct slice nonce;
    if (read_server_first(client, data, &nonce, error) == SCRAM_FAILED)
        return SCRAM_FAILED;
    size_t len = write_without_proof(client, nonce, out->data);
    if (len + 3 + BASE64_LEN(SCRAM_KEY_LEN) > SCRAM_MESSAGE_MAX)
        return malformed(client, error, "its nonce is too long");
    if (find_keys(client, error) == SCRAM_FAILED)
        return SCRAM_FAILED;
    const struct slice message[5] = {slice_of(client->client_first, client->client_first_len),
        slice_of(",", 1), data, slice_of(",", 1), slice_of(out->data, len)};
    if (!scram_hmac(client->keys.stored_key, message, 5, proof) ||
        !scram_hmac(client->keys.server_key, message, 5, client->server_signature))
        return fail(client, error, SQLSTATE_INTERNAL_ERROR, "could not compute the SCRAM proof");
    for (size_t i = 0; i < SCRAM_KEY_LEN; i++)
        proof[i] = (unsigned char)(proof[i] ^ client->keys.client_key[i]);
    memcpy(out->data + len, ",p=", 3);
    out->len = len + 3 + base64_encode(proof, sizeof proof, out->data + len + 3);
    client->state = SCRAM_CLIENT_FINAL;
    return SCRAM_MORE;
}

enum scram_result scram_client_final(struct scram_client *client, struct slice data, struct error *error)
{
    assert(client->state == SCRAM_CLIENT_FINAL);
    unsigned char signature[SCRAM_KEY_LEN];
    struct slice rest = data, value;
    size_t len;
    if (data.len > SCRAM_MESSAGE_MAX)
        return malformed(client, error, "it is too long");
    if (scram_attribute(&rest, 'e', &value))
        return fail(client, error, SQLSTATE_INVALID_PASSWORD, "the node refused the SCRAM exchange");
    if (!scram_attribute(&rest, 'v', &value) || rest.len > 0 ||
        !base64_decode(value, signature, sizeof signature, &len) || len != sizeof signature)
        return malformed(client, error, "a signature was expected");
    if (!secret_equal_bytes(signature, client->server_signature, sizeof signature))
        return fail(client, error, SQLSTATE_INVALID_AUTHORIZATION,
            "incorrect SCRAM signature: the node does not hold this user's verifier");
    client->state = SCRAM_CLIENT_DONE;
    return SCRAM_DONE;
}

bool scram_client_keys(const struct scram_client *client, struct secret *out)
{
    memset(out, 0, sizeof *out);
    if (client->state != SCRAM_CLIENT_DONE)
        return false;
    out->kind = SECRET_SCRAM_KEYS;
    out->scram = client->keys;
    return true;
}

void scram_client_wipe(struct scram_client *client)
{
    explicit_bzero(client, sizeof *client);
}
