/* Patroni's answers: as they come, and put together from their own words, so that members are whole now and
 * then. */
#include "health/manager/patroni_json.h"
#include "health/manager/patroni_order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t size)
{
    assert(memchr(text, '\0', size) != NULL);
}

static void check_order(const char *body, size_t len)
{
    static const int statuses[] = {200, 202, 400, 401, 403, 404, 409, 412, 503};
    struct rest_answer answer = {.came = true, .body = body, .len = len};
    char words[MANAGER_ANSWER_MAX];
    answer.status = statuses[len % (sizeof statuses / sizeof *statuses)];
    assert(patroni_order_read(&answer, words) == (answer.status < 300));
    check_text(words, sizeof words);
    for (const char *byte = words; *byte; byte++)
        assert(*byte >= ' ' && *byte <= '~');
}

static void check(const char *body, size_t len)
{
    check_order(body, len);
    static struct patroni_cluster cluster;
    struct patroni_status status;
    struct manager_word word;
    const char *why = NULL;
    if (patroni_read_status(body, len, &status, &why)) {
        for (int lock = 0; lock < 2; lock++) {
            patroni_word(&status, lock, &word);
            assert(lock ? word.role == MANAGER_PRIMARY || word.role == MANAGER_LEAVING
                        : word.role == MANAGER_NONE || word.role == MANAGER_REPLICA);
            assert(word.why[0] != '\0');
            check_text(word.why, sizeof word.why);
        }
    } else {
        assert(why != NULL);
    }
    if (!patroni_read_cluster(body, len, &cluster, &why))
        return;
    assert(cluster.n <= TOPOLOGY_MAX_NODES);
    for (size_t i = 0; i < cluster.n; i++) {
        const struct patroni_member *member = &cluster.members[i];
        check_text(member->member.name, sizeof member->member.name);
        check_text(member->member.host, sizeof member->member.host);
        check_text(member->url, sizeof member->url);
        assert(member->member.host[0] != '\0' && member->member.port > 0);
        assert(strncasecmp(member->url, "http", 4) == 0 && !strpbrk(member->url + 8, "/ \n"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"{", "}", "[", "]", ",", ":", "\"members\":[", "{\"name\":\"a\",",
        "\"host\":\"h\",", "\"port\":5432,", "\"api_url\":\"http://h:8008/patroni\"", "},", "]}",
        "\"role\":\"master\"", "\"role\":\"replica\"", "\"state\":\"stopping\"",
        "\"tags\":{\"noloadbalance\":true}", "\"pause\":true", "null", "true", "-1e99", "\"\\u0000\"",
        "\"\\ud800\"", "65536", "\"https://[::1]:1\"", "\"scheduled_switchover\":{\"at\":\"x\"}",
        "{\"name\":\"b\",\"host\":\"h\",\"port\":1,\"api_url\":\"http://x/\"}", "{\"role\":\"demoted\"}",
        "\"", "\\", "\xff", " "};
    check((const char *)data, size);
    char *text = malloc(size * 64 + 1);
    size_t len = 0;
    for (size_t i = 0; i < size; i++) {
        size_t word = strlen(words[data[i] & 31]);
        memcpy(text + len, words[data[i] & 31], word);
        len += word;
    }
    check(text, len);
    free(text);
    return 0;
}
