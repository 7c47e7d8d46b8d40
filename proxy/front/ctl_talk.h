/*
 * One conversation with the admin socket in its plain language: everything said, the half closed, everything
 * heard. Blocking; for the command line.
 */
#ifndef ROLECALL_FRONT_CTL_TALK_H
#define ROLECALL_FRONT_CTL_TALK_H

#include "proxy/front/admin_output.h"

#include <stdbool.h>
#include <stdint.h>

/* patience_s: without a word for so long it is given up; 0 = never. False: *why says why, static or errno's
   text. */
bool ctl_talk(const char *path, const struct output *line, uint32_t patience_s, struct output *answer,
    const char **why);

#endif
