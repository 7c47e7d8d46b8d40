/* Connections that change a node; see errand.h. */
#include "health/failover/errand.h"

struct pgconn *errand_open(uv_loop_t *loop, const struct settings *settings, struct endpoint *endpoint,
    void *context, void (*opened)(void *context, const struct pgconn_answer *answer))
{
    const struct config_cluster *cluster = settings->cluster;
    const struct pgconn_params params = {.endpoint = endpoint,
        .user = cluster->probe_user,
        .password = cluster->probe_password,
        .database = cluster->probe_database,
        .options = "-c search_path= -c standard_conforming_strings=on -c statement_timeout=10s",
        .application_name = "rolecall failover",
        .tls = &cluster->tls,
        .tcp_user_timeout_ms = settings->config->tcp_user_timeout_ms,
        .tcp_keepalive_ms = settings->config->tcp_keepalive_ms,
        .connect_timeout_ms = cluster->probe_timeout_ms,
        .context = context,
        .opened = opened};
    return pgconn_open(loop, &params);
}
