/*
 * What is known of a user's password. A value type that its owner wipes; never logged. Pure; any thread.
 */
#ifndef ROLECALL_AUTH_SECRET_H
#define ROLECALL_AUTH_SECRET_H

#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECRET_PLAIN_MAX 2048 /* longest plain password, tokens of cloud providers included */
#define SCRAM_KEY_LEN 32
#define SCRAM_SALT_MAX 128

enum secret_kind {
    SECRET_NONE,      /* no password: nothing that a client sends is right */
    SECRET_PLAIN,     /* the password */
    SECRET_MD5,       /* "md5" and 32 hexadecimal digits, as PostgreSQL stores it */
    SECRET_SCRAM,     /* a verifier: enough to check a client, not to log in */
    SECRET_SCRAM_KEYS /* a client's login left these: enough to log in where salt and iterations are the same
                       */
};

/* A SCRAM-SHA-256 verifier, and, for SECRET_SCRAM_KEYS, the client key that fits it. */
struct scram_keys {
    uint32_t iterations;
    size_t salt_len;
    unsigned char salt[SCRAM_SALT_MAX];
    unsigned char stored_key[SCRAM_KEY_LEN];
    unsigned char server_key[SCRAM_KEY_LEN];
    unsigned char client_key[SCRAM_KEY_LEN]; /* SECRET_SCRAM_KEYS only */
};

struct secret {
    enum secret_kind kind;
    union {
        struct {
            size_t len;
            char text[SECRET_PLAIN_MAX + 1]; /* NUL-terminated */
        } plain;
        char md5[36]; /* "md5..." lower case, NUL-terminated */
        struct scram_keys scram;
    };
};

/*
 * As in pg_authid.rolpassword or a userlist: a SCRAM verifier, an md5 hash, or else a plain password. Empty
 * text is SECRET_NONE. False (and SECRET_NONE) when it is too long, holds a NUL, or is a verifier beyond the
 * bounds of scram.h.
 */
bool secret_parse(struct slice text, struct secret *out);

/* Overwrites it all and leaves SECRET_NONE; the compiler may not leave it out. */
void secret_wipe(struct secret *secret);

/* Constant time in the contents, not in the lengths. */
bool secret_equal_bytes(const void *a, const void *b, size_t len);
bool secret_equal_slices(struct slice a, struct slice b);
/* Same kind and contents: tells whether a refetched secret is another one. */
bool secret_same(const struct secret *a, const struct secret *b);

/* Is this the clear-text password of `user`? Works for every kind but SECRET_NONE; costs a full key
   derivation (milliseconds) for the SCRAM kinds. */
bool secret_check_password(const struct secret *secret, struct slice user, struct slice password);

const char *secret_kind_name(enum secret_kind kind);

#endif
