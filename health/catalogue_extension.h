/*
 * Which extensions' functions in C (or another language that cannot be read) leave the session alone, and
 * which do not. A list written by hand, with reasons. Pure; any thread.
 */
#ifndef ROLECALL_HEALTH_CATALOGUE_EXTENSION_H
#define ROLECALL_HEALTH_CATALOGUE_EXTENSION_H

#include "router/catalogue.h"

/* NAME_UNKNOWN: not on the list; NAME_HARMLESS: leaves the session alone, which says nothing about what else
 * it does; NAME_SESSION, NAME_OPAQUE: does not, as router/catalogue.h says. extension may be NULL. */
enum name_kind catalogue_extension(const char *extension, const char *function);

#endif
