/* The server's side of SCRAM: RFC 7677's exchange, PostgreSQL's rules, mock exchanges. */
#include "proxy/auth/scram_server.h"

#include "proxy/auth/base64.h"

#include "auth_test.h"

static const unsigned char mock_key[32] = "0123456789abcdef0123456789abcde";
#define BINDING LITERAL("0123456789abcdef0123456789abcdef")

/* RFC 7677, section 3: password "pencil". */
#define RFC_FIRST "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define RFC_SERVER_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_CHALLENGE "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_WITHOUT_PROOF "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_PROOF ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SIGNATURE "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct secret rfc_secret(void)
{
    struct secret secret = {.kind = SECRET_SCRAM};
    secret.scram.iterations = 4096;
    assert_true(base64_decode(
        LITERAL("W22ZaJ0SNY7soEsUEjb6gQ=="), secret.scram.salt, SCRAM_SALT_MAX, &secret.scram.salt_len));
    assert_true(scram_derive(slice_from("pencil"), &secret.scram));
    memset(secret.scram.client_key, 0, SCRAM_KEY_LEN);
    return secret;
}

static void begin_rfc(struct scram_server *server)
{
    struct secret secret = rfc_secret();
    struct scram_message out;
    struct error error;
    scram_server_init(server, slice_from("user"), &secret, mock_key, slice_of(NULL, 0));
    strcpy(server->server_nonce, RFC_SERVER_NONCE);
    assert_int_equal(
        scram_server_first(server, slice_from(SCRAM_SHA_256), slice_from(RFC_FIRST), &out, &error),
        SCRAM_MORE);
    assert_int_equal(out.len, strlen(RFC_CHALLENGE));
    assert_memory_equal(out.data, RFC_CHALLENGE, out.len);
}

static void the_exchange_of_rfc_7677_succeeds_and_gives_the_client_key(void **state)
{
    (void)state;
    struct scram_server server;
    struct scram_message out;
    struct error error;
    struct secret keys, verifier = rfc_secret();
    begin_rfc(&server);
    assert_false(scram_server_keys(&server, &keys));
    assert_int_equal(
        scram_server_final(&server, slice_from(RFC_WITHOUT_PROOF RFC_PROOF), &out, &error), SCRAM_DONE);
    assert_int_equal(out.len, strlen(RFC_SIGNATURE));
    assert_memory_equal(out.data, RFC_SIGNATURE, out.len);
    assert_true(scram_server_keys(&server, &keys));
    assert_int_equal(keys.kind, SECRET_SCRAM_KEYS);
    unsigned char stored[SCRAM_KEY_LEN];
    assert_true(scram_sha256(keys.scram.client_key, SCRAM_KEY_LEN, stored));
    assert_memory_equal(stored, verifier.scram.stored_key, SCRAM_KEY_LEN);
}

static void assert_final(const char *message, const char *sqlstate, const char *text)
{
    struct scram_server server;
    struct scram_message out;
    struct error error;
    struct secret keys;
    begin_rfc(&server);
    assert_int_equal(scram_server_final(&server, slice_from(message), &out, &error), SCRAM_FAILED);
    assert_string_equal(error.sqlstate, sqlstate);
    if (strstr(error.text, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, error.text);
    assert_int_equal(out.len, 0);
    assert_false(scram_server_keys(&server, &keys));
}

static void final_messages_that_are_wrong_are_refused(void **state)
{
    (void)state;
    static const char nonce[] = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    char message[300];
    assert_final(RFC_WITHOUT_PROOF ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "28P01",
        "password authentication failed for user \"user\"");
    /* An extension is ignored, but signed: without a new proof it is as wrong as any other password. */
    assert_final(RFC_WITHOUT_PROOF ",x=1" RFC_PROOF, "28P01", "password authentication failed");
    assert_final("", "08P01", "empty");
    assert_final("c=biws", "08P01", "Nonce expected");
    assert_final("r=x", "08P01", "Channel binding expected");
    assert_final("c=biws,r=rOprNGfwEbeRWgbNEkqO" RFC_PROOF, "08P01", "Nonce does not match");
    assert_final(RFC_WITHOUT_PROOF, "08P01", "Malformed proof");
    assert_final(RFC_WITHOUT_PROOF ",p=", "08P01", "Malformed proof");
    assert_final(RFC_WITHOUT_PROOF ",p=dHzb", "08P01", "Malformed proof");
    assert_final(RFC_WITHOUT_PROOF RFC_PROOF ",x=1", "08P01", "Garbage");
    assert_final(RFC_WITHOUT_PROOF ",1=x" RFC_PROOF, "08P01", "Attribute expected");
    snprintf(message, sizeof message, "c=eSws,%s%s", nonce, RFC_PROOF);
    assert_final(message, "08P01", "unexpected SCRAM channel-binding attribute");
    snprintf(message, sizeof message, "c=,%s%s", nonce, RFC_PROOF);
    assert_final(message, "08P01", "unexpected SCRAM channel-binding attribute");
}

/* A first message; the SQLSTATE must be as given, "" for success. */
static void assert_first(
    const char *mechanism, struct slice binding, struct slice message, const char *sqlstate, const char *text)
{
    struct scram_server server;
    struct scram_message out;
    struct error error = {"", ""};
    struct secret secret = rfc_secret();
    scram_server_init(&server, slice_from("user"), &secret, mock_key, binding);
    enum scram_result result = scram_server_first(&server, slice_from(mechanism), message, &out, &error);
    assert_string_equal(error.sqlstate, sqlstate);
    assert_int_equal(result, sqlstate[0] ? SCRAM_FAILED : SCRAM_MORE);
    if (strstr(error.text, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, error.text);
}

static void channel_binding_flags_follow_postgresqls_rules(void **state)
{
    (void)state;
    static const struct slice none = {NULL, 0};
    static const char plain[] = SCRAM_SHA_256, plus[] = SCRAM_SHA_256_PLUS;
    static const char end_point[] = "p=tls-server-end-point,,n=,r=abc";
    assert_first(plain, none, LITERAL("n,,n=,r=abc"), "", "");
    assert_first(plain, none, LITERAL("y,,n=,r=abc"), "", "");
    assert_first(plain, none, slice_from(end_point), "08P01", "includes channel binding data");
    assert_first(plain, BINDING, LITERAL("n,,n=,r=abc"), "", "");
    assert_first(plain, BINDING, LITERAL("y,,n=,r=abc"), "28000", "thinks the server does not");
    assert_first(plain, BINDING, slice_from(end_point), "08P01", "includes channel binding data");
    assert_first(plus, none, slice_from(end_point), "08P01", "invalid SASL authentication mechanism");
    assert_first(plus, BINDING, slice_from(end_point), "", "");
    assert_first(plus, BINDING, LITERAL("n,,n=,r=abc"), "08P01", "does not include channel binding data");
    assert_first(plus, BINDING, LITERAL("y,,n=,r=abc"), "08P01", "does not include channel binding data");
    assert_first(
        plus, BINDING, LITERAL("p=tls-unique,,n=,r=abc"), "08P01", "unsupported SCRAM channel-binding type");
    assert_first(plus, BINDING, LITERAL("p,,n=,r=abc"), "08P01", "type expected");
    assert_first(plain, none, LITERAL("x,,n=,r=abc"), "08P01", "Unexpected channel-binding flag");
    assert_first(
        "SCRAM-SHA-1", none, LITERAL("n,,n=,r=abc"), "08P01", "invalid SASL authentication mechanism");
}

static void first_messages_that_are_wrong_are_refused(void **state)
{
    (void)state;
    static const struct slice none = {NULL, 0};
    static const char plain[] = SCRAM_SHA_256;
    char longest[SCRAM_MESSAGE_MAX + 2];
    assert_first(plain, none, slice_of("", 0), "08P01", "empty");
    assert_first(plain, none, LITERAL("n"), "08P01", "Comma expected");
    assert_first(plain, none, LITERAL("n,"), "08P01", "Unexpected attribute");
    assert_first(plain, none, LITERAL("n,a=ann,n=,r=abc"), "0A000", "authorization identity");
    assert_first(plain, none, LITERAL("n,x,n=,r=abc"), "08P01", "Unexpected attribute");
    assert_first(plain, none, LITERAL("n,,m=ext,n=,r=abc"), "0A000", "unsupported SCRAM extension");
    assert_first(plain, none, LITERAL("n,,n="), "08P01", "User name and nonce expected");
    assert_first(plain, none, LITERAL("n,,r=abc"), "08P01", "User name and nonce expected");
    assert_first(plain, none, LITERAL("n,,n=,r=a c"), "08P01", "non-printable");
    assert_first(plain, none, LITERAL("n,,n=,r=a\xc3\xa4"), "08P01", "non-printable");
    assert_first(plain, none, LITERAL("n,,n=,r=abc,x=1"), "", "");
    assert_first(plain, none, LITERAL("n,,n=,r=abc,,"), "08P01", "Attribute expected");
    assert_first(plain, none, LITERAL("n,,n=,r=abc\0"), "08P01", "Message length does not match");
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "n,,n=,r=", 8);
    assert_first(plain, none, slice_of(longest, sizeof longest), "08P01", "too long");
    assert_first(plain, none, slice_of(longest, 8 + 513), "08P01", "nonce is too long");
    assert_first(plain, none, slice_of(longest, 8 + 512), "", "");
}

static void an_answer_without_data_gets_an_empty_challenge_first(void **state)
{
    (void)state;
    struct scram_server server;
    struct scram_message out = {.len = 99};
    struct error error;
    struct secret secret = rfc_secret();
    scram_server_init(&server, slice_from("user"), &secret, mock_key, slice_of(NULL, 0));
    struct slice mechanism = slice_from(SCRAM_SHA_256);
    assert_int_equal(scram_server_first(&server, mechanism, slice_of(NULL, 0), &out, &error), SCRAM_MORE);
    assert_int_equal(out.len, 0);
    assert_int_equal(scram_server_first(&server, mechanism, slice_from(RFC_FIRST), &out, &error), SCRAM_MORE);
    assert_true(out.len > 0);
}

/* salt and iterations that a user's challenge shows */
static void challenge_of(const char *user, const struct secret *secret, char out[200])
{
    struct scram_server server;
    struct scram_message message;
    struct error error;
    scram_server_init(&server, slice_from(user), secret, mock_key, slice_of(NULL, 0));
    assert_int_equal(
        scram_server_first(&server, slice_from(SCRAM_SHA_256), LITERAL("n,,n=,r=abc"), &message, &error),
        SCRAM_MORE);
    message.data[message.len] = '\0';
    const char *salt = strstr(message.data, ",s=");
    assert_non_null(salt);
    strcpy(out, salt);
}

static void an_unknown_user_always_shows_the_same_salt(void **state)
{
    (void)state;
    char first[200], second[200], other[200], plain[200], md5[200];
    struct secret password = secret_from("pencil"), hash = secret_from(PENCIL_MD5_OF_MDU);
    challenge_of("nobody", NULL, first);
    challenge_of("nobody", NULL, second);
    challenge_of("noone", NULL, other);
    assert_string_equal(first, second);
    assert_string_not_equal(first, other);
    assert_non_null(strstr(first, ",i=4096"));
    assert_int_equal(strlen(first), strlen(",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    /* Adding a plain password for the name, or a hash that SCRAM cannot use, does not show either. */
    challenge_of("nobody", &password, plain);
    challenge_of("nobody", &hash, md5);
    assert_string_equal(first, plain);
    assert_string_equal(first, md5);
}

static void nonces_differ_between_exchanges(void **state)
{
    (void)state;
    struct scram_server one, two;
    struct scram_message a, b;
    struct error error;
    struct slice mechanism = slice_from(SCRAM_SHA_256), first = slice_from(RFC_FIRST);
    scram_server_init(&one, slice_from("user"), NULL, mock_key, slice_of(NULL, 0));
    scram_server_init(&two, slice_from("user"), NULL, mock_key, slice_of(NULL, 0));
    assert_int_equal(scram_server_first(&one, mechanism, first, &a, &error), SCRAM_MORE);
    assert_int_equal(scram_server_first(&two, mechanism, first, &b, &error), SCRAM_MORE);
    assert_int_equal(strlen(one.server_nonce), SCRAM_NONCE_LEN);
    assert_string_not_equal(one.server_nonce, two.server_nonce);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exchange_of_rfc_7677_succeeds_and_gives_the_client_key),
        cmocka_unit_test(final_messages_that_are_wrong_are_refused),
        cmocka_unit_test(channel_binding_flags_follow_postgresqls_rules),
        cmocka_unit_test(first_messages_that_are_wrong_are_refused),
        cmocka_unit_test(an_answer_without_data_gets_an_empty_challenge_first),
        cmocka_unit_test(an_unknown_user_always_shows_the_same_salt),
        cmocka_unit_test(nonces_differ_between_exchanges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
