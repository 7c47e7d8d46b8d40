/* Settings that nodes tell of themselves: synchronous_standby_names and primary_conninfo, any bytes. */
#include "health/failover/conninfo.h"
#include "health/failover/sync_names.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sync_names names;
    char out[CONNINFO_MAX], again[CONNINFO_MAX];
    char *text = strndup((const char *)data, size);
    if (sync_names_parse(text, &names)) {
        assert(names.n <= SYNC_NAMES_LIST_MAX);
        assert(names.n > 0 || names.any || names.acknowledge == 0);
    }
    if (conninfo_repoint(text, "h'\\", 5433, "n", out)) {
        assert(conninfo_names(out, "h'\\", 5433));
        if (conninfo_repoint(
                out, "h'\\", 5433, "n", again)) /* what was made is such a text, and stays the same */
            assert(strcmp(out, again) == 0);
        else
            assert(strlen(out) > CONNINFO_MAX - 64);
    }
    free(text);
    return 0;
}
