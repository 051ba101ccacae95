#!/bin/sh
# Find a Python to build with, and name missing system packages.
#
#   check_system.sh             prints the interpreter, and missing packages to standard error
#   check_system.sh --packages  prints the missing Debian packages, one per line
#
# If the environment variable PYTHON is set, the script tries only this interpreter.

# A command on the path may not run (a pyenv shim, for example), so the script runs each.
right_version='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))'
python=
if [ -n "$PYTHON" ]; then
    python=$PYTHON
    if ! "$python" -c "$right_version" 2>/dev/null; then
        echo "PYTHON=$PYTHON is not Python 3.10 to 3.12. Choose another one, or unset PYTHON." >&2
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

# Libraries that Qt and VTK need to draw, on or off screen, each with its Debian package.
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
    other=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
    [ -n "$other" ] || required_packages="python3 python3-venv"
else
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        required="the venv module of $python"
        required_packages=$("$python" -c \
            'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    fi
fi
if [ "$(uname -s)" = Linux ]; then # without Python all are listed, because none can be tested
    optional_packages=$(echo "$libraries" | while read -r library package; do
        can_load "$library" || echo "$package"
    done)
fi

if [ "$1" = --packages ]; then
    printf '%s\n' $required_packages $optional_packages
    exit 0
fi

if [ -n "$required" ] && [ -z "$required_packages" ]; then
    echo "Missing: $required; python3 is $other. Install one of them beside it, for example with" \
        "'uv python install 3.12', and name it: make PYTHON=/path/to/python3.12" >&2
    exit 1
fi
if [ -n "$required" ]; then
    echo "Missing: $required. Install with: apt-get install" \
        $required_packages $optional_packages >&2
    exit 1
fi
if [ -n "$optional_packages" ]; then
    echo "Note: the window and its tests need more packages. Install with: apt-get install" \
        $optional_packages >&2
fi
echo "$python"
