#!/bin/sh
# Make a Python environment that holds what a list requires, and the project itself, in place:
# environment.sh FOLDER REQUIREMENTS. `make` calls it.
#
# PYTHON names the interpreter; otherwise the first from 3.11 up that is found is taken.
set -eu

folder=$1
requirements=$2
output=$(mktemp)
trap 'rm -f "$output"' EXIT
trap 'exit 130' INT TERM

# Run a command with a sign of life each second, and show its output if it fails.
slowly() {
    printf 'environment: %s ' "$1" >&2
    shift
    (while sleep 1 && kill -0 $$ 2>/dev/null; do printf . >&2; done) &
    dots=$!
    status=0
    "$@" >"$output" 2>&1 || status=$?
    kill $dots
    echo >&2
    [ "$status" = 0 ] || cat "$output" >&2
    return "$status"
}

is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

choose() {
    for name in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if is_new_enough "$name"; then
            echo "$name"
            return
        fi
    done
    echo "no Python from 3.11 up was found as ${PYTHON:-python3}; install one," \
        "or say where it is: make PYTHON=/path/to/python3.12" >&2
    return 1
}

# Debian keeps what `python3 -m venv` needs in a package of its own.
add_venv() {
    package=$("$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "$1 cannot make environments: its module ensurepip is missing; install it" \
            "(on Debian and Ubuntu: apt-get install $package), then run make again" >&2
        return 1
    fi
    export DEBIAN_FRONTEND=noninteractive
    slowly "reading the list of packages" apt-get update
    slowly "installing $package" apt-get install -y --no-install-recommends "$package"
}

make_environment() {
    python=$(choose)
    "$python" -c 'import ensurepip' 2>/dev/null || add_venv "$python"
    slowly "$("$python" --version) in $folder" "$python" -m venv --clear "$folder"
    slowly "installing uv" "$folder/bin/python" -m pip install --disable-pip-version-check uv
}

[ -x "$folder/bin/uv" ] || make_environment
uv() { "$folder/bin/uv" pip "$@" --python "$folder/bin/python"; }
slowly "installing $requirements" uv sync --require-hashes "$requirements"
uv install -q --no-deps --no-build-isolation -e .
