# Two stages: what builds stays behind. The result holds Python, the locked dependencies and
# Keyturn as bytecode, owned by root and run by somebody who may not write to it.
FROM python:3.11-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PROJECT_ENVIRONMENT=/opt/keyturn
WORKDIR /src
RUN pip install --no-cache-dir uv
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev --no-install-project
COPY README.md LICENSE ./
COPY bot ./bot
COPY store ./store
COPY templates ./templates
RUN uv sync --locked --no-dev --no-editable

FROM python:3.11-slim
# Fonts for the pictures in threads; the second one for Chinese, Japanese and Korean titles.
RUN apt-get update && apt-get install -y --no-install-recommends fonts-dejavu-core fonts-wqy-microhei \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/keyturn --create-home keyturn
COPY --from=build /opt/keyturn /opt/keyturn
ENV PATH=/opt/keyturn/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PORT=3000
WORKDIR /var/lib/keyturn
USER keyturn
VOLUME /var/lib/keyturn
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["keyturn"]
CMD ["serve"]
