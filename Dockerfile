# Keyturn as an image, for amd64 and arm64 (every locked package has wheels for both):
#
#   docker build -t keyturn .                                    for this machine
#   docker buildx build --platform linux/amd64,linux/arm64 \
#     --tag registry.example.com/keyturn:0.1.0 --push .          for both
#   docker run --read-only --tmpfs /tmp -p 3000:3000 -v keyturn:/var/lib/keyturn \
#     -e KEYTURN_SECRET_KEY=… keyturn                            one process on SQLite
#
# Two stages: what builds stays behind. The result holds Python, the locked dependencies and
# Keyturn as bytecode, owned by root and run by somebody who may not write to it. Nothing is
# written but the database's file, if it is one, and /tmp.
FROM python:3.11-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/keyturn
WORKDIR /src
RUN pip install --no-cache-dir uv==0.13.9
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --extra otel --extra kafka --no-install-project
COPY README.md LICENSE ./
COPY bot ./bot
COPY store ./store
COPY templates ./templates
RUN uv sync --locked --no-dev --extra otel --extra kafka --no-editable

FROM python:3.11-slim
LABEL org.opencontainers.image.title="Keyturn" \
      org.opencontainers.image.description="Two keys, one rollback: ChatOps for AI workflows that are published in Dify." \
      org.opencontainers.image.licenses="Apache-2.0"
# Fonts for the pictures in threads; the second one for Chinese, Japanese and Korean titles.
# hadolint ignore=DL3008
RUN apt-get update && apt-get install -y --no-install-recommends fonts-dejavu-core fonts-wqy-microhei \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --system --gid 10001 keyturn \
 && useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/keyturn --create-home keyturn
COPY --from=build /opt/keyturn /opt/keyturn
ENV PATH=/opt/keyturn/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib PORT=3000
WORKDIR /var/lib/keyturn
# By number, so that a cluster can see that it is not root.
USER 10001:10001
VOLUME /var/lib/keyturn
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["keyturn"]
CMD ["serve"]
