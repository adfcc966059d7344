#!/bin/sh
# Install what the tests of real services need: Java, Kafka's jars, PostgreSQL, Chromium, fonts,
# and what checks the files below deploy/: promtool and systemd-analyze.
#
# On Debian as root it installs without asking; what is there already is left alone, and a
# second run takes no time. Elsewhere it says what is missing and goes on: tests skip with a
# reason. With CI=true a missing service is a failure.
#
#     EARSHOT_TEST_KAFKA=host:port     use this Kafka instead (then no Java, no jars)
#     EARSHOT_TEST_POSTGRES=url        use this PostgreSQL instead
#     EARSHOT_TEST_BROWSER=0           no browser tests (then no Chromium, no fonts)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
jars=$root/.services/kafka-libs
promtool=$root/.services/promtool
missing=""

say() { printf 'services: %s\n' "$*"; }
lacks() { missing="$missing\n  $1"; }
has() { command -v "$1" >/dev/null 2>&1; }

java_is_new_enough() {
    has java || return 1
    version=$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    [ "${version:-0}" -ge 17 ]
}

has_postgres() {
    for bin in /usr/lib/postgresql/*/bin/initdb; do
        [ -x "$bin" ] && return 0
    done
    has initdb
}

has_jars() {
    [ -f "$jars/complete" ] && cmp -s "$here/pom.xml" "$jars/complete"
}

has_fonts() {
    [ -d /usr/share/fonts/truetype/noto ] && [ -d /usr/share/fonts/opentype/noto ]
}

# What drives the browser runs on a Node of its own, which needs it.
has_libatomic() {
    PATH="$PATH:/usr/sbin:/sbin" ldconfig -p 2>/dev/null | grep -q "libatomic\.so"
}

has_promtool() {
    [ -x "$promtool" ] || has promtool
}

packages() {
    has systemd-analyze || echo systemd
    if [ -z "${EARSHOT_TEST_KAFKA:-}" ]; then
        java_is_new_enough || echo openjdk-17-jre-headless
        has_jars || has mvn || echo maven
    fi
    [ -n "${EARSHOT_TEST_POSTGRES:-}" ] || has_postgres || echo postgresql
    if [ "${EARSHOT_TEST_BROWSER:-1}" != 0 ]; then
        has chromium || echo chromium
        has_libatomic || echo libatomic1
        has_fonts || echo fonts-noto-core fonts-noto-cjk
    fi
}

install_packages() {
    wanted=$(packages | tr '\n' ' ')
    [ -n "$wanted" ] || return 0
    if ! has apt-get || [ "$(id -u)" != 0 ]; then
        lacks "the packages $wanted(this script installs them only on Debian, as root)"
        return 0
    fi
    say "installing $wanted"
    export DEBIAN_FRONTEND=noninteractive
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        # the tests start a server of their own: Debian's default one is not wanted
        mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
    fi
    log=$(mktemp)
    # shellcheck disable=SC2086 # a list of words
    if apt-get update -qq >"$log" 2>&1 &&
        apt-get install -qq -y --no-install-recommends -o Dpkg::Options::=--force-confold \
            $wanted >>"$log" 2>&1; then
        rm -f "$log"
    else
        lacks "the packages $wanted(apt-get failed, see below)"
        tail -n 20 "$log"
    fi
}

fetch_jars() {
    [ -z "${EARSHOT_TEST_KAFKA:-}" ] || return 0
    has_jars && return 0
    if ! has mvn; then
        lacks "Kafka's jars in $jars (Maven fetches them: install maven)"
        return 0
    fi
    say "fetching Kafka's jars"
    rm -rf "$jars"
    if mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$jars"; then
        cp "$here/pom.xml" "$jars/complete"
    else
        lacks "Kafka's jars in $jars (Maven could not fetch them: is its repository reachable?)"
    fi
}

# One program out of Debian's package: the rest would be a server that starts.
fetch_promtool() {
    has_promtool && return 0
    if ! has apt-get; then
        lacks "promtool in $promtool (of Prometheus; a package only on Debian)"
        return 0
    fi
    say "fetching promtool"
    folder=$(mktemp -d)
    chmod 755 "$folder"
    if (cd "$folder" && download prometheus && dpkg-deb --fsys-tarfile ./prometheus_*.deb |
        tar -x ./usr/bin/promtool) >"$folder/log" 2>&1; then
        mkdir -p "$root/.services"
        mv "$folder/usr/bin/promtool" "$promtool"
    else
        lacks "promtool in $promtool (its package could not be fetched, see below)"
        tail -n 20 "$folder/log"
    fi
    rm -rf "$folder"
}

download() {
    apt-get download -qq "$1" && return 0
    # the lists of packages are old, or were never fetched
    [ "$(id -u)" = 0 ] && apt-get update -qq && apt-get download -qq "$1"
}

install_packages
fetch_jars
fetch_promtool
if [ -n "$missing" ]; then
    printf 'services: missing:%b\n' "$missing"
    if [ "${CI:-}" = true ]; then
        say "with CI=true this is a failure"
        exit 1
    fi
    say "the tests that need them will be skipped"
else
    say "ready"
fi
