# Teasel with Ray, for a Kubernetes cluster: docker build --build-arg EXTRA=cuda -t teasel .
FROM python:3.11-slim

# KubeRay's probes call wget.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE py.typed *.py ./
COPY analysis analysis
COPY cluster cluster
COPY datasets datasets
COPY metrics metrics
COPY models models
COPY sweep sweep
COPY testing testing

# cuda or tpu
ARG EXTRA=cuda
RUN pip install --no-cache-dir --constraint constraints.txt ".[${EXTRA},cluster]"

RUN useradd --create-home teasel
USER teasel
WORKDIR /home/teasel
