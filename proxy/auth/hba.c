/*
 * Who may log in from where and how: the rules, and the search for the first that fits.
 *
 * A connection is compared with each rule in the order of the file, as PostgreSQL's check_hba does: kind of
 * connection, address, database, user. No rule means no entry. An IPv4 client on a dual-stack socket
 * (::ffff:a.b.c.d) is compared as the IPv4 address that it is; PostgreSQL never sees such addresses.
 */
#include "proxy/auth/hba.h"

#include "proxy/auth/hba_private.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static bool read_lines(struct hba *hba, size_t len, const char *name, struct error *error)
{
    struct hba_lexer lexer = {.at = hba->text, .end = hba->text + len, .number = 1, .name = name};
    struct hba_line *line = malloc(sizeof *line);
    if (line == NULL)
        return error_set(error, SQLSTATE_OUT_OF_MEMORY, "%s: out of memory", name);
    enum hba_line_result result;
    while ((result = hba_next_line(&lexer, line, error)) == HBA_LINE) {
        if (!hba_add_line(hba, line, name, error)) {
            result = HBA_LINE_BAD;
            break;
        }
    }
    free(line);
    return result == HBA_LINES_END;
}

struct hba *hba_parse(struct slice text, const char *name, struct error *error)
{
    if (text.len > HBA_TEXT_MAX || (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)) {
        error_set(error, SQLSTATE_CONFIG_FILE_ERROR, "%s: %s", name,
            text.len > HBA_TEXT_MAX ? "longer than 16 MB" : "holds a NUL byte, so it is no text file");
        return NULL;
    }
    struct hba *hba = calloc(1, sizeof *hba);
    if (hba == NULL || (hba->text = malloc(text.len + 1)) == NULL) {
        free(hba);
        error_set(error, SQLSTATE_OUT_OF_MEMORY, "%s: out of memory", name);
        return NULL;
    }
    atomic_init(&hba->refs, 1);
    if (text.len > 0)
        memcpy(hba->text, text.data, text.len);
    hba->text[text.len] = '\0';
    if (!read_lines(hba, text.len, name, error)) {
        hba_unref(hba);
        return NULL;
    }
    return hba;
}

struct hba *hba_ref(struct hba *hba)
{
    atomic_fetch_add_explicit(&hba->refs, 1, memory_order_relaxed);
    return hba;
}

void hba_unref(struct hba *hba)
{
    if (hba == NULL || atomic_fetch_sub_explicit(&hba->refs, 1, memory_order_acq_rel) > 1)
        return;
    free(hba->text);
    free(hba->rules);
    free(hba->names);
    free(hba);
}

/* The client's address as rules have it. */
struct peer {
    int family; /* AF_UNIX, AF_INET, AF_INET6 */
    unsigned char address[16];
};

static struct peer peer_of(const struct sockaddr *address)
{
    struct peer peer = {.family = AF_UNIX};
    if (address != NULL && address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        peer.family = AF_INET;
        memcpy(peer.address, &in.sin_addr, 4);
    } else if (address != NULL && address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
        peer.family = mapped ? AF_INET : AF_INET6;
        memcpy(peer.address, in6.sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
    }
    return peer;
}

static bool type_fits(const struct hba_rule *rule, const struct peer *peer, bool tls)
{
    switch (rule->type) {
    case HBA_LOCAL: return peer->family == AF_UNIX;
    case HBA_HOST: return peer->family != AF_UNIX;
    case HBA_HOSTSSL: return peer->family != AF_UNIX && tls;
    case HBA_HOSTNOSSL: return peer->family != AF_UNIX && !tls;
    }
    return false;
}

static bool address_fits(const struct hba_rule *rule, const struct peer *peer)
{
    if (rule->type == HBA_LOCAL || rule->family == AF_UNSPEC)
        return true;
    if (rule->family != peer->family)
        return false;
    for (size_t i = 0; i < (rule->family == AF_INET ? 4 : 16); i++)
        if ((rule->address[i] ^ peer->address[i]) & rule->mask[i])
            return false;
    return true;
}

static bool database_fits(const struct hba_name *name, const struct hba_request *request)
{
    if (request->replication)
        return name->kind == HBA_REPLICATION;
    switch (name->kind) {
    case HBA_ALL: return true;
    case HBA_SAMEUSER: return slice_equal(request->database, request->user);
    case HBA_REPLICATION: return false;
    case HBA_NAME: return slice_is(request->database, name->text);
    }
    return false;
}

static bool names_fit(const struct hba *hba, const struct hba_rule *rule, const struct hba_request *request)
{
    const struct hba_name *name = hba->names + rule->first_name;
    bool fits = false;
    for (size_t i = 0; i < rule->n_databases && !fits; i++)
        fits = database_fits(&name[i], request);
    if (!fits)
        return false;
    name += rule->n_databases;
    for (size_t i = 0; i < rule->n_users; i++)
        if (name[i].kind == HBA_ALL || slice_is(request->user, name[i].text))
            return true;
    return false;
}

bool hba_match(const struct hba *hba, const struct hba_request *request, struct hba_verdict *out)
{
    struct peer peer = peer_of(request->address);
    for (size_t i = 0; i < hba->n_rules; i++) {
        const struct hba_rule *rule = &hba->rules[i];
        if (!type_fits(rule, &peer, request->tls) || !address_fits(rule, &peer) ||
            !names_fit(hba, rule, request))
            continue;
        *out = (struct hba_verdict){rule->method, rule->client_cert, rule->line};
        return true;
    }
    return false;
}
