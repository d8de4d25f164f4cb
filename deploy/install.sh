#!/bin/sh
# Install the explorer, pinned, for a Python: `deploy/install.sh requirements|explorer|list PYTHON`.
#
#   requirements  install all that it needs, and the driver of PostgreSQL
#   explorer      install the explorer itself
#   list          print the former as a requirements.txt, for a host that installs it itself
#
#   ACCELERATOR   cpu (the default) or cuda
#   TORCH_INDEX   for cpu, the address of PyTorch's index of CPU builds; without it, the build that pip
#                 chooses, which on Linux is larger by gigabytes and works without a GPU as well
set -eu
what=$1
python=${2:-python3}
here=$(cd "$(dirname "$0")" && pwd)
# In an image it lies beside the files, in a checkout below them.
[ -f "$here/requirements.txt" ] || here=$(dirname "$here")

pins() {
    grep -vE '^(-e |#| )' "$here/requirements.txt"
    grep -E '^psycopg(-binary)?==' "$here/requirements-dev.txt"
}
is_torch='^torch(vision)?=='
is_cuda='^(triton|cuda-[a-z]+|nvidia-[a-z0-9-]+)=='
index=
[ "${ACCELERATOR:-cpu}" != cpu ] || index=${TORCH_INDEX:-}

case $what in
requirements)
    list=$(mktemp)
    trap 'rm -f "$list"' EXIT
    if [ -n "$index" ]; then
        # Of that index, these two packages and no others.
        # shellcheck disable=SC2046
        "$python" -m pip install --index-url "$index" --no-deps $(pins | grep -E "$is_torch")
        pins | grep -vE "$is_torch|$is_cuda" >"$list"
    else
        pins >"$list"
    fi
    "$python" -m pip install -r "$list"
    ;;
explorer)
    "$python" -m pip install --no-deps "$here"
    "$python" -m pip check
    ;;
list)
    if [ -n "$index" ]; then
        echo "--extra-index-url $index"
        pins | grep -vE "$is_cuda" | sed -E "s/($is_torch[^ ;]+)/\1+cpu/"
    else
        pins
    fi
    ;;
*)
    echo "Say what to do: requirements, explorer or list, not $what." >&2
    exit 2
    ;;
esac
