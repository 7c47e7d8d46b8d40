/*
 * Who may log in from where and how: a file in pg_hba.conf's format, loaded: immutable, reference-counted,
 * any thread.
 *
 * Understood: local, host, hostssl, hostnossl, hostnogssenc; databases and users as names, quoted names,
 * comma lists, all, sameuser, replication; addresses as CIDR, address and mask, all; trust, reject,
 * scram-sha-256, md5, password, cert; clientcert=verify-ca | verify-full. Whatever else PostgreSQL knows
 * (groups, host names, regular expressions, includes, other methods) is refused with a clear error, never
 * ignored.
 */
#ifndef ROLECALL_AUTH_HBA_H
#define ROLECALL_AUTH_HBA_H

#include "conf/base/error.h"
#include "conf/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#define HBA_TEXT_MAX (16U << 20)

enum hba_method { HBA_TRUST, HBA_REJECT, HBA_SCRAM, HBA_MD5, HBA_PASSWORD, HBA_CERT };
enum hba_client_cert { HBA_CERT_NONE, HBA_CERT_VERIFY_CA, HBA_CERT_VERIFY_FULL };

struct hba;

struct hba_request {
    struct slice user, database; /* as the client asked */
    bool replication;            /* a physical walsender: matches only the keyword `replication` */
    bool tls;
    const struct sockaddr *address; /* of the client; NULL or AF_UNIX = local */
};

struct hba_verdict {
    enum hba_method method;
    enum hba_client_cert client_cert; /* VERIFY_FULL for `cert` */
    unsigned line;
};

/* One reference is the caller's. NULL fills an error (F0000) that says "NAME line N: ...". */
struct hba *hba_parse(struct slice text, const char *name, struct error *error);
struct hba *hba_ref(struct hba *hba);
void hba_unref(struct hba *hba); /* NULL is allowed */

/* The first line that fits; false when there is none (which means reject). */
bool hba_match(const struct hba *hba, const struct hba_request *request, struct hba_verdict *out);
const char *hba_method_name(enum hba_method method);

#endif
