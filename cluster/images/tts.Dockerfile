# The voice XTTS-v2 on a GPU: torch with its CUDA 13 libraries, coqui-tts.
#
# Built by cluster/images/build.sh out of the repository's root, after `make wheel`. The packages are a layer of their own,
# which a change of our code leaves as it is. No model is in an image: they are mounted at /models.

# Of python:3.11-slim-bookworm. It has no default, so that nobody builds on a tag that moves.
ARG PYTHON_DIGEST

FROM docker.io/library/python:3.11-slim-bookworm@${PYTHON_DIGEST} AS packages
COPY cluster/images/locks/tts.txt /lock.txt
RUN python -m venv /app \
    && /app/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes \
    --only-binary=:all: --no-binary=docopt -r /lock.txt

FROM docker.io/library/python:3.11-slim-bookworm@${PYTHON_DIGEST}
RUN useradd --uid 10001 --user-group --create-home --home-dir /data avatar \
    && install -d -o avatar -g avatar /models /ray
COPY --from=packages /app /app
COPY dist/*.whl /wheel/
RUN /app/bin/pip install --no-cache-dir --no-deps --no-index /wheel/*.whl
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_DATA_HOME=/data \
    AVATAR_MODELS=/models
USER 10001:10001
WORKDIR /data
# A node of a Ray cluster; its agent answers at 9100 as soon as the raylet runs.
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:9100/metrics', timeout=8)"]
CMD ["ray", "start", "--help"]
