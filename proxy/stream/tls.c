/*
 * TLS by OpenSSL, on a descriptor that the stream polls.
 *
 * A context is made from a [listener]'s or [cluster]'s files when the configuration is loaded; a tls is made
 * from it for each connection, shakes hands, and then moves bytes. OpenSSL reaches the descriptor through a
 * BIO of our own, which sends with MSG_NOSIGNAL (a peer that is gone must not kill the process) and remembers
 * the end of the stream.
 *
 * Failures: a context that cannot be made names the file; a handshake that fails says why the certificate was
 * refused. A peer that closes without close_notify has simply closed: PostgreSQL's messages carry their own
 * lengths, and backends that die never say goodbye. Renegotiation, compression and session tickets are off,
 * as in PostgreSQL.
 */
#include "proxy/stream/tls.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Any number will do: it is only there to be told apart from OpenSSL's own kinds. */
#define BIO_KIND (BIO_TYPE_SOURCE_SINK | 127)
/* A list of one name, as ALPN has it: each behind its length. */
static const unsigned char alpn[] = "\x0apostgresql";
#define ALPN_LEN (sizeof alpn - 1)

struct tls_context {
    _Atomic uint32_t refs;
    enum tls_mode mode;
    SSL_CTX *ctx;
    BIO_METHOD *method;
};

struct tls {
    struct tls_context *context; /* one reference */
    SSL *ssl;
    int fd;
    bool accepting;
    bool eof;      /* the last recv said so */
    bool failed;   /* nothing more may be done with ssl */
    bool nameless; /* verify-full, and no name to verify */
};

/* ---- the descriptor, as OpenSSL sees it ---- */

static int bio_write(BIO *bio, const char *data, int len)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t sent;
    do
        sent = send(tls->fd, data, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_write(bio);
    return (int)sent;
}

static int bio_read(BIO *bio, char *data, int size)
{
    struct tls *tls = BIO_get_data(bio);
    ssize_t got;
    do
        got = recv(tls->fd, data, (size_t)size, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    BIO_clear_retry_flags(bio);
    tls->eof = got == 0;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        BIO_set_retry_read(bio);
    return (int)got;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    const struct tls *tls = BIO_get_data(bio);
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return tls->eof;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_KIND, "rolecall stream");
    if (method != NULL && BIO_meth_set_write(method, bio_write) && BIO_meth_set_read(method, bio_read) &&
        BIO_meth_set_ctrl(method, bio_ctrl))
        return method;
    BIO_meth_free(method);
    return NULL;
}

/* ---- contexts ---- */

/* What OpenSSL complained of last, and clears the queue. */
static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code ? ERR_reason_error_string(code) : NULL;
    if (code && text == NULL && ERR_SYSTEM_ERROR(code))
        text = strerror(ERR_GET_REASON(code));
    ERR_clear_error();
    return text ? text : "unknown OpenSSL error";
}

static bool file_failed(struct error *error, const char *what, const char *file)
{
    return error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "could not load %s \"%s\": %s", what, file, reason());
}

/* Instead of OpenSSL's own, which would ask at the terminal. */
static int no_passphrase(char *out, int size, int writing, void *data)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)data;
    return 0;
}

static bool load_certificate(
    struct tls_context *context, const struct config_tls *config, struct error *error)
{
    const char *key = config->key_file ? config->key_file : config->cert_file;
    if (SSL_CTX_use_certificate_chain_file(context->ctx, config->cert_file) != 1)
        return file_failed(error, "the certificate", config->cert_file);
    if (SSL_CTX_use_PrivateKey_file(context->ctx, key, SSL_FILETYPE_PEM) != 1)
        return file_failed(error, "the private key (without a passphrase)", key);
    if (SSL_CTX_check_private_key(context->ctx) != 1)
        return file_failed(error, "the private key for that certificate", key);
    return true;
}

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
    const unsigned char *offer, unsigned int offer_len, void *data)
{
    unsigned char *chosen;
    (void)ssl;
    (void)data;
    if (SSL_select_next_proto(&chosen, out_len, alpn, ALPN_LEN, offer, offer_len) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static struct tls_context *context_new(enum tls_mode mode, const SSL_METHOD *method, struct error *error)
{
    struct tls_context *context = calloc(1, sizeof *context);
    ERR_clear_error();
    if (context == NULL || (context->ctx = SSL_CTX_new(method)) == NULL ||
        (context->method = make_method()) == NULL ||
        SSL_CTX_set_min_proto_version(context->ctx, TLS1_2_VERSION) != 1) {
        error_set(error, SQLSTATE_INTERNAL_ERROR, "could not make a TLS context: %s", reason());
        if (context != NULL) {
            BIO_meth_free(context->method);
            SSL_CTX_free(context->ctx);
        }
        free(context);
        return NULL;
    }
    atomic_init(&context->refs, 1);
    context->mode = mode;
    SSL_CTX_set_mode(context->ctx,
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(context->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET |
                                          SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_session_cache_mode(context->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context->ctx, 0);
    SSL_CTX_set_default_passwd_cb(context->ctx, no_passphrase);
    return context;
}

static bool load_client_ca(struct tls_context *context, const char *file, struct error *error)
{
    STACK_OF(X509_NAME) * names;
    if (SSL_CTX_load_verify_file(context->ctx, file) != 1 || (names = SSL_load_client_CA_file(file)) == NULL)
        return file_failed(error, "the CA file", file);
    SSL_CTX_set_client_CA_list(context->ctx, names);
    return true;
}

static bool set_up_accept(struct tls_context *context, const struct config_tls *config, struct error *error)
{
    bool demanded = config->mode == TLS_VERIFY_CA || config->mode == TLS_VERIFY_FULL;
    if (config->cert_file == NULL || config->key_file == NULL)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
            "a listener with TLS needs a certificate and its private key (cert_file, key_file)");
    if (demanded && config->ca_file == NULL)
        return error_set(error, SQLSTATE_CONFIG_FILE_ERROR,
            "a listener that verifies clients' certificates needs the CA that signed them (ca_file)");
    if (!load_certificate(context, config, error))
        return false;
    SSL_CTX_set_alpn_select_cb(context->ctx, choose_alpn, NULL);
    SSL_CTX_set_dh_auto(context->ctx, 1);
    if (config->ca_file == NULL)
        return true;
    SSL_CTX_set_verify(
        context->ctx, SSL_VERIFY_PEER | (demanded ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), NULL);
    return load_client_ca(context, config->ca_file, error);
}

static bool set_up_connect(struct tls_context *context, const struct config_tls *config, struct error *error)
{
    if (config->cert_file != NULL && !load_certificate(context, config, error))
        return false;
    if (SSL_CTX_set_alpn_protos(context->ctx, alpn, ALPN_LEN) != 0)
        return error_set(error, SQLSTATE_INTERNAL_ERROR, "could not set up ALPN: %s", reason());
    if (config->mode != TLS_VERIFY_CA && config->mode != TLS_VERIFY_FULL) {
        SSL_CTX_set_verify(context->ctx, SSL_VERIFY_NONE, NULL);
        return true;
    }
    SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, NULL);
    if (config->ca_file != NULL)
        return SSL_CTX_load_verify_file(context->ctx, config->ca_file) == 1 ||
               file_failed(error, "the CA file", config->ca_file);
    return SSL_CTX_set_default_verify_paths(context->ctx) == 1 ||
           file_failed(error, "the CA certificates of", "the system");
}

static struct tls_context *context_make(const struct config_tls *config, const SSL_METHOD *method,
    bool (*set_up)(struct tls_context *, const struct config_tls *, struct error *), struct error *error)
{
    if (error != NULL)
        error->sqlstate[0] = error->text[0] = '\0';
    if (config->mode == TLS_DISABLE)
        return NULL;
    struct tls_context *context = context_new(config->mode, method, error);
    if (context != NULL && !set_up(context, config, error)) {
        tls_context_unref(context);
        context = NULL;
    }
    ERR_clear_error();
    return context;
}

struct tls_context *tls_context_accept(const struct config_tls *config, struct error *error)
{
    return context_make(config, TLS_server_method(), set_up_accept, error);
}

struct tls_context *tls_context_connect(const struct config_tls *config, struct error *error)
{
    return context_make(config, TLS_client_method(), set_up_connect, error);
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add_explicit(&context->refs, 1, memory_order_relaxed);
    return context;
}

void tls_context_unref(struct tls_context *context)
{
    if (context == NULL || atomic_fetch_sub_explicit(&context->refs, 1, memory_order_acq_rel) > 1)
        return;
    SSL_CTX_free(context->ctx);
    BIO_meth_free(context->method);
    free(context);
}

/* ---- connections ---- */

static struct tls *tls_new(struct tls_context *context, int fd, bool accepting)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL)
        return NULL;
    ERR_clear_error();
    tls->context = tls_context_ref(context);
    tls->fd = fd;
    tls->accepting = accepting;
    tls->ssl = SSL_new(context->ctx);
    BIO *bio = BIO_new(context->method);
    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        tls_free(tls);
        return NULL;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return tls;
}

struct tls *tls_accept(struct tls_context *context, int fd)
{
    struct tls *tls = tls_new(context, fd, true);
    if (tls != NULL)
        SSL_set_accept_state(tls->ssl);
    return tls;
}

static bool is_address(const char *host)
{
    unsigned char address[16];
    return inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1;
}

/* SNI takes names only; a certificate can be for either. */
static bool set_host(struct tls *tls, const char *host)
{
    bool full = tls->context->mode == TLS_VERIFY_FULL;
    if (host == NULL || host[0] == '\0' || host[0] == '/') {
        tls->nameless = full;
        return true;
    }
    bool address = is_address(host);
    if (!address && SSL_set_tlsext_host_name(tls->ssl, host) != 1)
        return false;
    if (!full)
        return true;
    SSL_set_hostflags(tls->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (address)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), host) == 1;
    return SSL_set1_host(tls->ssl, host) == 1;
}

struct tls *tls_connect(struct tls_context *context, int fd, const char *host)
{
    struct tls *tls = tls_new(context, fd, false);
    if (tls == NULL)
        return NULL;
    SSL_set_connect_state(tls->ssl);
    if (!set_host(tls, host)) {
        tls_free(tls);
        return NULL;
    }
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    if (tls->ssl != NULL && !tls->failed && SSL_is_init_finished(tls->ssl))
        SSL_shutdown(tls->ssl);
    SSL_free(tls->ssl);
    ERR_clear_error();
    tls_context_unref(tls->context);
    free(tls);
}

/* What a call of OpenSSL that did not succeed means. `saved_errno` is errno just after it. */
static enum tls_result result_of(
    struct tls *tls, int returned, int saved_errno, const char *what, struct error *error)
{
    int code = SSL_get_error(tls->ssl, returned);
    if (code == SSL_ERROR_WANT_READ)
        return TLS_WANT_READ;
    if (code == SSL_ERROR_WANT_WRITE)
        return TLS_WANT_WRITE;
    bool handshake_over = SSL_is_init_finished(tls->ssl);
    if (code == SSL_ERROR_ZERO_RETURN && handshake_over)
        return TLS_CLOSED;
    tls->failed = true;
    long verdict = SSL_get_verify_result(tls->ssl);
    if (!handshake_over && verdict != X509_V_OK && (SSL_get_verify_mode(tls->ssl) & SSL_VERIFY_PEER)) {
        error_set(error, SQLSTATE_CONNECTION_FAILURE, "%s: the peer's certificate was refused: %s", what,
            X509_verify_cert_error_string(verdict));
        ERR_clear_error();
    } else if (code == SSL_ERROR_ZERO_RETURN || (code == SSL_ERROR_SYSCALL && tls->eof)) {
        error_set(error, SQLSTATE_CONNECTION_FAILURE, "%s: the peer closed the connection", what);
    } else if (code == SSL_ERROR_SYSCALL) {
        error_set(error, SQLSTATE_CONNECTION_FAILURE, "%s: %s", what, strerror(saved_errno));
    } else {
        error_set(error, SQLSTATE_CONNECTION_FAILURE, "%s: %s", what, reason());
    }
    return TLS_FAILED;
}

enum tls_result tls_handshake(struct tls *tls, struct error *error)
{
    assert(!tls->failed);
    if (tls->nameless) {
        tls->failed = true;
        error_set(error, SQLSTATE_CONNECTION_FAILURE,
            "TLS handshake: verify-full needs the node's host name, and there is none");
        return TLS_FAILED;
    }
    ERR_clear_error();
    errno = 0;
    int returned = SSL_do_handshake(tls->ssl);
    return returned == 1 ? TLS_DONE : result_of(tls, returned, errno, "TLS handshake", error);
}

static enum tls_result failed_before(struct error *error)
{
    error_set(error, SQLSTATE_CONNECTION_FAILURE, "TLS has failed on this connection before");
    return TLS_FAILED;
}

enum tls_result tls_read(struct tls *tls, void *data, size_t size, size_t *done, struct error *error)
{
    *done = 0;
    if (size == 0 || tls->failed)
        return size == 0 ? TLS_DONE : failed_before(error);
    ERR_clear_error();
    errno = 0;
    int returned = SSL_read_ex(tls->ssl, data, size, done);
    return returned == 1 ? TLS_DONE : result_of(tls, returned, errno, "TLS read", error);
}

enum tls_result tls_write(struct tls *tls, const void *data, size_t len, size_t *done, struct error *error)
{
    *done = 0;
    if (len == 0 || tls->failed)
        return len == 0 ? TLS_DONE : failed_before(error);
    ERR_clear_error();
    errno = 0;
    int returned = SSL_write_ex(tls->ssl, data, len, done);
    return returned == 1 ? TLS_DONE : result_of(tls, returned, errno, "TLS write", error);
}

bool tls_pending(const struct tls *tls)
{
    return SSL_pending(tls->ssl) > 0;
}

/* ---- what the handshake found out ---- */

/* RFC 5929: the hash of the certificate's own signature, but never a weaker one than SHA-256. */
size_t tls_server_end_point(const struct tls *tls, unsigned char out[64])
{
    int digest_nid = NID_undef;
    unsigned int len = 0;
    X509 *certificate = tls->accepting ? SSL_get_certificate(tls->ssl) : SSL_get0_peer_certificate(tls->ssl);
    if (certificate == NULL || X509_get_signature_info(certificate, &digest_nid, NULL, NULL, NULL) != 1 ||
        digest_nid == NID_undef) {
        ERR_clear_error();
        return 0;
    }
    const EVP_MD *digest =
        digest_nid == NID_md5 || digest_nid == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(digest_nid);
    if (digest == NULL || EVP_MD_get_size(digest) > 64 || X509_digest(certificate, digest, out, &len) != 1)
        len = 0;
    ERR_clear_error();
    return len;
}

bool tls_peer_common_name(const struct tls *tls, char *out, size_t size)
{
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    bool verified =
        (SSL_get_verify_mode(tls->ssl) & SSL_VERIFY_PEER) && SSL_get_verify_result(tls->ssl) == X509_V_OK;
    if (certificate == NULL || !verified || !SSL_is_init_finished(tls->ssl))
        return false;
    X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0)
        return false;
    unsigned char *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    /* A NUL inside would let "alice\0.evil" pass for alice. */
    bool usable = len > 0 && (size_t)len < size && memchr(text, '\0', (size_t)len) == NULL;
    if (usable) {
        memcpy(out, text, (size_t)len);
        out[len] = '\0';
    }
    OPENSSL_free(text);
    ERR_clear_error();
    return usable;
}

bool tls_alpn_postgresql(const struct tls *tls)
{
    const unsigned char *name;
    unsigned int len;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return len == ALPN_LEN - 1 && memcmp(name, alpn + 1, len) == 0;
}

const char *tls_version(const struct tls *tls)
{
    return SSL_get_version(tls->ssl);
}
