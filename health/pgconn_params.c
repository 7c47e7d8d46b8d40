/*
 * How libpq is told to connect. Every option that it would otherwise take from a file in somebody's home
 * directory is set here, to a path that cannot exist where nothing is wanted; the environment is cleared by
 * pgconn_clear_environment, because libpq takes an empty value for "not given" and looks there after all.
 */
#include "health/pgconn_params.h"

#include "health/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* Below a device, so stat gives ENOTDIR, which libpq takes for "there is none" without a word. */
#define NO_FILE "/dev/null/none"

static void add(struct pgconn_keywords *keywords, const char *name, const char *value)
{
    if (!value || !value[0])
        return;
    assert(keywords->n < PGCONN_MAX_KEYWORDS);
    char *copy = memory_copy(value);
    keywords->owned[keywords->n] = copy;
    keywords->names[keywords->n] = name;
    keywords->values[keywords->n++] = copy;
}

static void add_number(struct pgconn_keywords *keywords, const char *name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    add(keywords, name, text);
}

static const char *sslmode(const struct config_tls *tls)
{
    switch (tls ? tls->mode : TLS_DISABLE) {
    case TLS_DISABLE: return "disable";
    case TLS_ALLOW: return "prefer";
    case TLS_REQUIRE: return "require";
    case TLS_VERIFY_CA: return "verify-ca";
    case TLS_VERIFY_FULL: return "verify-full";
    }
    return "verify-full";
}

/* The operating system's own list of authorities, where the usual distributions keep it. */
static const char *system_authorities(void)
{
    static const char *const places[] = {"/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (access(places[i], R_OK) == 0)
            return places[i];
    }
    return places[0];
}

/* libpq verifies as soon as it finds a root certificate, with `require` too; so it gets one only when it
 * shall. */
static void add_tls(struct pgconn_keywords *keywords, const struct config_tls *tls)
{
    bool verify = tls && (tls->mode == TLS_VERIFY_CA || tls->mode == TLS_VERIFY_FULL);
    const char *authorities = tls && tls->ca_file ? tls->ca_file : system_authorities();
    add(keywords, "sslmode", sslmode(tls));
    add(keywords, "sslrootcert", verify ? authorities : NO_FILE);
    add(keywords, "sslcert", tls && tls->cert_file ? tls->cert_file : NO_FILE);
    add(keywords, "sslkey", tls && tls->key_file ? tls->key_file : NO_FILE);
    add(keywords, "sslcrl", NO_FILE);
}

static void add_tcp(struct pgconn_keywords *keywords, const struct pgconn_params *params)
{
    add(keywords, "keepalives", "1");
    if (params->tcp_keepalive_ms > 0) {
        uint64_t seconds = (params->tcp_keepalive_ms + 999) / 1000;
        add_number(keywords, "keepalives_idle", seconds);
        add_number(keywords, "keepalives_interval", seconds);
        add_number(keywords, "keepalives_count", 3);
    }
    if (params->tcp_user_timeout_ms > 0)
        add_number(keywords, "tcp_user_timeout", params->tcp_user_timeout_ms);
}

void pgconn_keywords_init(struct pgconn_keywords *keywords, const struct pgconn_params *params)
{
    *keywords = (struct pgconn_keywords){0};
    add(keywords, "host", params->endpoint->host);
    add_number(keywords, "port", params->endpoint->port);
    add(keywords, "dbname", params->database);
    add(keywords, "user", params->user);
    add(keywords, "password", params->password);
    add(keywords, "passfile", NO_FILE);
    add(keywords, "options", params->options);
    add(keywords, "application_name", params->application_name ? params->application_name : "rolecall");
    add(keywords, "client_encoding", "UTF8");
    add(keywords, "target_session_attrs", "any");
    add(keywords, "gssencmode", "disable");
    if (params->replication)
        add(keywords, "replication", "database");
    add_tcp(keywords, params);
    add_tls(keywords, params->tls);
    keywords->hostaddr = keywords->n;
}

void pgconn_keywords_set_address(struct pgconn_keywords *keywords, const char *address)
{
    keywords->names[keywords->hostaddr] = address ? "hostaddr" : NULL;
    keywords->values[keywords->hostaddr] = address;
}

void pgconn_keywords_fini(struct pgconn_keywords *keywords)
{
    for (size_t i = 0; i < keywords->n; i++)
        memory_wipe(keywords->owned[i]);
    *keywords = (struct pgconn_keywords){0};
}
