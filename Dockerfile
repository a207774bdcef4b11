# The server of readers: docker build -t seqclr . && docker run -p 127.0.0.1:8000:8000 -v "$PWD/export:/models/export:ro" \
#     seqclr /models/export
FROM python:3.13-slim AS build
ARG EXTRAS=serve
COPY . /source
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir "/source[$EXTRAS]" \
    && /venv/bin/pip uninstall -y pip \
    && find /venv -type d -name tests -prune -exec rm -rf {} +

FROM python:3.13-slim
COPY --from=build /venv /venv
RUN useradd --no-create-home --shell /usr/sbin/nologin reader
USER reader
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["seqclr", "serve", "--host", "0.0.0.0"]
CMD ["captcha"]
