# One image for every role: the command chooses. `docker run … earshot serve`, say.

FROM python:3.11-slim-bookworm AS build
WORKDIR /app
COPY environment.sh requirements.txt pyproject.toml README.md ./
COPY earshot/__init__.py earshot/__init__.py
RUN ./environment.sh /opt/earshot requirements.txt
COPY package.json package-lock.json .npmrc ./
COPY dashboard/icons.txt dashboard/icons.txt
COPY dashboard/frame/assets.py dashboard/frame/assets.py
RUN PATH=/opt/earshot/bin:$PATH python -P dashboard/frame/assets.py

FROM python:3.11-slim-bookworm
RUN useradd --uid 10001 --create-home earshot && install -d -o earshot /data
WORKDIR /app
COPY --from=build /opt/earshot /opt/earshot
COPY alembic.ini pyproject.toml ./
COPY migrations migrations
COPY config config
COPY earshot earshot
COPY collectors collectors
COPY classifier classifier
COPY router router
COPY dashboard dashboard
COPY operations operations
COPY --from=build /app/dashboard/static/vendor dashboard/static/vendor
ENV PATH=/opt/earshot/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    EARSHOT_HOME=/data \
    EARSHOT_WEB__HOST=0.0.0.0 \
    EARSHOT_TELEMETRY__HOST=0.0.0.0 \
    EARSHOT_TELEMETRY__FORMAT=json
# by number, so that an orchestrator can see that it is not root
USER 10001
VOLUME /data
EXPOSE 8080 9464-9471
# Each role has a port of its own ([telemetry] in config/earshot.toml): the one that runs here
# answers. In bash, because starting Python for each look would cost more than the look.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["bash", "-c", \
  "for port in {9464..9471}; do exec 3<>/dev/tcp/127.0.0.1/$port && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 ' && exit 0; done 2>/dev/null; exit 1"]
ENTRYPOINT ["earshot"]
CMD ["up"]
