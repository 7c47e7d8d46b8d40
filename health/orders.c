/* The operator's word about a node; see orders.h. */
#include "health/orders.h"

void orders_set_weight(struct orders *orders, uint32_t weight, uint32_t configured)
{
    orders->weighs = true;
    orders->weight = weight;
    orders->configured = configured;
}

uint32_t orders_weight(struct orders *orders, uint32_t configured)
{
    orders->weighs = orders->weighs && orders->configured == configured;
    return orders->weighs ? orders->weight : configured;
}
