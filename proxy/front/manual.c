/* rolecall(1); see manual.h. */
#include "proxy/front/manual.h"

#include "conf/base/roff.h"
#include "proxy/front/command.h"

static const char head[] =
    ".TH ROLECALL 1 \"\" \"rolecall " ROLECALL_VERSION "\" \"rolecall\"\n"
    ".SH NAME\n"
    "rolecall \\- PostgreSQL proxy that knows which node holds which role\n"
    ".SH SYNOPSIS\n"
    ".B rolecall run \\-c\n.I FILE\n.br\n"
    ".B rolecall check \\-c\n.I FILE\n.br\n"
    ".B rolecall check \\-\\-defaults\n.br\n"
    ".B rolecall ctl\n"
    "[\\fB\\-s\\fR \\fISOCKET\\fR | \\fB\\-c\\fR \\fIFILE\\fR] [\\fB\\-\\-csv\\fR | \\fB\\-\\-json\\fR]\n"
    "[\\fB\\-t\\fR \\fISECONDS\\fR]\n"
    ".IR COMMAND ...\n.br\n"
    ".B rolecall demo\n[\\fIOPTION\\fR]... [\\fB\\-\\-\\fR \\fICOMMAND\\fR...]\n.br\n"
    ".B rolecall version\n"
    ".SH DESCRIPTION\n"
    "Clients connect to one endpoint: writes go to the current primary of a PostgreSQL cluster, reads to "
    "replicas\n"
    "that are fresh enough, and server connections are pooled. The configuration is described in\n"
    ".BR rolecall.conf (5).\n"
    ".TP\n.B run\nServes until it is stopped.\n"
    ".TP\n.B check\nSays whether a configuration is good, by its exit status too, and what is wrong in it.\n"
    ".TP\n.B ctl\nSays a command to a running rolecall\\(aqs admin socket and prints the answer. Without\n"
    "\\fB\\-s\\fR and \\fB\\-c\\fR the socket is $ROLECALL_ADMIN, or else /run/rolecall/.s.PGSQL.6433. The "
    "same\n"
    "commands can be given with\n.B psql\n(host=/run/rolecall port=6433), and as lines of text with\n"
    ".BR socat (1).\n"
    ".TP\n.B demo\nA throw\\-away cluster on this machine, with rolecall in front of it.\n"
    ".SH COMMANDS\n"
    "Of the admin socket. Those marked with \\(lqadmin\\(rq are for root, for the account that rolecall runs "
    "as, and\n"
    "for admin_users; the others for whoever may open the socket.\n";

static const char tail[] = ".SH EXIT STATUS\n"
                           "Of \\fBctl\\fR:\n"
                           ".TP\n.B 0\nThe command was done.\n"
                           ".TP\n.B 1\nIt was refused: the reason is on standard error.\n"
                           ".TP\n.B 2\nWrong usage.\n"
                           ".TP\n.B 3\nNobody is there, or the answer did not come whole.\n"
                           ".PP\nOf \\fBcheck\\fR: 0 when the file is good, 1 when not. Of \\fBrun\\fR: 0 "
                           "after an orderly end, 1 when it could\n"
                           "not start.\n"
                           ".SH SIGNALS\n"
                           ".TP\n.B SIGHUP\nReads the configuration again; what is wrong changes nothing.\n"
                           ".TP\n.BR SIGTERM \", \" SIGINT\nTakes no more clients, lets transactions end for "
                           "shutdown_timeout, ends; a second\n"
                           "one ends it at once.\n"
                           ".SH ENVIRONMENT\n"
                           ".TP\n.B ROLECALL_ADMIN\nThe admin socket, for \\fBctl\\fR.\n"
                           ".TP\n.B NOTIFY_SOCKET\nWhere systemd is told about start, reload and stop.\n"
                           ".SH FILES\n"
                           ".TP\n.I /etc/rolecall/rolecall.conf\nThe configuration of the service; "
                           "rolecall.conf.example beside it has every key.\n"
                           ".TP\n.I /run/rolecall\nIts sockets.\n"
                           ".TP\n.I /var/lib/rolecall\nWhat it must remember (state_dir).\n"
                           ".SH SEE ALSO\n"
                           ".BR rolecall.conf (5),\n.BR psql (1)\n";

static void write_command(FILE *out, const struct command *command)
{
    fputs(".TP\n.BI ", out);
    roff_argument(out, command->words);
    if (command->arguments) {
        fputs(" \" \" ", out);
        roff_argument(out, command->arguments);
    }
    fputs("\n", out);
    roff_text(out, command->help);
    if (command->units) {
        fputs(".br\nUnits:\n", out);
        roff_text(out, command->units);
    }
    if (command->permission == PERMISSION_ADMIN)
        fputs("(admin)\n", out);
}

void manual_write(FILE *out)
{
    size_t n;
    const struct command *table = command_table(&n);
    fputs(head, out);
    for (size_t i = 0; i < n; i++)
        if (table[i].help)
            write_command(out, &table[i]);
    fputs(tail, out);
}
