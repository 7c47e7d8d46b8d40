/* What is known of a node, in one line for people: goes with events. Pure; any thread. */
#ifndef ROLECALL_HEALTH_EVIDENCE_H
#define ROLECALL_HEALTH_EVIDENCE_H

#include "health/judge.h"

#include <stddef.h>

/* "answered 12 ms ago: takes writes on timeline 2, at 0/5000060", "3 looks got no answer: timeout; answered
   1203 ms ago: ..." Returns how many bytes were written. */
size_t evidence_describe(const struct evidence *evidence, char *out, size_t size);

/* The same of all nodes: "node1: ...; node2: ...". */
void evidence_describe_all(const struct evidence *evidence, size_t n, char *out, size_t size);

#endif
