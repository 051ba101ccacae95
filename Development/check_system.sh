#!/bin/sh
# Finds a Python to build with and names what the system lacks.
#
#   check_system.sh             prints the interpreter; what is missing goes to standard error
#   check_system.sh --packages  prints the Debian packages that are missing, one a line
#
# The environment variable PYTHON, where set, is the only interpreter looked at.

# A name on the path is no promise that it runs (a pyenv shim, for example), so each is tried.
right_version='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))'
python=
if [ -n "$PYTHON" ]; then
    python=$PYTHON
    if ! "$python" -c "$right_version" 2>/dev/null; then
        echo "PYTHON=$PYTHON is no Python 3.10 to 3.12: name another, or leave PYTHON out." >&2
        exit 1
    fi
else
    for name in python3.11 python3 python3.12 python3.10; do
        if "$name" -c "$right_version" 2>/dev/null; then
            python=$name
            break
        fi
    done
fi

can_load() {
    "$python" -c "import ctypes, sys; ctypes.CDLL(sys.argv[1])" "$1" 2>/dev/null
}

# What Qt and VTK need to draw, on a screen or off it, and the Debian package that has it.
libraries="libEGL.so.1 libegl1
libGL.so.1 libgl1
libxkbcommon.so.0 libxkbcommon0
libfontconfig.so.1 libfontconfig1
libdbus-1.so.3 libdbus-1-3
libglib-2.0.so.0 libglib2.0-0"

required=
required_packages=
optional_packages=
if [ -z "$python" ]; then
    required="Python 3.10 to 3.12"
    required_packages="python3 python3-venv"
else
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        required="the venv module of $python"
        required_packages=$("$python" -c \
            'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    fi
fi
if [ "$(uname -s)" = Linux ]; then # without Python nobody can tell, and all are named
    optional_packages=$(echo "$libraries" | while read -r library package; do
        can_load "$library" || echo "$package"
    done)
fi

if [ "$1" = --packages ]; then
    printf '%s\n' $required_packages $optional_packages
    exit 0
fi

if [ -n "$required" ]; then
    echo "Missing: $required. Install with: apt-get install" \
        $required_packages $optional_packages >&2
    exit 1
fi
if [ -n "$optional_packages" ]; then
    echo "Note: the window and its tests need more. Install with: apt-get install" \
        $optional_packages >&2
fi
echo "$python"
