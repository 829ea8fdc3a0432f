#!/usr/bin/env bash
# Build the images out of the repository's root: cluster/images/build.sh [NAME...]   (default: all)
#
# Needs docker with buildx, and a wheel of ours in dist/ (`make wheel`). AVATAR_IMAGES is where they belong
# (realtime-avatar), AVATAR_VERSION their tag, PUSH=1 sends them there. PYTHON_DIGEST is looked up if it is not given,
# and told, so that it can be given the next time. Each image comes with a list of what is in it (SBOM).
set -euo pipefail
cd "$(dirname "$0")/../.."

images=${AVATAR_IMAGES:-realtime-avatar}
version=${AVATAR_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)}
base=docker.io/library/python:3.11-slim-bookworm

compgen -G "dist/realtime_avatar-$version-*.whl" >/dev/null || {
    echo "there is no wheel of version $version in dist/; make it first: make wheel" >&2
    exit 2
}
if [ -z "${PYTHON_DIGEST:-}" ]; then
    PYTHON_DIGEST=$(docker buildx imagetools inspect "$base" --format '{{.Manifest.Digest}}')
    echo "PYTHON_DIGEST=$PYTHON_DIGEST"
fi

if [ $# = 0 ]; then set -- cpu gateway asr tts face all builder; fi
for name in "$@"; do
    [ -f "cluster/images/$name.Dockerfile" ] || { echo "there is no image $name" >&2; exit 2; }
    if [ "${PUSH:-}" = 1 ]; then where=(--push --sbom=true --provenance=true); else where=(--load); fi
    docker buildx build --platform linux/amd64 --build-arg "PYTHON_DIGEST=$PYTHON_DIGEST" \
        ${TENSORRT+--build-arg "TENSORRT=$TENSORRT"} --file "cluster/images/$name.Dockerfile" \
        --tag "$images/$name:$version" "${where[@]}" .
done
