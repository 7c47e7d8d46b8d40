#!/bin/sh
# Installs what is missing, builds rolecall and starts `rolecall demo`: ./demo.sh [--nodes N] [--keep] [-- COMMAND...]
# On Debian 12, as root or with sudo. `./demo.sh --help` says more.
set -eu
top=$(cd "$(dirname "$0")" && pwd)

"$top/docker/install" run build demo

# Two at a time: the second waits for the first one's build. What the build says is shown only when it fails.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
build() {
    cd "$top" && cmake --preset release -DROLECALL_TESTS=OFF && cmake --build --preset release --target rolecall
}
mkdir -p "$top/build"
if ! (flock 9 && build) 9>"$top/build/.demo-lock" >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
rm -f "$log"
trap - EXIT

exec "$top/build/proxy/rolecall" demo "$@"
