# One image for bot and workers. Built for CPU unless told otherwise:
#   docker compose build --build-arg EXTRAS=jobs,telegram,discord,gpu
# PIP_ARGS goes to pip as it is, for example to take torch from an index of CPU wheels.
FROM python:3.11-slim-bookworm AS build
ARG EXTRAS=jobs,telegram,discord
ARG PIP_ARGS=""
WORKDIR /src
RUN python -m venv /opt/atelier
ENV PATH=/opt/atelier/bin:$PATH ATELIER_CACHE=/opt/atelier/weights
COPY pyproject.toml constraints.txt README.md LICENSE THIRD_PARTY.md ./
COPY core core
COPY jobs jobs
COPY bots bots
COPY styles styles
RUN pip install --no-cache-dir $PIP_ARGS -c constraints.txt ".[$EXTRAS]" && atelier weights pull

FROM python:3.11-slim-bookworm
# libgl1, libgles2 and libegl1: mediapipe's graph library is linked to them, though nothing is drawn on a screen;
# no versions, because Debian's security updates are wanted as they come
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libgles2 libegl1 libglib2.0-0 libsm6 libice6 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin atelier \
    && install -d -o atelier -g atelier -m 700 /data /work /models
COPY --from=build /opt/atelier /opt/atelier
ENV PATH=/opt/atelier/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp \
    ATELIER_CACHE=/opt/atelier/weights ATELIER_DATA=/data ATELIER_WORK=/work ATELIER_LOG_JSON=true \
    ATELIER_METRICS_HOST=0.0.0.0 ATELIER_METRICS_PORT=9464
USER 10001:10001
VOLUME /data
HEALTHCHECK --interval=15s --timeout=8s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/readyz', timeout=7)"]
STOPSIGNAL SIGTERM
CMD ["atelier", "run", "all"]
