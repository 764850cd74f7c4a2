FROM python:3.12.13-slim-trixie AS build

RUN pip install --no-cache-dir uv==0.13.9
ENV UV_CACHE_DIR=/var/cache/uv \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PROJECT_ENVIRONMENT=/opt/fintrends-tui \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /src
# The dependencies are a layer of their own: they change seldom, and are most of the image. The version is read from
# pipeline/__init__.py.
COPY pyproject.toml README.md LICENSE ./
COPY pipeline/__init__.py pipeline/
RUN --mount=type=cache,target=/var/cache/uv uv sync --no-dev --no-install-project
COPY pipeline pipeline
COPY fintrends_tui fintrends_tui
RUN --mount=type=cache,target=/var/cache/uv uv sync --no-dev --no-editable


FROM python:3.12.13-slim-trixie

# Volumes take over owner and mode of the directories they are first mounted on.
RUN useradd --uid 1000 --create-home app && install --directory --owner=app --group=app --mode=0700 /data /logs
COPY --from=build /opt/fintrends-tui /opt/fintrends-tui
# pandas-ta cannot be imported where numba finds no directory to keep compiled functions in.
ENV PATH=/opt/fintrends-tui/bin:$PATH \
    FINTRENDS_PIPELINE__DATA_DIR=/data \
    FINTRENDS_LOGGING__DIR=/logs \
    NUMBA_CACHE_DIR=/data/numba
USER app
# A configuration is mounted as /app/config.toml.
WORKDIR /app
VOLUME ["/data", "/logs"]
ENTRYPOINT ["fintrends-tui"]
