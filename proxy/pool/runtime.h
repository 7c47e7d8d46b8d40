/*
 * A configuration made usable: certificates, user lists and HBA files loaded, with the secrets of this
 * process.
 *
 * Immutable, reference-counted, shared by all workers; a reload makes a new one from the new configuration
 * and sessions keep the one that they began with. Making one reads files (main thread); using one never
 * blocks.
 */
#ifndef ROLECALL_POOL_RUNTIME_H
#define ROLECALL_POOL_RUNTIME_H

#include "conf/config.h"
#include "proxy/auth/hba.h"
#include "proxy/auth/userlist.h"
#include "proxy/stream/tls.h"
#include "proxy/wire/cancel_key.h"

#include <stdint.h>

struct runtime_listener {
    struct tls_context *tls; /* NULL = none */
    struct userlist *users;  /* NULL = none */
    struct hba *hba;         /* NULL unless auth = hba */
};

struct runtime {
    _Atomic uint32_t refs;
    struct config *config;
    struct runtime_listener *listeners; /* as config->listeners */
    struct tls_context **cluster_tls;   /* as config->clusters; NULL entries = none */
    struct cancel_issuer issuer;
    unsigned char mock_key[32];
};

/* Takes a reference to config. `before` (may be NULL) gives the process's secrets. NULL fills the error. */
struct runtime *runtime_new(struct config *config, const struct runtime *before, struct error *error);
struct runtime *runtime_ref(struct runtime *runtime);
void runtime_unref(struct runtime *runtime); /* NULL is allowed */

/* Index of the cluster or listener with this name, or -1. */
int runtime_cluster(const struct runtime *runtime, const char *name);
int runtime_listener(const struct runtime *runtime, const char *name);

#endif
