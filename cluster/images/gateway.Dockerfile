# The gateway, the language stage, Ray's head: no GPU library.
#
# Built by cluster/images/build.sh out of the repository's root, after `make wheel`. The packages are a layer of their own,
# which a change of our code leaves as it is. No model is in an image: they are mounted at /models.

# Of python:3.11-slim-bookworm. It has no default, so that nobody builds on a tag that moves.
ARG PYTHON_DIGEST

FROM docker.io/library/python:3.11-slim-bookworm@${PYTHON_DIGEST} AS packages
COPY cluster/images/locks/gateway.txt /lock.txt
RUN python -m venv /app \
    && /app/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes --only-binary=:all: -r /lock.txt

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
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8080/healthz', timeout=8)"]
CMD ["avatar", "run", "--local", "--host", "0.0.0.0"]
