/*
 * What the operator has told of a node since the start: its duty and its weight. It lasts until the process
 * ends; the weight also until a reload brings another one. One per node's watch; pure, control thread only.
 */
#ifndef ROLECALL_HEALTH_ORDERS_H
#define ROLECALL_HEALTH_ORDERS_H

#include "router/topology.h"

#include <stdbool.h>
#include <stdint.h>

struct orders {
    enum node_duty duty;
    bool weighs;         /* a weight was told */
    uint32_t weight;     /* that one */
    uint32_t configured; /* what the configuration said when it was told */
};

void orders_set_weight(struct orders *orders, uint32_t weight, uint32_t configured);

/* The weight in force; forgets the one that was told when the configuration says another than then. */
uint32_t orders_weight(struct orders *orders, uint32_t configured);

#endif
