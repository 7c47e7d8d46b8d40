/*
 * Who is watched; see roster.h. Names must be unique and of the characters that a [node NAME] may have, since
 * commands and metrics use them: other characters become '_', and a name that is taken gets its port behind
 * it. Members that were there before keep their places, so that a list that comes in another order changes
 * nothing.
 */
#include "health/roster.h"

#include "health/memory.h"

#include <stdio.h>
#include <strings.h>

#define DEFAULT_WEIGHT 100

static void add(struct roster *roster, const char *name, const char *host, const struct config_node *like)
{
    roster->nodes[roster->n++] = (struct config_node){.name = memory_copy(name),
        .host = memory_copy(host),
        .port = like->port,
        .weight = like->weight,
        .max_connections = like->max_connections};
}

static bool is_at(const struct config_node *node, const char *host, uint16_t port)
{
    return node->port == port && strcasecmp(node->host, host) == 0;
}

static const struct config_node *find_at(
    const struct config_node *nodes, size_t n, const char *host, uint16_t port)
{
    for (size_t i = 0; i < n; i++) {
        if (is_at(&nodes[i], host, port))
            return &nodes[i];
    }
    return NULL;
}

static const struct manager_member *find_member(
    const struct manager_members *members, const struct config_node *node)
{
    for (size_t i = 0; i < members->n; i++) {
        if (is_at(node, members->list[i].host, members->list[i].port))
            return &members->list[i];
    }
    return NULL;
}

/* By a node that stands in the roster, or that will: its section names it. */
static bool is_taken(const struct roster *roster, const struct config_cluster *cluster,
    const struct manager_members *members, const char *name)
{
    for (size_t i = 0; i < roster->n; i++) {
        if (strcmp(roster->nodes[i].name, name) == 0)
            return true;
    }
    for (size_t i = 0; i < cluster->n_nodes; i++) {
        if (strcmp(cluster->nodes[i].name, name) == 0 && find_member(members, &cluster->nodes[i]))
            return true;
    }
    return false;
}

static void clean_name(const char *given, char name[NODE_NAME_MAX])
{
    snprintf(name, NODE_NAME_MAX, "%s", given[0] ? given : "node");
    for (char *at = name; *at; at++) {
        bool letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
        if (!letter && !strchr("_.-", *at))
            *at = '_';
    }
}

static void make_name(const struct roster *roster, const struct config_cluster *cluster,
    const struct manager_members *members, const struct manager_member *member, char name[NODE_NAME_MAX])
{
    char base[NODE_NAME_MAX];
    clean_name(member->name, base);
    snprintf(name, NODE_NAME_MAX, "%s", base);
    for (unsigned number = member->port; is_taken(roster, cluster, members, name); number++)
        snprintf(name, NODE_NAME_MAX, "%.50s_%u", base, number);
}

static void add_member(struct roster *roster, const struct config_cluster *cluster,
    const struct manager_members *members, const struct manager_member *member)
{
    char name[NODE_NAME_MAX];
    const struct config_node *configured =
        find_at(cluster->nodes, cluster->n_nodes, member->host, member->port);
    if (find_at(roster->nodes, roster->n, member->host, member->port))
        return;
    if (configured) {
        add(roster, configured->name, configured->host, configured);
        return;
    }
    const struct config_node usual = {.port = member->port, .weight = DEFAULT_WEIGHT};
    make_name(roster, cluster, members, member, name);
    add(roster, name, member->host, &usual);
}

static bool same(const struct roster *a, const struct roster *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct config_node *one = &a->nodes[i], *other = &b->nodes[i];
        if (one->port != other->port || strcmp(one->host, other->host) != 0 ||
            strcmp(one->name, other->name) != 0)
            return false;
    }
    return true;
}

bool roster_update(
    struct roster *roster, const struct config_cluster *cluster, const struct manager_members *members)
{
    struct roster before = *roster;
    roster->n = 0;
    for (size_t i = 0; !members && i < cluster->n_nodes; i++)
        add(roster, cluster->nodes[i].name, cluster->nodes[i].host, &cluster->nodes[i]);
    for (size_t i = 0; members && i < before.n; i++) {
        const struct manager_member *member = find_member(members, &before.nodes[i]);
        if (member)
            add_member(roster, cluster, members, member);
    }
    for (size_t i = 0; members && i < members->n; i++)
        add_member(roster, cluster, members, &members->list[i]);
    bool changed = !same(roster, &before);
    roster_fini(&before);
    return changed;
}

void roster_fini(struct roster *roster)
{
    for (size_t i = 0; i < roster->n; i++) {
        free(roster->nodes[i].name);
        free(roster->nodes[i].host);
    }
    roster->n = 0;
}
