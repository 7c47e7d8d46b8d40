/* Puts the house together: the commands, and the two rooms that never include each other. */
#include "conf/config.h"
#include "health/control.h"
#include "health/replication/clone.h"
#include "health/replication/demo.h"
#include "proxy/front/ctl.h"
#include "proxy/front/program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *start_control(
    struct config *config, struct mailbox *const *subscribers, size_t n, struct error *error)
{
    return control_start(config, subscribers, n, error);
}

static struct mailbox *mailbox_of_control(void *control)
{
    return control_mailbox(control);
}

static void stop_control(void *control)
{
    control_stop(control);
}

static const struct control_door door = {start_control, mailbox_of_control, stop_control};

static const char usage[] =
    "rolecall " ROLECALL_VERSION
    ": a connection-routing proxy for PostgreSQL that knows the cluster's roles\n\n"
    "  rolecall run -c FILE         run with this configuration (SIGHUP reloads, SIGTERM drains and ends)\n"
    "  rolecall check -c FILE       check a configuration; exit status 0 when it is good\n"
    "  rolecall check --defaults    print the documented sample configuration\n"
    "  rolecall demo [--help]       a throw-away cluster on this machine with rolecall in front of it\n"
    "  rolecall clone [--help]      make a replica out of an empty directory or an old primary\n"
    "  rolecall ctl [--help]        a command to a running rolecall's admin socket\n"
    "  rolecall version             print the version\n";

static int check(const char *path)
{
    struct error error;
    struct config *config = config_load(path, &error);
    if (!config) {
        fprintf(stderr, "%s\n", error.text);
        return EXIT_FAILURE;
    }
    printf("%s: good: %zu clusters, %zu listeners\n", path, config->n_clusters, config->n_listeners);
    config_unref(config);
    return EXIT_SUCCESS;
}

static int fail_usage(void)
{
    fputs(usage, stderr);
    return 2;
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    bool file_given = argc == 4 && (strcmp(argv[2], "-c") == 0 || strcmp(argv[2], "--config") == 0);
    bool help = strcmp(command, "--help") == 0 || strcmp(command, "-h") == 0 || strcmp(command, "help") == 0;
    if (strcmp(command, "demo") == 0)
        return demo_main(argc - 1, argv + 1, "/proc/self/exe");
    if (strcmp(command, "clone") == 0)
        return clone_main(argc - 1, argv + 1);
    if (strcmp(command, "ctl") == 0)
        return ctl_main(argc - 1, argv + 1);
    if (help || (argc == 3 && strcmp(argv[2], "--help") == 0)) {
        fputs(usage, stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "version") == 0 || strcmp(command, "--version") == 0) {
        puts("rolecall " ROLECALL_VERSION);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "check") == 0 && argc == 3 && strcmp(argv[2], "--defaults") == 0) {
        config_write_sample(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(command, "check") == 0 && file_given)
        return check(argv[3]);
    if (strcmp(command, "run") == 0 && file_given)
        return program_run(argv[3], &door);
    return fail_usage();
}
