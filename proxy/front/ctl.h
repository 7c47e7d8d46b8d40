/* `rolecall ctl`: sends a command to the admin socket of a running rolecall and prints the answer. */
#ifndef ROLECALL_FRONT_CTL_H
#define ROLECALL_FRONT_CTL_H

/* argv[0] is "ctl". Exit status: 0 done, 1 the command was refused, 2 wrong usage or nobody there. Blocking.
 */
int ctl_main(int argc, char **argv);

#endif
