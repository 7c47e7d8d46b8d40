/* What every test of the room health includes before cmocka. */
#ifndef ROLECALL_TESTS_HEALTH_UNIT_H
#define ROLECALL_TESTS_HEALTH_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

#endif
