/* The manual page rolecall(1), with the commands of the admin socket out of their table. */
#ifndef ROLECALL_FRONT_MANUAL_H
#define ROLECALL_FRONT_MANUAL_H

#include <stdio.h>

void manual_write(FILE *out);

#endif
