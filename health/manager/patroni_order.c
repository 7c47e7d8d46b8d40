/*
 * What is said to Patroni and what it means by its answer; see patroni_order.h. Its text is shown as it is,
 * as far as it can be printed: it names the reason better than a status does.
 */
#include "health/manager/patroni_order.h"

#include <assert.h>
#include <jansson.h>
#include <stdio.h>

#define SAYS_MAX 161

void patroni_order_write(const char *leader, const char *candidate, char out[PATRONI_ORDER_MAX])
{
    json_t *order = json_pack("{s:s, s:s*}", "leader", leader, "candidate", candidate);
    assert(order); /* names are valid UTF-8: they came as JSON */
    size_t len = json_dumpb(order, out, PATRONI_ORDER_MAX - 1, JSON_COMPACT);
    assert(len < PATRONI_ORDER_MAX);
    out[len] = '\0';
    json_decref(order);
}

/* The first line of what came, on which a page of HTML has nothing to say. */
static void copy_line(const struct rest_answer *answer, char out[SAYS_MAX])
{
    size_t at = 0;
    for (size_t i = 0; i < answer->len && at + 1 < SAYS_MAX && answer->body[i] != '\n'; i++) {
        char byte = answer->body[i];
        out[at++] = byte >= ' ' && byte <= '~' ? byte : '?';
    }
    out[at] = '\0';
    if (at == 0 || out[0] == '<')
        snprintf(out, SAYS_MAX, "status %d", answer->status);
}

bool patroni_order_read(const struct rest_answer *answer, char words[MANAGER_ANSWER_MAX])
{
    char says[SAYS_MAX];
    const char *how = "Patroni gives an answer that is not known";
    if (!answer->came) {
        snprintf(words, MANAGER_ANSWER_MAX, "Patroni cannot be asked: %.160s", answer->error);
        return false;
    }
    copy_line(answer, says);
    bool accepted = answer->status == 200 || answer->status == 202;
    switch (answer->status) {
    case 200:
    case 202: how = "Patroni"; break;
    case 400:
    case 412: how = "Patroni refuses"; break;
    case 401:
    case 403: how = "Patroni does not let rolecall in (patroni_user, patroni_cert_file)"; break;
    case 409: how = "Patroni is at something else"; break;
    case 503: how = "Patroni has given up"; break;
    default: break;
    }
    snprintf(words, MANAGER_ANSWER_MAX, "%s: %s", how, says);
    return accepted;
}
