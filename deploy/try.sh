#!/bin/sh
# Do on this machine what the image and compose.yaml do, and try it: `deploy/try.sh`, as root.
#
# It needs nginx, PostgreSQL and openssl, and a Python with requirements-dev.txt: PYTHON, or the first one
# in the path. With --install, the app gets an environment of its own by install.sh, as in the image.
cd "$(dirname "$0")/.." && exec "${PYTHON:-python3}" deploy/trial.py "$@"
