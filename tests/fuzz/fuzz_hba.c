/* pg_hba files: as they come, and put together from their own words, so that lines are whole now and then. */
#include "proxy/auth/hba.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice text)
{
    struct error error = {"", ""};
    struct hba *hba = hba_parse(text, "file", &error);
    if (hba == NULL) {
        assert(strcmp(error.sqlstate, "F0000") == 0 && strncmp(error.text, "file", 4) == 0);
        return;
    }
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010203)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const struct sockaddr *const addresses[] = {NULL, (struct sockaddr *)&in, (struct sockaddr *)&in6};
    for (int i = 0; i < 12; i++) {
        struct hba_request request = {.user = slice_from("ann"),
            .database = slice_from(i % 2 ? "ann" : "shop"),
            .replication = i % 4 == 3,
            .tls = i & 4,
            .address = addresses[i % 3]};
        struct hba_verdict verdict;
        if (hba_match(hba, &request, &verdict))
            assert(verdict.line >= 1 && hba_method_name(verdict.method) != NULL);
    }
    hba_unref(hba);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const words[] = {"local ", "host ", "hostssl ", "hostnossl ", "all ", "all ", "ann ",
        "ann,shop ", "sameuser ", "replication ", "\"q q\" ", "10.0.0.0/8 ", "::1/128 ",
        "127.0.0.1 255.0.0.0 ", "trust\n", "scram-sha-256\n", "md5\n", "reject\n", "cert ",
        "clientcert=verify-ca ", "\n", "\n", "\\\n", "# x\n", ",", "\"", "\\", "host all all all trust\n",
        "local all all trust\n", "all all ", "all ", "\r\n"};
    check(slice_of((const char *)data, size));
    char *text = malloc(size * 32 + 1);
    size_t len = 0;
    for (size_t i = 0; i < size; i++) {
        size_t word = strlen(words[data[i] & 31]);
        memcpy(text + len, words[data[i] & 31], word);
        len += word;
    }
    check(slice_of(text, len));
    free(text);
    return 0;
}
