/*
 * What clients do not get at the moment, and why, as JSON: a part of /stats.json. Main thread.
 *
 *     cluster, listener, node   whom it is about; null: all
 *     what                      "writes wait up to 30 s, then fail (57P03)"
 *     reason
 *     weight                    trouble: somebody waits or is refused; note: it is served in another way
 */
#ifndef ROLECALL_FRONT_REFUSALS_H
#define ROLECALL_FRONT_REFUSALS_H

#include "proxy/front/http_routes.h"

#include <jansson.h>

#define REFUSALS_MAX 128

/* `asked` has a survey of pools. */
json_t *refusals_json(const struct http_asked *asked);

#endif
