# syntax=docker/dockerfile:1
FROM python:3.13-slim AS build
WORKDIR /src
COPY setup.cfg setup.py pyproject.toml README.md LICENSE ./
COPY micro micro
COPY micro_plugins micro_plugins
RUN python -m venv /opt/micro && /opt/micro/bin/pip install --no-cache-dir '.[postgresql]'

FROM python:3.13-slim
RUN groupadd --gid 10001 micro \
    && useradd --uid 10001 --gid micro --no-create-home --shell /usr/sbin/nologin micro \
    && install -d -o micro -g micro /etc/micro/plugins /var/log/micro /var/run/micro /var/lib/micro
COPY --from=build /opt/micro /opt/micro
ENV PATH=/opt/micro/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MICRO_BIND=0.0.0.0:8000 \
    MICRO_HOSTNAME=%h \
    MICRO_PLUGIN_PATH=/etc/micro/plugins
USER micro
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["micro", "health"]
ENTRYPOINT ["micro"]
CMD ["-G"]
