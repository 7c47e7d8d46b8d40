/*
 * HTTP on the control thread's loop: one GET or POST per call, each with its own connection and deadline, so
 * that an answer that hangs delays no other. The only place that knows libcurl.
 *
 * Control thread only. Answers are foreign bytes, bounded in size and handed over as they came.
 */
#ifndef ROLECALL_HEALTH_MANAGER_REST_H
#define ROLECALL_HEALTH_MANAGER_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define REST_URL_MAX 512
#define REST_BODY_MAX (256 * 1024)
#define REST_ERROR_MAX 256

enum rest_verify {
    REST_VERIFY_NONE, /* TLS without a look at the certificate */
    REST_VERIFY_CA,   /* it comes from a known authority */
    REST_VERIFY_FULL  /* ... and is the host's */
};

/* How to ask. Strings are only read during rest_get and rest_post; NULL = not given. */
struct rest_manners {
    enum rest_verify verify;
    const char *ca_file, *cert_file, *key_file;
    const char *user, *password; /* basic authentication */
    uint64_t deadline_ms;        /* for all of it, the name's resolution included */
};

struct rest_answer {
    bool came;        /* an answer with a status, its whole body read; else `error` says why not */
    int status;       /* 200, 503 ... */
    const char *body; /* valid during the callback */
    size_t len;
    char error[REST_ERROR_MAX];
};

struct rest;
struct rest_call;

typedef void rest_done(void *context, const struct rest_answer *answer);

/* NULL when libcurl gives nothing. */
struct rest *rest_open(uv_loop_t *loop);

/* `done` is called once, from the loop, unless the call is dropped before. Never NULL. */
struct rest_call *rest_get(
    struct rest *rest, const char *url, const struct rest_manners *manners, void *context, rest_done *done);

/* The same with a POST of this JSON, which is copied. */
struct rest_call *rest_post(struct rest *rest, const char *url, const char *json,
    const struct rest_manners *manners, void *context, rest_done *done);

/* No callback afterwards. NULL is allowed; not from within `done` of the same call. */
void rest_drop(struct rest_call *call);

/* All calls must have ended or been dropped. The memory goes when the loop has closed the handles. NULL is
 * allowed. */
void rest_close(struct rest *rest);

#endif
