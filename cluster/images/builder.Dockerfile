# A job that prepares Ditto's files and compiles its engines: torch, ONNX and all of TensorRT that an L4 needs.
#
# Built by cluster/images/build.sh out of the repository's root, after `make wheel`. The packages are a layer of their own,
# which a change of our code leaves as it is. No model is in an image: they are mounted at /models.

# Of python:3.11-slim-bookworm. It has no default, so that nobody builds on a tag that moves.
ARG PYTHON_DIGEST

FROM docker.io/library/python:3.11-slim-bookworm@${PYTHON_DIGEST} AS packages
COPY cluster/images/locks/builder.txt /lock.txt
RUN python -m venv /app \
    && /app/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes --only-binary=:all: -r /lock.txt

# TensorRT itself is only at NVIDIA's own index, so no hash of it is in the lock; empty leaves it out, and the runtime
# tensorrt-rtx remains. Of the
# builder's resources only the L4's are kept.
ARG TENSORRT=11.4.0.106
RUN if [ -n "$TENSORRT" ]; then \
        /app/bin/pip install --no-cache-dir --no-compile --no-deps --index-url https://pypi.nvidia.com \
            "tensorrt-cu13==$TENSORRT" "tensorrt-cu13-bindings==$TENSORRT" "tensorrt-cu13-libs==$TENSORRT" \
        && find /app -name 'libnvinfer_builder_resource*' ! -name '*sm89*' ! -name '*ptx*' -delete; \
    fi

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
ENTRYPOINT ["avatar", "models", "build"]
CMD ["--runtime", "tensorrt"]
