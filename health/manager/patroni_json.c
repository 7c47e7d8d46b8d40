/*
 * Reading Patroni; see patroni_json.h. Members that are incomplete (a node that is being made) are left out,
 * and so are those past the 64th; what is not known is passed over, so that later versions may say more.
 */
#include "health/manager/patroni_json.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static json_t *load(const char *body, size_t len, const char **why)
{
    json_error_t error;
    json_t *root = json_loadb(body, len, 0, &error);
    if (!root)
        *why = "the answer is no JSON";
    else if (!json_is_object(root))
        *why = "the answer is no JSON object";
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

/* False when it is absent, no string, or longer than there is room. */
static bool copy_text(const json_t *object, const char *key, char *out, size_t size)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    out[0] = '\0';
    if (!text || json_string_length(value) >= size || strlen(text) != json_string_length(value))
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

/* Patroni's tags are as the operator wrote them: true, "true", "yes", 1. */
static bool is_set(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    if (text)
        return strcasecmp(text, "true") == 0 || strcasecmp(text, "yes") == 0 || strcasecmp(text, "on") == 0 ||
               strcmp(text, "1") == 0;
    return json_is_true(value) || (json_is_integer(value) && json_integer_value(value) != 0);
}

bool patroni_read_status(const char *body, size_t len, struct patroni_status *out, const char **why)
{
    json_t *root = load(body, len, why);
    memset(out, 0, sizeof *out);
    if (!root)
        return false;
    bool good = copy_text(root, "role", out->role, sizeof out->role);
    if (!good)
        *why = "the answer names no role";
    const json_t *tags = json_object_get(root, "tags");
    copy_text(root, "state", out->state, sizeof out->state);
    out->paused = is_set(root, "pause");
    out->failsafe = is_set(root, "failsafe_mode_is_active");
    out->sync_standby = is_set(root, "sync_standby");
    out->noloadbalance = is_set(tags, "noloadbalance");
    out->nofailover = is_set(tags, "nofailover");
    out->nosync = is_set(tags, "nosync");
    json_decref(root);
    return good;
}

static bool is_one_word(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7F)
            return false;
    }
    return len > 0;
}

bool patroni_base_url(const char *url, char out[REST_URL_MAX])
{
    size_t scheme = strncasecmp(url, "http://", 7) == 0 ? 7 : strncasecmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t len = scheme + strcspn(url + scheme, "/?#");
    if (scheme == 0 || len == scheme || len >= REST_URL_MAX || !is_one_word(url, len))
        return false;
    memcpy(out, url, len);
    out[len] = '\0';
    return true;
}

static bool read_member(const json_t *object, struct patroni_member *out)
{
    char url[REST_URL_MAX];
    json_int_t port = json_integer_value(json_object_get(object, "port"));
    if (!copy_text(object, "name", out->member.name, sizeof out->member.name) ||
        !copy_text(object, "host", out->member.host, sizeof out->member.host) ||
        !is_one_word(out->member.host, strlen(out->member.host)) || strpbrk(out->member.host, ",/") ||
        port < 1 || port > 65535)
        return false;
    out->member.port = (uint16_t)port;
    return copy_text(object, "api_url", url, sizeof url) && patroni_base_url(url, out->url);
}

bool patroni_read_cluster(const char *body, size_t len, struct patroni_cluster *out, const char **why)
{
    json_t *root = load(body, len, why), *member;
    size_t i;
    memset(out, 0, sizeof *out);
    if (!root)
        return false;
    json_t *members = json_object_get(root, "members");
    bool good = json_is_array(members);
    if (!good)
        *why = "the answer lists no members";
    json_array_foreach(members, i, member)
    {
        if (out->n < TOPOLOGY_MAX_NODES && read_member(member, &out->members[out->n]))
            out->n++;
    }
    const json_t *switchover = json_object_get(root, "scheduled_switchover");
    out->paused = is_set(root, "pause");
    copy_text(switchover, "at", out->switchover_at, sizeof out->switchover_at);
    copy_text(switchover, "from", out->switchover_from, sizeof out->switchover_from);
    copy_text(switchover, "to", out->switchover_to, sizeof out->switchover_to);
    json_decref(root);
    return good;
}

/* --- the word --- */

static bool is(const char *word, const char *other)
{
    return strcmp(word, other) == 0;
}

static bool runs_as_primary(const struct patroni_status *status)
{
    return is(status->role, "master") || is(status->role, "primary");
}

static enum manager_role role_of(const struct patroni_status *status, bool holds_lock, const char **says)
{
    if (holds_lock && runs_as_primary(status) && is(status->state, "stopping")) {
        *says = "Patroni is stopping it";
        return MANAGER_LEAVING;
    }
    if (holds_lock) {
        *says = "Patroni says that it holds the leader lock";
        return MANAGER_PRIMARY;
    }
    if (is(status->role, "replica")) {
        *says = "Patroni calls it a replica";
        return MANAGER_REPLICA;
    }
    if (is(status->role, "standby_leader")) {
        *says = "Patroni calls it the leader of a standby cluster";
        return MANAGER_REPLICA;
    }
    *says = runs_as_primary(status)             ? "it does not hold Patroni's leader lock"
            : is(status->role, "demoted")       ? "Patroni has demoted it"
            : is(status->role, "uninitialized") ? "Patroni has not initialized it"
                                                : "Patroni gives it no role";
    return MANAGER_NONE;
}

void patroni_word(const struct patroni_status *status, bool holds_lock, struct manager_word *out)
{
    const char *says;
    memset(out, 0, sizeof *out);
    out->role = role_of(status, holds_lock, &says);
    out->no_reads = status->noloadbalance;
    out->leads_standbys = out->role == MANAGER_REPLICA && is(status->role, "standby_leader");
    snprintf(out->why, sizeof out->why, "%s%s%s%s%s%s%s", says, status->sync_standby ? ", sync standby" : "",
        status->noloadbalance ? ", noloadbalance" : "", status->nofailover ? ", nofailover" : "",
        status->nosync ? ", nosync" : "", status->failsafe ? ", in failsafe mode" : "",
        status->paused ? ", paused" : "");
}
