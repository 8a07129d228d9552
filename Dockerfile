# syntax=docker/dockerfile:1
# Two images from one file: `desk` (producer, migrations, beat, Flower; no torch) and `worker` (torch, the model).
# torch from PyPI brings its own CUDA libraries; the NVIDIA container toolkit brings the driver. No secret is built in.

FROM python:3.11-slim AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/copydesk
ENV PATH=/opt/copydesk/bin:$PATH
WORKDIR /app
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY copydesk copydesk
COPY producer producer
COPY tasks tasks
COPY workers workers

FROM packages AS desk-packages
RUN pip install -c constraints.txt ".[flower]"

FROM packages AS worker-packages
# https://download.pytorch.org/whl/cpu for a machine without a GPU (docker-compose.cpu.yml sets it): 3 GB smaller.
ARG TORCH_INDEX_URL=https://pypi.org/simple
RUN pip install --extra-index-url "$TORCH_INDEX_URL" -c constraints.txt ".[worker,openvino,flower,serve]"

FROM python:3.11-slim AS base
ENV PATH=/opt/copydesk/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    COPYDESK_DATA_DIR=/data \
    HF_HOME=/data/models/huggingface
# Named volumes take the owner of the folder they are first mounted on, so these exist before the user changes.
RUN useradd --uid 10001 --create-home copydesk \
    && install --directory --owner copydesk --group copydesk /app /data /data/models /data/beat /files
WORKDIR /app
USER 10001:10001

FROM base AS worker
COPY --from=worker-packages /opt/copydesk /opt/copydesk
STOPSIGNAL SIGTERM
CMD ["celery", "-A", "workers.main", "worker", "-n", "worker@%h", "-l", "INFO"]

FROM base AS desk
COPY --from=desk-packages /opt/copydesk /opt/copydesk
CMD ["copydesk", "--help"]
