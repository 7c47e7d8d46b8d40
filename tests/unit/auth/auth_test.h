/* What the tests of this room share: cmocka with its includes, slices from literals, secrets from texts. */
#ifndef ROLECALL_TESTS_AUTH_TEST_H
#define ROLECALL_TESTS_AUTH_TEST_H

#include "conf/base/slice.h"
#include "proxy/auth/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LITERAL(text) slice_of((text), sizeof(text) - 1)

/* Made by PostgreSQL 15: create role ann password 'pencil'. */
#define PENCIL_VERIFIER                                                                                      \
    "SCRAM-SHA-256$4096:rjEy740u8wNq1/ugwVpKBA==$dhaabIJ3dbZKmKfJ7dSK5AAiSsLC5IRTRtsPNDu7rHM=:+TzNRK+"       \
    "LkYBoXgDkKMCX5rJ2REKHX5kjQC56DpdDPBQ="
/* Made by PostgreSQL 15: create role mdu password 'pencil' under password_encryption = md5. */
#define PENCIL_MD5_OF_MDU "md5d504967f44e0c6062c7e5c2a8d42aac1"

static inline struct secret secret_from(const char *text)
{
    struct secret secret;
    assert_true(secret_parse(slice_from(text), &secret));
    return secret;
}

#endif
