/* Any bytes: classing never reads outside the text, its culprit lies inside, and it says the same twice. */
#include "router/classify.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct slice text, const struct catalogue *catalogue, bool standard_strings)
{
    struct classification once, again;
    classify(text, catalogue, standard_strings, &once);
    classify(text, catalogue, standard_strings, &again);
    if (once.class != again.class || once.reason != again.reason || once.flags != again.flags ||
        once.pins != again.pins || once.frees != again.frees || once.statements != again.statements ||
        once.culprit.data != again.culprit.data || once.culprit.len != again.culprit.len)
        abort();
    if (text.len > 0 &&
        (once.culprit.data < text.data || once.culprit.data + once.culprit.len > text.data + text.len))
        abort();
    if (once.class == STATEMENT_READ && once.pins)
        abort(); /* a replica's session must not be changed */
    if (once.reason >= REASON_COUNT || once.statements > text.len)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct catalogue *catalogue = catalogue_new("main", "shop");
    catalogue_add_function(catalogue, "public", "f", NAME_SPECIAL);
    catalogue_add_function(catalogue, "public", "g", NAME_SESSION);
    catalogue_add_relation(catalogue, "public", "s", NAME_SPECIAL);
    catalogue_add_write(catalogue, "public", "w", NAME_OPAQUE);
    catalogue_add_operator(catalogue, "@", NAME_SESSION);
    catalogue_add_type(catalogue, "public", "t", NAME_SPECIAL);
    struct slice text = slice_of((const char *)data, size);
    check(text, catalogue, true);
    check(text, catalogue, false);
    check(text, NULL, true);
    catalogue_unref(catalogue);
    return 0;
}
