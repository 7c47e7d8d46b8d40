/*
 * TLS on a descriptor that somebody else polls. The only place, with tls.c, that sees <openssl/ssl.h>.
 *
 * A context holds certificates and rules, is reference-counted and may be shared by threads; a reload makes a
 * new one and streams keep the one that they began with. A tls belongs to one stream and may move with it to
 * another thread.
 */
#ifndef ROLECALL_STREAM_TLS_H
#define ROLECALL_STREAM_TLS_H

#include "conf/base/error.h"
#include "conf/config.h"

#include <stdbool.h>
#include <stddef.h>

struct tls_context;
struct tls;

enum tls_result { TLS_DONE, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };

/* Reads the files now; false-y results (NULL) carry an error that names the file. TLS_DISABLE gives NULL
   without error text set (sqlstate empty). Listener side: cert and key required; verify-ca / verify-full
   require a client certificate signed by ca_file; allow / require do not ask for one unless ca_file is given
   (then it is verified when sent). ALPN: a listener accepts "postgresql" when the client offers ALPN, and
   refuses other offers. TLS 1.2 at least. */
struct tls_context *tls_context_accept(const struct config_tls *config, struct error *error);
/* Node side: verify-ca / verify-full need ca_file (or the system's); require and allow do not verify. */
struct tls_context *tls_context_connect(const struct config_tls *config, struct error *error);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_unref(struct tls_context *context); /* NULL is allowed */

/* The descriptor stays the caller's and is non-blocking. host: the name to verify (verify-full) and to send
 * as SNI. */
struct tls *tls_accept(struct tls_context *context, int fd);
struct tls *tls_connect(struct tls_context *context, int fd, const char *host);
void tls_free(struct tls *tls); /* NULL is allowed; sends close_notify if it can at once */

/* DONE, or WANT_*: call again when the descriptor is ready. FAILED fills error (verify failures in words). */
enum tls_result tls_handshake(struct tls *tls, struct error *error);
/* DONE: *done bytes were moved. CLOSED: orderly end. Never blocks, never raises SIGPIPE. */
enum tls_result tls_read(struct tls *tls, void *data, size_t size, size_t *done, struct error *error);
enum tls_result tls_write(struct tls *tls, const void *data, size_t len, size_t *done, struct error *error);
/* Decrypted bytes that a poll of the descriptor would not tell of. */
bool tls_pending(const struct tls *tls);

/* tls-server-end-point (RFC 5929) of the server's certificate, as PostgreSQL computes it: accept side = own
   certificate, connect side = the peer's. Returns the length (0: none), at most 64. */
size_t tls_server_end_point(const struct tls *tls, unsigned char out[64]);
/* The verified client certificate's common name; false when there is none. */
bool tls_peer_common_name(const struct tls *tls, char *out, size_t size);
/* True when the peer negotiated ALPN "postgresql" (required for direct TLS). */
bool tls_alpn_postgresql(const struct tls *tls);
const char *tls_version(const struct tls *tls);

#endif
