#!/bin/sh
# Make a Python environment with uv in it: environment.sh FOLDER. `make` calls it.
#
# PYTHON names the interpreter; otherwise the first from 3.11 up that is found is taken.
set -eu

folder=$1

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
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "$1 cannot make environments: its module ensurepip is missing;" \
            "install it (on Debian and Ubuntu: apt-get install python$version-venv), then run make again" >&2
        return 1
    fi
    echo "environment: installing python$version-venv"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        "python$version-venv" >/dev/null
}

python=$(choose)
"$python" -c 'import ensurepip' 2>/dev/null || add_venv "$python"
echo "environment: $("$python" --version) in $folder"
"$python" -m venv --clear "$folder"
"$folder/bin/python" -m pip install -q --disable-pip-version-check uv
