#!/usr/bin/env bash
# Build the images out of the repository's root: cluster/images/build.sh [NAME...]   (default: all)
#
# Needs docker with buildx. A wheel of ours in dist/ is made if there is none. AVATAR_IMAGES is where the images belong
# (realtime-avatar), AVATAR_VERSION their tag, PUSH=1 sends them there; Google's registry is told who we are first. PYTHON_DIGEST is looked up if it is not given,
# and told, so that it can be given the next time. Each image comes with a list of what is in it (SBOM).
set -euo pipefail
cd "$(dirname "$0")/../.."

images=${AVATAR_IMAGES:-realtime-avatar}
version=${AVATAR_VERSION:-$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)}
base=docker.io/library/python:3.11-slim-bookworm

wheel="dist/realtime_avatar-$version-*.whl"
compgen -G "$wheel" >/dev/null || make wheel
compgen -G "$wheel" >/dev/null || {
    echo "make wheel made no wheel of version $version; AVATAR_VERSION must be that of pyproject.toml" >&2
    exit 2
}
case "${PUSH:-}$images" in
    1*-docker.pkg.dev/*) gcloud auth configure-docker "${images%%/*}" --quiet ;;
esac
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
