/*
 * Messages of a SCRAM exchange, from both peers, and verifiers. The input is used as it is and as a string
 * over the alphabet that gets past the first comma. Nobody may get in: the input cannot hold a proof.
 */
#include "proxy/auth/scram_client.h"
#include "proxy/auth/scram_server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char mock_key[32];
static const char verifier[] =
    "SCRAM-SHA-256$4096:rjEy740u8wNq1/ugwVpKBA==$dhaabIJ3dbZKmKfJ7dSK5AAiSsLC5IRTRtsPNDu7rHM="
    ":+TzNRK+LkYBoXgDkKMCX5rJ2REKHX5kjQC56DpdDPBQ=";

static void check_server(struct slice first, struct slice final, bool plus)
{
    static struct scram_server server;
    static struct scram_message out;
    struct secret secret;
    struct error error;
    struct slice binding = slice_of("0123456789abcdef0123456789abcdef", plus ? 32 : 0);
    assert(secret_parse(slice_from(verifier), &secret));
    scram_server_init(&server, slice_from("ann"), &secret, mock_key, binding);
    struct slice mechanism = slice_from(plus ? SCRAM_SHA_256_PLUS : SCRAM_SHA_256);
    enum scram_result result = scram_server_first(&server, mechanism, first, &out, &error);
    assert(out.len <= SCRAM_MESSAGE_MAX);
    if (result == SCRAM_MORE)
        assert(scram_server_final(&server, final, &out, &error) == SCRAM_FAILED);
    /* A first message that is right, with the nonce known, gets the second one further. */
    scram_server_init(&server, slice_from("ann"), &secret, mock_key, slice_of(NULL, 0));
    strcpy(server.server_nonce, "b");
    result = scram_server_first(&server, slice_from(SCRAM_SHA_256), slice_from("n,,n=,r=a"), &out, &error);
    assert(result == SCRAM_MORE);
    assert(scram_server_final(&server, final, &out, &error) == SCRAM_FAILED);
}

static void check_client(struct slice challenge, struct slice final)
{
    static struct scram_client client;
    static struct scram_message out;
    struct backend_authentication request = {.data = slice_of("SCRAM-SHA-256\0\0", 15)};
    struct secret secret;
    struct slice mechanism;
    struct error error;
    assert(secret_parse(slice_from(verifier), &secret));
    secret.kind = SECRET_SCRAM_KEYS; /* nothing to derive: a campaign must be quick */
    memset(secret.scram.client_key, 7, SCRAM_KEY_LEN);
    for (int own = 0; own < 2; own++) {
        scram_client_init(&client, &secret, NULL, slice_of(NULL, 0));
        strcpy(client.nonce, "a");
        assert(scram_client_first(&client, &request, &mechanism, &out, &error) == SCRAM_MORE);
        struct slice message = own ? slice_from("r=ab,s=rjEy740u8wNq1/ugwVpKBA==,i=4096") : challenge;
        enum scram_result result = scram_client_continue(&client, message, &out, &error);
        assert(out.len <= SCRAM_MESSAGE_MAX);
        assert(!own || result == SCRAM_MORE);
        if (result == SCRAM_MORE)
            assert(scram_client_final(&client, final, &error) == SCRAM_FAILED);
    }
}

static void check(struct slice text)
{
    struct scram_keys keys;
    char again[SCRAM_VERIFIER_MAX];
    size_t half = text.len / 2;
    struct slice front = slice_of(text.data, half), back = slice_of(text.data + half, text.len - half);
    check_server(front, back, false);
    check_server(front, back, true);
    check_client(front, back);
    if (scram_parse_verifier(text, &keys) && text.len < sizeof again)
        assert(scram_format_verifier(&keys, again) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"n,,", "y,,", "p=tls-server-end-point,,", "n=", "r=ab", "c=biws", ",",
        "=", ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "s=rjEy740u8wNq1/ugwVpKBA==", "i=4096",
        "v=", "e=x", "a", "m=", "SCRAM-SHA-256$4096:"};
    check(slice_of((const char *)data, size));
    char *text = malloc(size * 50 + 1);
    size_t len = 0;
    for (size_t i = 0; i < size; i++) {
        size_t word = strlen(words[data[i] & 15]);
        memcpy(text + len, words[data[i] & 15], word);
        len += word;
    }
    check(slice_of(text, len));
    free(text);
    return 0;
}
