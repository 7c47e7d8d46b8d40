/*
 * The configuration in force for one cluster. Owned by the cluster's watch; its parts keep a pointer to this
 * struct and read it anew whenever they connect, so a reload swaps what it points to. Control thread only.
 */
#ifndef ROLECALL_HEALTH_SETTINGS_H
#define ROLECALL_HEALTH_SETTINGS_H

#include "conf/config.h"

struct settings {
    struct config *config; /* one reference */
    const struct config_cluster *cluster;
};

#endif
