#!/bin/sh
# Checks that no file includes what its floor may not (DESIGN.md, "The house"): tests/floors.sh [DIRECTORY]
#
# Prints one line per breach and ends with status 1 when there is any. With --self-test it plants one breach of each
# kind in an empty tree and checks that every one is found.
set -eu

check() { # the root of a tree
    (cd "$1" && find conf router health proxy -name '*.[ch]' 2>/dev/null | sort | xargs -r awk '
        # The floor of each folder; a file may include its own floor and lower ones, except where a rule below says more.
        function place(path) {
            if (path ~ /^conf\/base\//) return "base"
            if (path ~ /^conf\//) return "conf"
            if (path ~ /^router\//) return "router"
            if (path ~ /^health\//) return "health"
            if (path == "proxy/main.c") return "main"
            if (path ~ /^proxy\/[a-z]+\//) { split(path, part, "/"); return part[2] }
            if (path ~ /^proxy\//) return "main"
            return ""
        }
        BEGIN {
            floor["base"] = 0; floor["conf"] = 1; floor["router"] = 2; floor["health"] = 3
            # Inside proxy each room may include those before it.
            n = split("wire auth stream server pool session worker front", rooms, " ")
            for (i = 1; i <= n; i++) floor[rooms[i]] = 3 + i / 10
            floor["main"] = 5
        }
        function breach(why) { print FILENAME ":" FNR ": " why; bad = 1 }
        /^[ \t]*#[ \t]*include/ {
            match($0, /[<"][^>"]*[>"]/)
            header = substr($0, RSTART + 1, RLENGTH - 2)
            here = place(FILENAME)
            there = place(header)
            if (there == "" && $0 ~ /"/) breach("include \"" header "\" by its path from the root")
            if (here in floor && there in floor) {
                if (here != "main" && floor[there] > floor[here])
                    breach(here " must not include " header)
                if ((here == "health" && floor[there] > 3) || (there == "health" && floor[here] > 3 && here != "main"))
                    breach("health and proxy must not include each other: " header)
            } else if (there != "" && !(there in floor)) {
                breach("no such room: " header)
            }
            if (header ~ /^libpq-fe\.h$/ && FILENAME !~ /^health\/pgconn[a-z_]*\.c$/) breach("only health/pgconn.c sees libpq")
            if (header ~ /^openssl\/ssl\.h$/ && FILENAME !~ /^proxy\/stream\//) breach("only proxy/stream sees openssl/ssl.h")
            if (header ~ /^microhttpd\.h$/ && FILENAME !~ /^proxy\/front\/http/) breach("only proxy/front/http*.c see microhttpd.h")
            if (header ~ /^curl\// && FILENAME != "health/manager/rest.c") breach("only health/manager/rest.c sees curl/curl.h")
            if (header ~ /^ini\.h$/ && FILENAME != "conf/parse.c") breach("only conf/parse.c sees ini.h")
            if (header == "uv.h" && here == "router" ) breach("the router knows no libuv")
            if (header == "uv.h" && here == "conf") breach("conf knows no libuv")
            if (header == "uv.h" && here == "base" && FILENAME !~ /^conf\/base\/mailbox/) breach("only the mailbox sees libuv in conf/base")
            if (header ~ /^(sys\/socket|netinet\/|arpa\/|netdb|time|sys\/time)/ && here == "router" && FILENAME !~ /^router\/message\./)
                breach("the router does no I/O and has no clock: " header)
        }
        END { exit bad }
    ')
}

plant() { # tree, file, include
    mkdir -p "$1/$(dirname "$2")"
    echo "#include $3" >"$1/$2"
}

self_test() {
    tree=$(mktemp -d)
    trap 'rm -rf "$tree"' EXIT
    plant "$tree" conf/base/good.c '"conf/base/error.h"'
    plant "$tree" router/good.c '"conf/config.h"'
    plant "$tree" proxy/session/good.c '"proxy/pool/pool.h"'
    plant "$tree" proxy/main.c '"health/control.h"'
    plant "$tree" health/pgconn.c '<libpq-fe.h>'
    plant "$tree" proxy/stream/tls.c '<openssl/ssl.h>'
    check "$tree" || { echo "floors: a sound tree is refused"; exit 1; }

    failed=0
    while read -r file include; do
        plant "$tree" "$file" "$include"
        if check "$tree" >/dev/null; then
            echo "floors: $file with $include is not noticed"
            failed=1
        fi
        rm "$tree/$file"
    done <<EOF
conf/base/bad.c "conf/config.h"
conf/bad.c "router/topology.h"
router/bad.c "health/control.h"
router/bad.h "proxy/wire/frame.h"
router/bad.c <uv.h>
router/sql/bad.c <sys/socket.h>
health/bad.c "proxy/wire/frame.h"
health/probe/bad.c "proxy/stream/stream.h"
proxy/wire/bad.c "health/control.h"
proxy/wire/bad.c "proxy/auth/scram.h"
proxy/auth/bad.c "proxy/stream/stream.h"
proxy/stream/bad.c "proxy/server/server.h"
proxy/server/bad.c "proxy/pool/pool.h"
proxy/pool/bad.c "proxy/session/session.h"
proxy/session/bad.c "proxy/worker/worker.h"
proxy/worker/bad.c "proxy/front/admin.h"
proxy/session/bad.c "session.h"
health/bad.c <libpq-fe.h>
proxy/server/bad.c <libpq-fe.h>
proxy/auth/bad.c <openssl/ssl.h>
health/manager/bad.c <curl/curl.h>
proxy/front/bad.c <microhttpd.h>
conf/bad.c <ini.h>
conf/bad.c <uv.h>
proxy/nowhere/bad.c "proxy/elsewhere/x.h"
EOF
    [ "$failed" = 0 ] && echo "floors: every planted breach is noticed"
    exit "$failed"
}

[ "${1:-}" != --self-test ] || self_test
check "${1:-$(dirname "$0")/..}" && echo "floors: sound"
