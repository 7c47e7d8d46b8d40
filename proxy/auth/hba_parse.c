/*
 * From the words of a line to a rule.
 *
 *     type  database,...  user,...  [address [mask]]  method  [name=value]...
 *
 * What PostgreSQL knows and rolecall does not is told apart from what nobody knows: a line that was skipped
 * or read loosely would open or close a door that the operator did not mean.
 */
#include "proxy/auth/hba_private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* A line being read: the next word, and where to complain. */
struct cursor {
    const struct hba_line *line;
    size_t at;
    const char *name;
    struct error *error;
};

static bool complain(struct cursor *cursor, const char *what, const char *word)
{
    return error_set(cursor->error, SQLSTATE_CONFIG_FILE_ERROR, "%s line %u: %s%s%.100s%s", cursor->name,
        cursor->line->number, what, word ? " \"" : "", word ? word : "", word ? "\"" : "");
}

/* The next word, which must be a field of its own. */
static const struct hba_word *single(struct cursor *cursor, const char *field)
{
    if (cursor->at == cursor->line->n) {
        error_set(cursor->error, SQLSTATE_CONFIG_FILE_ERROR, "%s line %u: the line ends before the %s",
            cursor->name, cursor->line->number, field);
        return NULL;
    }
    const struct hba_word *word = &cursor->line->words[cursor->at++];
    if (word->list_goes_on) {
        error_set(cursor->error, SQLSTATE_CONFIG_FILE_ERROR, "%s line %u: only one value is allowed as %s",
            cursor->name, cursor->line->number, field);
        return NULL;
    }
    return word;
}

static bool is_keyword(const struct hba_word *word, const char *keyword)
{
    return !word->quoted && strcmp(word->text, keyword) == 0;
}

static bool parse_type(struct cursor *cursor, struct hba_rule *rule)
{
    const struct hba_word *word = single(cursor, "connection type");
    if (word == NULL)
        return false;
    if (is_keyword(word, "local"))
        rule->type = HBA_LOCAL;
    else if (is_keyword(word, "host") || is_keyword(word, "hostnogssenc"))
        rule->type = HBA_HOST; /* rolecall never encrypts by GSSAPI */
    else if (is_keyword(word, "hostssl"))
        rule->type = HBA_HOSTSSL;
    else if (is_keyword(word, "hostnossl"))
        rule->type = HBA_HOSTNOSSL;
    else if (is_keyword(word, "hostgssenc"))
        return complain(cursor, "GSSAPI encryption is not supported: connection type", word->text);
    else if (!word->quoted && strncmp(word->text, "include", 7) == 0)
        return complain(cursor, "including files is not supported:", word->text);
    else
        return complain(cursor, "unknown connection type", word->text);
    return true;
}

static bool parse_name(
    struct cursor *cursor, const struct hba_word *word, bool database, struct hba_name *out)
{
    *out = (struct hba_name){.kind = HBA_NAME, .text = word->text};
    if (is_keyword(word, "all")) {
        out->kind = HBA_ALL;
    } else if (database && is_keyword(word, "sameuser")) {
        out->kind = HBA_SAMEUSER;
    } else if (database && is_keyword(word, "replication")) {
        out->kind = HBA_REPLICATION;
    } else if (database && (is_keyword(word, "samerole") || is_keyword(word, "samegroup"))) {
        return complain(
            cursor, "membership in roles is not known here, so this is not supported:", word->text);
    } else if (!word->quoted && word->text[0] == '+') {
        return complain(
            cursor, "membership in roles is not known here, so this is not supported:", word->text);
    } else if (!word->quoted && word->text[0] == '@') {
        return complain(cursor, "including files is not supported:", word->text);
    } else if (!word->quoted && word->text[0] == '/') {
        return complain(cursor, "regular expressions are not supported:", word->text);
    }
    return true;
}

static bool add_name(struct cursor *cursor, struct hba *hba, struct hba_name name)
{
    if (hba->n_names == hba->cap_names) {
        size_t cap = hba->cap_names ? hba->cap_names * 2 : 64;
        struct hba_name *names = reallocarray(hba->names, cap, sizeof *names);
        if (names == NULL)
            return complain(cursor, "out of memory", NULL);
        hba->names = names;
        hba->cap_names = cap;
    }
    hba->names[hba->n_names++] = name;
    return true;
}

/* A list of databases or users. */
static bool parse_names(struct cursor *cursor, struct hba *hba, bool database, size_t *n)
{
    const struct hba_line *line = cursor->line;
    if (cursor->at == line->n)
        return complain(
            cursor, database ? "the line ends before the database" : "the line ends before the user", NULL);
    bool goes_on = true;
    for (*n = 0; goes_on; ++*n) {
        const struct hba_word *word = &line->words[cursor->at++];
        struct hba_name name;
        if (!parse_name(cursor, word, database, &name) || !add_name(cursor, hba, name))
            return false;
        goes_on = word->list_goes_on;
    }
    return true;
}

static bool parse_ip(const char *text, int *family, unsigned char out[16])
{
    memset(out, 0, 16);
    *family = strchr(text, ':') ? AF_INET6 : AF_INET;
    return inet_pton(*family, text, out) == 1;
}

/* The number of bits after the slash. */
static bool parse_prefix(const char *text, int family, unsigned char mask[16])
{
    size_t len = strlen(text);
    if (len == 0 || len > 3 || strspn(text, "0123456789") != len)
        return false;
    unsigned bits = (unsigned)strtoul(text, NULL, 10);
    if (bits > (family == AF_INET ? 32 : 128))
        return false;
    memset(mask, 0, 16);
    for (unsigned i = 0; i < bits; i++)
        mask[i / 8] |= (unsigned char)(0x80 >> i % 8);
    return true;
}

static bool parse_mask(struct cursor *cursor, struct hba_rule *rule)
{
    int family;
    const struct hba_word *word = single(cursor, "address mask");
    if (word == NULL)
        return false;
    if (!parse_ip(word->text, &family, rule->mask))
        return complain(cursor, "not an address mask (the address before it has no /bits):", word->text);
    if (family != rule->family)
        return complain(cursor, "address and mask are not of the same family:", word->text);
    return true;
}

static bool parse_address(struct cursor *cursor, struct hba_rule *rule)
{
    static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};
    char address[INET6_ADDRSTRLEN];
    const struct hba_word *word = single(cursor, "address");
    if (word == NULL)
        return false;
    if (is_keyword(word, "all")) {
        rule->family = AF_UNSPEC;
        return true;
    }
    if (is_keyword(word, "samehost") || is_keyword(word, "samenet"))
        return complain(cursor, "write the addresses instead, this is not supported:", word->text);
    const char *slash = strchr(word->text, '/');
    size_t len = slash ? (size_t)(slash - word->text) : strlen(word->text);
    if (len >= sizeof address)
        return complain(cursor, "not an address:", word->text);
    memcpy(address, word->text, len);
    address[len] = '\0';
    if (!parse_ip(address, &rule->family, rule->address))
        return complain(cursor, "not a numeric address (host names are not supported):", word->text);
    if (rule->family == AF_INET6 && memcmp(rule->address, v4_mapped, sizeof v4_mapped) == 0)
        return complain(
            cursor, "clients are compared by their IPv4 address, write that instead of", word->text);
    if (slash == NULL)
        return parse_mask(cursor, rule);
    if (!parse_prefix(slash + 1, rule->family, rule->mask))
        return complain(cursor, "invalid number of bits in", word->text);
    return true;
}

static const struct {
    const char *word;
    enum hba_method method;
} methods[] = {{"trust", HBA_TRUST}, {"reject", HBA_REJECT}, {"scram-sha-256", HBA_SCRAM}, {"md5", HBA_MD5},
    {"password", HBA_PASSWORD}, {"cert", HBA_CERT}};

const char *hba_method_name(enum hba_method method)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        if (methods[i].method == method)
            return methods[i].word;
    return "unknown";
}

static bool parse_method(struct cursor *cursor, struct hba_rule *rule)
{
    static const char *const others[] = {
        "peer", "ident", "gss", "sspi", "ldap", "radius", "pam", "bsd", "krb5", "crypt", "oauth"};
    const struct hba_word *word = single(cursor, "authentication method");
    if (word == NULL)
        return false;
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(word->text, methods[i].word) != 0)
            continue;
        rule->method = methods[i].method;
        rule->client_cert = rule->method == HBA_CERT ? HBA_CERT_VERIFY_FULL : HBA_CERT_NONE;
        if (rule->method == HBA_CERT && rule->type != HBA_HOSTSSL)
            return complain(cursor, "only hostssl lines can have the authentication method", word->text);
        return true;
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(word->text, others[i]) == 0)
            return complain(cursor, "this authentication method is not supported:", word->text);
    return complain(cursor, "unknown authentication method", word->text);
}

static bool parse_option(struct cursor *cursor, struct hba_rule *rule)
{
    const struct hba_word *word = single(cursor, "option");
    if (word == NULL)
        return false;
    if (strncmp(word->text, "clientcert=", 11) != 0)
        return complain(cursor,
            strchr(word->text, '=') ? "this option is not supported:" : "an option is written name=value:",
            word->text);
    const char *value = word->text + 11;
    if (rule->type != HBA_HOSTSSL)
        return complain(cursor, "only hostssl lines can have the option", word->text);
    if (strcmp(value, "verify-full") == 0)
        rule->client_cert = HBA_CERT_VERIFY_FULL;
    else if (strcmp(value, "verify-ca") != 0)
        return complain(cursor, "clientcert is verify-ca or verify-full, not", value);
    else if (rule->method == HBA_CERT)
        return complain(cursor, "the method cert is always verify-full, not", value);
    else
        rule->client_cert = HBA_CERT_VERIFY_CA;
    return true;
}

static bool add_rule(struct cursor *cursor, struct hba *hba, const struct hba_rule *rule)
{
    if (hba->n_rules == hba->cap_rules) {
        size_t cap = hba->cap_rules ? hba->cap_rules * 2 : 32;
        struct hba_rule *rules = reallocarray(hba->rules, cap, sizeof *rules);
        if (rules == NULL)
            return complain(cursor, "out of memory", NULL);
        hba->rules = rules;
        hba->cap_rules = cap;
    }
    hba->rules[hba->n_rules++] = *rule;
    return true;
}

bool hba_add_line(struct hba *hba, const struct hba_line *line, const char *name, struct error *error)
{
    struct cursor cursor = {.line = line, .name = name, .error = error};
    struct hba_rule rule = {.line = line->number, .first_name = hba->n_names};
    if (!parse_type(&cursor, &rule) || !parse_names(&cursor, hba, true, &rule.n_databases) ||
        !parse_names(&cursor, hba, false, &rule.n_users))
        return false;
    if (rule.type != HBA_LOCAL && !parse_address(&cursor, &rule))
        return false;
    if (!parse_method(&cursor, &rule))
        return false;
    while (cursor.at < line->n)
        if (!parse_option(&cursor, &rule))
            return false;
    return add_rule(&cursor, hba, &rule);
}
