/* Writes the manual pages when the program is built: rolecall_manual FILE.1 | FILE.5. */
#include "proxy/front/manual.h"
#include "conf/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *path = argc == 2 ? argv[1] : "";
    const char *suffix = strrchr(path, '.');
    FILE *out = suffix ? fopen(path, "w") : NULL;
    if (!out) {
        perror(path);
        return EXIT_FAILURE;
    }
    if (strcmp(suffix, ".5") == 0)
        config_write_manual(out);
    else
        manual_write(out);
    return fclose(out) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
