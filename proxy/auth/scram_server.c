/*
 * Checking a client by SCRAM.
 *
 * The client's first message brings a nonce, ours adds our half, the salt and the iteration count; its second
 * message brings the proof, ours the server's signature. Out of the proof falls the client's key, with which
 * rolecall can log in to every node that holds the same verifier.
 *
 * Failures: a malformed message is 08P01 at once, a downgrade of channel binding 28000, and a wrong password
 * or a user who cannot log in 28P01 after the whole exchange. The rules and words are those of PostgreSQL's
 * auth-scram.c.
 */
#include "proxy/auth/scram_server.h"

#include "proxy/auth/base64.h"

#include <assert.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define BINDING_HEADER "p=tls-server-end-point,,"
#define SERVER_NONCE_BYTES 18
#define CLIENT_NONCE_MAX 512

static enum scram_result fail(
    struct scram_server *server, struct error *error, const char *sqlstate, const char *text)
{
    server->state = SCRAM_SERVER_FAILED;
    error_set(error, sqlstate, "%s", text);
    return SCRAM_FAILED;
}

static enum scram_result malformed(struct scram_server *server, struct error *error, const char *detail)
{
    server->state = SCRAM_SERVER_FAILED;
    error_set(error, SQLSTATE_PROTOCOL_VIOLATION, "malformed SCRAM message: %s", detail);
    return SCRAM_FAILED;
}

/* A salt that is always the same for this name, and that nobody without mock_key can tell from a stored one.
 */
static void mock_salt(struct scram_server *server, struct slice user, const unsigned char mock_key[32])
{
    unsigned char hash[SCRAM_KEY_LEN];
    bool ok = scram_hmac(mock_key, &user, 1, hash);
    assert(ok);
    server->keys.iterations = SCRAM_ITERATIONS_DEFAULT;
    server->keys.salt_len = 16;
    memcpy(server->keys.salt, hash, server->keys.salt_len);
}

void scram_server_init(struct scram_server *server, struct slice user, const struct secret *secret,
    const unsigned char mock_key[32], struct slice binding)
{
    memset(server, 0, sizeof *server);
    size_t name_len = user.len < sizeof server->user ? user.len : sizeof server->user - 1;
    if (name_len > 0)
        memcpy(server->user, user.data, name_len);
    assert(binding.len <= SCRAM_BINDING_MAX);
    server->binding_len = binding.len;
    if (binding.len > 0)
        memcpy(server->binding, binding.data, binding.len);
    enum secret_kind kind = secret ? secret->kind : SECRET_NONE;
    if (kind == SECRET_SCRAM || kind == SECRET_SCRAM_KEYS) {
        server->keys = secret->scram;
        return;
    }
    mock_salt(server, user, mock_key);
    server->doomed = kind != SECRET_PLAIN;
    if (kind == SECRET_PLAIN) {
        server->plain_len = secret->plain.len;
        memcpy(server->plain, secret->plain.text, secret->plain.len);
    }
}

static bool choose_mechanism(struct scram_server *server, struct slice mechanism)
{
    server->plus = slice_is(mechanism, SCRAM_SHA_256_PLUS);
    return server->plus ? server->binding_len > 0 : slice_is(mechanism, SCRAM_SHA_256);
}

/* "n", "y" or "p=type" and its comma, taken off `rest`. */
static enum scram_result read_binding_flag(
    struct scram_server *server, struct slice *rest, struct error *error)
{
    struct slice type;
    server->flag = rest->data[0];
    switch (server->flag) {
    case 'n':
    case 'y':
        if (server->plus)
            return malformed(server, error,
                "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel "
                "binding "
                "data.");
        if (server->flag == 'y' && server->binding_len > 0)
            return fail(server, error, SQLSTATE_INVALID_AUTHORIZATION,
                "SCRAM channel binding negotiation error: The client supports SCRAM channel binding but "
                "thinks "
                "the server does not. However, this server does support channel binding.");
        if (rest->len < 2 || rest->data[1] != ',')
            return malformed(server, error, "Comma expected after the channel-binding flag.");
        *rest = slice_of(rest->data + 2, rest->len - 2);
        return SCRAM_MORE;
    case 'p':
        if (!server->plus)
            return malformed(server, error,
                "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes "
                "channel binding data.");
        if (!scram_attribute(rest, 'p', &type))
            return malformed(server, error, "Channel-binding type expected.");
        if (!slice_is(type, "tls-server-end-point"))
            return fail(server, error, SQLSTATE_PROTOCOL_VIOLATION, "unsupported SCRAM channel-binding type");
        return SCRAM_MORE;
    default: return malformed(server, error, "Unexpected channel-binding flag.");
    }
}

/* The gs2 header, then client-first-message-bare: n=name, r=nonce, extensions that are ignored. */
static enum scram_result read_client_first(
    struct scram_server *server, struct slice rest, struct error *error)
{
    struct slice name, nonce, ignored;
    if (read_binding_flag(server, &rest, error) == SCRAM_FAILED)
        return SCRAM_FAILED;
    if (rest.len > 0 && rest.data[0] == 'a')
        return fail(server, error, SQLSTATE_FEATURE_NOT_SUPPORTED,
            "client uses authorization identity, but it is not supported");
    if (rest.len == 0 || rest.data[0] != ',')
        return malformed(server, error, "Unexpected attribute in client-first-message.");
    rest = slice_of(rest.data + 1, rest.len - 1);
    server->client_first_len = rest.len;
    memcpy(server->client_first, rest.data, rest.len);
    if (rest.len > 0 && rest.data[0] == 'm')
        return fail(
            server, error, SQLSTATE_FEATURE_NOT_SUPPORTED, "client requires an unsupported SCRAM extension");
    if (!scram_attribute(&rest, 'n', &name) || !scram_attribute(&rest, 'r', &nonce))
        return malformed(server, error, "User name and nonce expected in client-first-message.");
    if (!scram_printable(nonce))
        return fail(server, error, SQLSTATE_PROTOCOL_VIOLATION, "non-printable characters in SCRAM nonce");
    if (nonce.len > CLIENT_NONCE_MAX)
        return malformed(server, error, "The nonce is too long.");
    while (rest.len > 0)
        if (!scram_attribute(&rest, '\0', &ignored))
            return malformed(server, error, "Attribute expected in client-first-message.");
    server->nonce_len = nonce.len;
    memcpy(server->nonce, nonce.data, nonce.len);
    return SCRAM_MORE;
}

static bool make_nonce(struct scram_server *server)
{
    unsigned char bytes[SERVER_NONCE_BYTES];
    if (server->server_nonce[0] == '\0') {
        if (RAND_bytes(bytes, sizeof bytes) != 1)
            return false;
        server->server_nonce[base64_encode(bytes, sizeof bytes, server->server_nonce)] = '\0';
    }
    size_t len = strlen(server->server_nonce);
    memcpy(server->nonce + server->nonce_len, server->server_nonce, len);
    server->nonce_len += len;
    return true;
}

static void write_server_first(struct scram_server *server, struct scram_message *out)
{
    char salt[BASE64_LEN(SCRAM_SALT_MAX) + 1];
    salt[base64_encode(server->keys.salt, server->keys.salt_len, salt)] = '\0';
    out->len = (size_t)snprintf(out->data, sizeof out->data, "r=%.*s,s=%s,i=%u", (int)server->nonce_len,
        server->nonce, salt, server->keys.iterations);
    assert(out->len < sizeof server->server_first);
    server->server_first_len = out->len;
    memcpy(server->server_first, out->data, out->len);
}

/* What every message must be before it is looked into. */
static enum scram_result check_message(struct scram_server *server, struct slice data, struct error *error)
{
    if (data.len == 0)
        return malformed(server, error, "The message is empty.");
    if (data.len > SCRAM_MESSAGE_MAX)
        return malformed(server, error, "The message is too long.");
    if (memchr(data.data, '\0', data.len) != NULL)
        return malformed(server, error, "Message length does not match input length.");
    return SCRAM_MORE;
}

enum scram_result scram_server_first(struct scram_server *server, struct slice mechanism, struct slice data,
    struct scram_message *out, struct error *error)
{
    assert(server->state == SCRAM_SERVER_FIRST);
    out->len = 0;
    if (!choose_mechanism(server, mechanism))
        return fail(server, error, SQLSTATE_PROTOCOL_VIOLATION,
            "client selected an invalid SASL authentication mechanism");
    if (data.data == NULL)
        return SCRAM_MORE;
    if (check_message(server, data, error) == SCRAM_FAILED ||
        read_client_first(server, data, error) == SCRAM_FAILED)
        return SCRAM_FAILED;
    if (!make_nonce(server))
        return fail(server, error, SQLSTATE_INTERNAL_ERROR, "could not generate random nonce");
    write_server_first(server, out);
    server->state = SCRAM_SERVER_FINAL;
    return SCRAM_MORE;
}

/* c= repeats the gs2 header and, with PLUS, the binding itself. */
static bool check_binding(const struct scram_server *server, struct slice c)
{
    char header[sizeof BINDING_HEADER - 1 + SCRAM_BINDING_MAX], expected[BASE64_LEN(sizeof header)];
    if (!server->plus)
        return slice_is(c, server->flag == 'n' ? "biws" : "eSws");
    size_t len = sizeof BINDING_HEADER - 1;
    memcpy(header, BINDING_HEADER, len);
    memcpy(header + len, server->binding, server->binding_len);
    len = base64_encode(header, len + server->binding_len, expected);
    return secret_equal_slices(c, slice_of(expected, len));
}

/* client-final-message: c=, r=, extensions that are ignored, p= at the very end. `without_proof` is what is
 * signed. */
static enum scram_result read_client_final(struct scram_server *server, struct slice data,
    unsigned char proof[SCRAM_KEY_LEN], struct slice *without_proof, struct error *error)
{
    struct slice rest = data, c, nonce, value;
    size_t len;
    if (!scram_attribute(&rest, 'c', &c))
        return malformed(server, error, "Channel binding expected in client-final-message.");
    if (!check_binding(server, c))
        return server->plus
                   ? fail(server, error, SQLSTATE_INVALID_AUTHORIZATION, "SCRAM channel binding check failed")
                   : fail(server, error, SQLSTATE_PROTOCOL_VIOLATION,
                         "unexpected SCRAM channel-binding attribute in client-final-message");
    if (!scram_attribute(&rest, 'r', &nonce))
        return malformed(server, error, "Nonce expected in client-final-message.");
    while (rest.len > 0 && rest.data[0] != 'p')
        if (!scram_attribute(&rest, '\0', &value))
            return malformed(server, error, "Attribute expected in client-final-message.");
    *without_proof = slice_of(data.data, (size_t)(rest.data - data.data));
    if (!scram_attribute(&rest, 'p', &value) || !base64_decode(value, proof, SCRAM_KEY_LEN, &len) ||
        len != SCRAM_KEY_LEN)
        return malformed(server, error, "Malformed proof in client-final-message.");
    if (rest.len > 0 || data.data[data.len - 1] == ',')
        return malformed(server, error, "Garbage found at the end of client-final-message.");
    without_proof->len--; /* the comma before p= */
    if (!slice_equal(nonce, slice_of(server->nonce, server->nonce_len)))
        return fail(
            server, error, SQLSTATE_PROTOCOL_VIOLATION, "invalid SCRAM response: Nonce does not match.");
    return SCRAM_MORE;
}

/* *right: the proof is that of the password. False: OpenSSL failed. Takes the same time for doomed exchanges.
 */
static bool check_proof(struct scram_server *server, const unsigned char proof[SCRAM_KEY_LEN],
    const struct slice message[5], bool *right)
{
    unsigned char signature[SCRAM_KEY_LEN], hash[SCRAM_KEY_LEN];
    struct scram_keys *keys = &server->keys;
    if (server->plain_len > 0 && !scram_derive(slice_of(server->plain, server->plain_len), keys))
        return false;
    if (!scram_hmac(keys->stored_key, message, 5, signature))
        return false;
    for (size_t i = 0; i < SCRAM_KEY_LEN; i++)
        keys->client_key[i] = (unsigned char)(proof[i] ^ signature[i]);
    if (!scram_sha256(keys->client_key, SCRAM_KEY_LEN, hash))
        return false;
    bool equal = secret_equal_bytes(hash, keys->stored_key, SCRAM_KEY_LEN);
    *right = equal && !server->doomed;
    return true;
}

enum scram_result scram_server_final(
    struct scram_server *server, struct slice data, struct scram_message *out, struct error *error)
{
    assert(server->state == SCRAM_SERVER_FINAL);
    unsigned char proof[SCRAM_KEY_LEN], signature[SCRAM_KEY_LEN];
    struct slice without_proof;
    bool right = false;
    out->len = 0;
    if (check_message(server, data, error) == SCRAM_FAILED ||
        read_client_final(server, data, proof, &without_proof, error) == SCRAM_FAILED)
        return SCRAM_FAILED;
    const struct slice message[5] = {slice_of(server->client_first, server->client_first_len),
        slice_of(",", 1), slice_of(server->server_first, server->server_first_len), slice_of(",", 1),
        without_proof};
    if (!check_proof(server, proof, message, &right) ||
        !scram_hmac(server->keys.server_key, message, 5, signature))
        return fail(server, error, SQLSTATE_INTERNAL_ERROR, "could not compute the SCRAM proof");
    if (!right) {
        server->state = SCRAM_SERVER_FAILED;
        error_set(
            error, SQLSTATE_INVALID_PASSWORD, "password authentication failed for user \"%s\"", server->user);
        return SCRAM_FAILED;
    }
    memcpy(out->data, "v=", 2);
    out->len = 2 + base64_encode(signature, sizeof signature, out->data + 2);
    server->state = SCRAM_SERVER_DONE;
    return SCRAM_DONE;
}

bool scram_server_keys(const struct scram_server *server, struct secret *out)
{
    memset(out, 0, sizeof *out);
    if (server->state != SCRAM_SERVER_DONE)
        return false;
    out->kind = SECRET_SCRAM_KEYS;
    out->scram = server->keys;
    return true;
}

void scram_server_wipe(struct scram_server *server)
{
    explicit_bzero(server, sizeof *server);
}
