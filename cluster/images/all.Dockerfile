# Every stage and the gateway in one image, for the profiles of one process and for Cloud Run. It carries cuBLAS twice, of
# CUDA 12 for CTranslate2 and of CUDA 13 for torch.
#
# Built by cluster/images/build.sh out of the repository's root, after `make wheel`. The packages are a layer of their own,
# which a change of our code leaves as it is. No model is in an image: they are mounted at /models.

# Of python:3.11-slim-bookworm. It has no default, so that nobody builds on a tag that moves.
ARG PYTHON_DIGEST

FROM docker.io/library/python:3.11-slim-bookworm@${PYTHON_DIGEST} AS packages
COPY cluster/images/locks/all.txt /lock.txt
RUN python -m venv /app \
    && /app/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes \
    --only-binary=:all: --no-binary=docopt -r /lock.txt

# TensorRT itself is only at NVIDIA's own index, so no hash of it is in the lock; empty leaves it out, and the runtime
# tensorrt-rtx remains. An engine runs without the builder's resources, which are its largest part.
ARG TENSORRT=11.4.0.106
RUN if [ -n "$TENSORRT" ]; then \
        /app/bin/pip install --no-cache-dir --no-compile --no-deps --index-url https://pypi.nvidia.com \
            "tensorrt-cu13==$TENSORRT" "tensorrt-cu13-bindings==$TENSORRT" "tensorrt-cu13-libs==$TENSORRT" \
        && find /app -name 'libnvinfer_builder_resource*' -delete; \
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
    AVATAR_MODELS=/models \
    LD_LIBRARY_PATH=/app/lib/python3.11/site-packages/nvidia/cublas/lib
USER 10001:10001
WORKDIR /data
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8080/healthz', timeout=8)"]
CMD ["avatar", "run", "--local", "--host", "0.0.0.0"]
