#!/bin/sh
# Prints the first Python on the path that this project can build its virtual environment with.
# When there is none, says so in plain words and fails.

usable() {
    "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

has_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null
}

found=
for name in python3 python3.12 python3.11 python3.10 python3.13 python; do
    command -v "$name" >/dev/null 2>&1 || continue
    usable "$name" || continue
    if has_venv "$name"; then
        echo "$name"
        exit 0
    fi
    found="$found $name"
done

if [ -n "$found" ]; then
    echo "Found$found, but without the venv module. On Debian or Ubuntu: apt-get install python3-venv" >&2
else
    echo "No Python 3.10 to 3.13 was found on the path. Install one, or name it: make PYTHON=/path/to/python3" >&2
fi
exit 1
