/*
 * Basic authentication; see http_login.h. Names and passwords are compared by their digests, so that neither
 * their length nor a common beginning shows in the time it takes. Wrong ones are logged once a second at
 * most.
 */
#include "proxy/front/http_login.h"

#include "conf/base/clock.h"
#include "conf/base/log.h"
#include "proxy/auth/secret.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#define LOG_EVERY_US 1000000

static bool same(const char *a, const char *b)
{
    unsigned char of_a[SHA256_DIGEST_LENGTH], of_b[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)a, strlen(a), of_a);
    SHA256((const unsigned char *)b, strlen(b), of_b);
    return secret_equal_bytes(of_a, of_b, sizeof of_a);
}

static void note_failure(struct login_failures *failures)
{
    uint64_t now_us = clock_now_us();
    failures->count++;
    if (failures->since_us && now_us - failures->since_us < LOG_EVERY_US)
        return;
    log_event(LOG_WARNING, "http_login_failed", "count=%llu", (unsigned long long)failures->count);
    *failures = (struct login_failures){.since_us = now_us};
}

bool login_is_good(
    const struct config_http *config, struct MHD_Connection *connection, struct login_failures *failures)
{
    char *password = NULL;
    if (!config->user)
        return true;
    char *user = MHD_basic_auth_get_username_password(connection, &password);
    bool said = user && password;
    bool user_fits = said && same(user, config->user);
    bool password_fits = said && same(password, config->password);
    if (password)
        explicit_bzero(password, strlen(password));
    MHD_free(user);
    MHD_free(password);
    if (said && !(user_fits && password_fits))
        note_failure(failures);
    return user_fits && password_fits;
}
