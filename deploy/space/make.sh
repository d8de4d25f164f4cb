#!/bin/sh
# Put into a folder what a Hugging Face Space is made of: `deploy/space/make.sh FOLDER`.
set -eu
folder=${1:?"Say which folder."}
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cd "$root"
# What .dockerignore lets through.
# shellcheck disable=SC2046
tar --exclude=__pycache__ -cf - docs/hosting.md .dockerignore $(sed -n 's/^!//p' .dockerignore) | tar -xf - -C "$folder"
# A Space runs as user 1000, and its proxies have addresses of its own network.
sed -e 's/^ARG ID=.*/ARG ID=1000/' \
    -e 's/^    EXPLORER_HOSTED=1 /    FORWARDED_ALLOW_IPS=10.0.0.0\/8 \\\n    EXPLORER_FRAME_ORIGINS=https:\/\/huggingface.co \\\n&/' \
    deploy/Dockerfile >"$folder/Dockerfile"
cp deploy/space/README.md "$folder/README.md"
