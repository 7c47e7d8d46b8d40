/* The client's side of SCRAM: RFC 7677's exchange, hostile nodes, and whole exchanges with our own server's
 * side. */
#include "proxy/auth/scram_client.h"

#include "proxy/auth/scram_server.h"

#include "auth_test.h"

static const unsigned char mock_key[32] = "0123456789abcdef0123456789abcde";
static const struct slice no_binding = {NULL, 0};
#define BINDING LITERAL("0123456789abcdef0123456789abcdef")

#define RFC_CHALLENGE "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_FINAL                                                                                            \
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+"                         \
    "Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_SIGNATURE "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct backend_authentication offer(bool plus)
{
    struct backend_authentication request = {.code = AUTH_REQUEST_SASL,
        .data = plus ? LITERAL("SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0") : LITERAL("SCRAM-SHA-256\0\0")};
    return request;
}

static void assert_message(const struct scram_message *message, const char *text)
{
    assert_int_equal(message->len, strlen(text));
    assert_memory_equal(message->data, text, message->len);
}

static void begin_rfc(struct scram_client *client, const struct secret *secret, const struct secret *cached)
{
    struct backend_authentication request = offer(false);
    struct scram_message out;
    struct slice mechanism;
    struct error error;
    scram_client_init(client, secret, cached, no_binding);
    strcpy(client->nonce, "rOprNGfwEbeRWgbNEkqO");
    strcpy(client->user, "user");
    assert_int_equal(scram_client_first(client, &request, &mechanism, &out, &error), SCRAM_MORE);
    assert_true(slice_is(mechanism, SCRAM_SHA_256));
    assert_message(&out, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
}

static void the_exchange_of_rfc_7677_succeeds(void **state)
{
    (void)state;
    struct secret secret = secret_from("pencil"), keys;
    struct scram_client client;
    struct scram_message out;
    struct error error;
    begin_rfc(&client, &secret, NULL);
    assert_int_equal(scram_client_continue(&client, slice_from(RFC_CHALLENGE), &out, &error), SCRAM_MORE);
    assert_message(&out, RFC_FINAL);
    assert_false(scram_client_keys(&client, &keys));
    assert_int_equal(scram_client_final(&client, slice_from(RFC_SIGNATURE), &error), SCRAM_DONE);
    assert_true(scram_client_keys(&client, &keys));
    /* The keys do for the next login what the password did, with nothing to derive. */
    struct secret wrong = secret_from("not the password");
    begin_rfc(&client, &wrong, &keys);
    assert_int_equal(scram_client_continue(&client, slice_from(RFC_CHALLENGE), &out, &error), SCRAM_MORE);
    assert_message(&out, RFC_FINAL);
    begin_rfc(&client, &keys, NULL);
    assert_int_equal(scram_client_continue(&client, slice_from(RFC_CHALLENGE), &out, &error), SCRAM_MORE);
    assert_message(&out, RFC_FINAL);
}

static void assert_challenge(const char *challenge, const char *sqlstate, const char *text)
{
    struct secret secret = secret_from("pencil");
    struct scram_client client;
    struct scram_message out;
    struct error error = {"", ""};
    begin_rfc(&client, &secret, NULL);
    enum scram_result result = scram_client_continue(&client, slice_from(challenge), &out, &error);
    assert_int_equal(result, sqlstate[0] ? SCRAM_FAILED : SCRAM_MORE);
    assert_string_equal(error.sqlstate, sqlstate);
    if (strstr(error.text, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, error.text);
}

static void challenges_of_a_hostile_node_are_refused(void **state)
{
    (void)state;
    char longest[2000];
    assert_challenge("r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i=1", "", "");
    assert_challenge("", "08P01", "were expected");
    assert_challenge("r=rOprNGfwEbeRWgbNEkqO,s=c2FsdA==,i=1", "08P01", "does not begin with ours");
    assert_challenge("r=rOprNGfwEbeRWgbNEkqXx,s=c2FsdA==,i=1", "08P01", "does not begin with ours");
    assert_challenge("r=x,s=c2FsdA==,i=1", "08P01", "does not begin with ours");
    assert_challenge("r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA=,i=1", "08P01", "bad salt");
    assert_challenge("r=rOprNGfwEbeRWgbNEkqOx,s=,i=1", "08P01", "bad salt");
    assert_challenge("r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i=0", "08P01", "iteration count");
    assert_challenge("r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i=1000001", "08P01", "iteration count");
    assert_challenge("r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i=99999999999", "08P01", "iteration count");
    assert_challenge("r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i=-1", "08P01", "iteration count");
    assert_challenge("r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i=1,x=1", "08P01", "were expected");
    assert_challenge("m=x,r=rOprNGfwEbeRWgbNEkqOx,s=c2FsdA==,i=1", "08P01", "were expected");
    for (int len = 900; len < 1100; len++) {
        memset(longest, 'x', sizeof longest);
        memcpy(longest, "r=rOprNGfwEbeRWgbNEkqO", 22);
        strcpy(longest + len, ",s=c2FsdA==,i=1");
        /* "c=biws,r=" and ",p=" with its 44 characters must find room in 1024 beside the nonce. */
        bool fits = len - 2 <= SCRAM_MESSAGE_MAX - 9 - 47;
        assert_challenge(longest, fits ? "" : "08P01", fits ? "" : "too long");
    }
}

static void a_node_that_cannot_sign_is_not_believed(void **state)
{
    (void)state;
    static const struct {
        const char *message, *sqlstate;
    } cases[] = {{"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=", "08P01"},
        {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "28000"}, {"", "08P01"}, {"v=", "08P01"},
        {"v=c2FsdA==", "08P01"}, {RFC_SIGNATURE ",x=1", "08P01"}, {"e=invalid-proof", "28P01"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct secret secret = secret_from("pencil"), keys;
        struct scram_client client;
        struct scram_message out;
        struct error error;
        begin_rfc(&client, &secret, NULL);
        assert_int_equal(scram_client_continue(&client, slice_from(RFC_CHALLENGE), &out, &error), SCRAM_MORE);
        assert_int_equal(scram_client_final(&client, slice_from(cases[i].message), &error), SCRAM_FAILED);
        assert_string_equal(error.sqlstate, cases[i].sqlstate);
        assert_false(scram_client_keys(&client, &keys));
    }
}

static void mechanisms_and_flags_depend_on_offer_and_binding(void **state)
{
    (void)state;
    static const struct {
        bool offered, bound;
        const char *mechanism, *header;
    } cases[] = {{false, false, SCRAM_SHA_256, "n,,"}, {false, true, SCRAM_SHA_256, "y,,"},
        {true, false, SCRAM_SHA_256, "n,,"}, {true, true, SCRAM_SHA_256_PLUS, "p=tls-server-end-point,,"}};
    for (size_t i = 0; i < 4; i++) {
        struct secret secret = secret_from("pencil");
        struct backend_authentication request = offer(cases[i].offered);
        struct scram_client client;
        struct scram_message out;
        struct slice mechanism;
        struct error error;
        scram_client_init(&client, &secret, NULL, cases[i].bound ? BINDING : no_binding);
        assert_int_equal(scram_client_first(&client, &request, &mechanism, &out, &error), SCRAM_MORE);
        assert_true(slice_is(mechanism, cases[i].mechanism));
        assert_memory_equal(out.data, cases[i].header, strlen(cases[i].header));
        assert_memory_equal(out.data + strlen(cases[i].header), "n=,r=", 5);
    }
}

static void logins_that_cannot_be_begun_say_why(void **state)
{
    (void)state;
    struct secret verifier = secret_from(PENCIL_VERIFIER), password = secret_from("pencil");
    struct backend_authentication request = offer(true), strange = request;
    struct scram_client client;
    struct scram_message out;
    struct slice mechanism;
    struct error error;
    scram_client_init(&client, &verifier, NULL, no_binding);
    assert_int_equal(scram_client_first(&client, &request, &mechanism, &out, &error), SCRAM_FAILED);
    assert_string_equal(error.sqlstate, "28P01");
    strange.data = LITERAL("SCRAM-SHA-512\0OAUTHBEARER\0\0");
    scram_client_init(&client, &password, NULL, no_binding);
    assert_int_equal(scram_client_first(&client, &strange, &mechanism, &out, &error), SCRAM_FAILED);
    assert_string_equal(error.sqlstate, "0A000");
}

/* A whole exchange between both sides; fills the keys that the server's side learned. */
static enum scram_result exchange(const struct secret *client_secret, struct slice client_binding,
    const struct secret *server_secret, struct slice server_binding, struct secret *keys, struct error *error)
{
    struct scram_client client;
    struct scram_server server;
    struct scram_message message, answer;
    struct slice mechanism;
    struct backend_authentication request = offer(server_binding.len > 0);
    scram_client_init(&client, client_secret, NULL, client_binding);
    scram_server_init(&server, slice_from("ann"), server_secret, mock_key, server_binding);
    if (scram_client_first(&client, &request, &mechanism, &message, error) == SCRAM_FAILED ||
        scram_server_first(&server, mechanism, slice_of(message.data, message.len), &answer, error) ==
            SCRAM_FAILED ||
        scram_client_continue(&client, slice_of(answer.data, answer.len), &message, error) == SCRAM_FAILED ||
        scram_server_final(&server, slice_of(message.data, message.len), &answer, error) == SCRAM_FAILED)
        return SCRAM_FAILED;
    assert_true(scram_server_keys(&server, keys));
    return scram_client_final(&client, slice_of(answer.data, answer.len), error);
}

static void both_sides_agree_on_the_right_password(void **state)
{
    (void)state;
    static const char *const stored[] = {PENCIL_VERIFIER, "pencil"};
    for (size_t i = 0; i < 4; i++) {
        struct secret password = secret_from("pencil"), secret = secret_from(stored[i / 2]), keys;
        struct slice binding = i % 2 ? BINDING : no_binding;
        struct error error;
        assert_int_equal(exchange(&password, binding, &secret, binding, &keys, &error), SCRAM_DONE);
    }
}

static void a_login_at_rolecall_gives_the_keys_for_a_login_at_a_node(void **state)
{
    (void)state;
    struct secret password = secret_from("pencil"), verifier = secret_from(PENCIL_VERIFIER), keys, again;
    struct error error;
    assert_int_equal(exchange(&password, no_binding, &verifier, no_binding, &keys, &error), SCRAM_DONE);
    assert_int_equal(exchange(&keys, BINDING, &verifier, BINDING, &again, &error), SCRAM_DONE);
    assert_true(secret_same(&keys, &again));
    /* A node that stores the same password under another salt cannot be logged in to. */
    struct secret other = secret_from("pencil");
    assert_int_equal(exchange(&keys, no_binding, &other, no_binding, &again, &error), SCRAM_FAILED);
    assert_string_equal(error.sqlstate, "28P01");
    assert_non_null(strstr(error.text, "another salt or iteration count"));
}

static void every_other_login_fails_in_the_same_words(void **state)
{
    (void)state;
    static const char *const stored[] = {PENCIL_VERIFIER, "pencil", PENCIL_MD5_OF_MDU, "", NULL};
    for (size_t i = 0; i < 5; i++) {
        struct secret wrong = secret_from(i < 2 ? "Pencil" : "pencil"), keys;
        struct secret secret = secret_from(stored[i] ? stored[i] : "");
        struct error error;
        assert_int_equal(exchange(&wrong, no_binding, stored[i] ? &secret : NULL, no_binding, &keys, &error),
            SCRAM_FAILED);
        assert_string_equal(error.sqlstate, "28P01");
        assert_string_equal(error.text, "password authentication failed for user \"ann\"");
    }
}

static void a_certificate_in_the_middle_is_noticed(void **state)
{
    (void)state;
    struct secret password = secret_from("pencil"), verifier = secret_from(PENCIL_VERIFIER), keys;
    struct error error;
    assert_int_equal(
        exchange(&password, LITERAL("another certificate's hash......"), &verifier, BINDING, &keys, &error),
        SCRAM_FAILED);
    assert_string_equal(error.sqlstate, "28000");
    assert_non_null(strstr(error.text, "channel binding check failed"));
}

static void an_offer_that_lost_its_channel_binding_is_noticed(void **state)
{
    (void)state;
    struct secret password = secret_from("pencil"), verifier = secret_from(PENCIL_VERIFIER);
    struct backend_authentication request = offer(false);
    struct scram_client client;
    struct scram_server server;
    struct scram_message message, answer;
    struct slice mechanism;
    struct error error;
    scram_client_init(&client, &password, NULL, BINDING);
    scram_server_init(&server, slice_from("ann"), &verifier, mock_key, BINDING);
    assert_int_equal(scram_client_first(&client, &request, &mechanism, &message, &error), SCRAM_MORE);
    assert_int_equal(
        scram_server_first(&server, mechanism, slice_of(message.data, message.len), &answer, &error),
        SCRAM_FAILED);
    assert_string_equal(error.sqlstate, "28000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exchange_of_rfc_7677_succeeds),
        cmocka_unit_test(challenges_of_a_hostile_node_are_refused),
        cmocka_unit_test(a_node_that_cannot_sign_is_not_believed),
        cmocka_unit_test(mechanisms_and_flags_depend_on_offer_and_binding),
        cmocka_unit_test(logins_that_cannot_be_begun_say_why),
        cmocka_unit_test(both_sides_agree_on_the_right_password),
        cmocka_unit_test(a_login_at_rolecall_gives_the_keys_for_a_login_at_a_node),
        cmocka_unit_test(every_other_login_fails_in_the_same_words),
        cmocka_unit_test(a_certificate_in_the_middle_is_noticed),
        cmocka_unit_test(an_offer_that_lost_its_channel_binding_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
