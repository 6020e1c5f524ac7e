# One image for the web server, the worker, the payments simulator, the purger and the step that prepares the database.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

COPY requirements.lock ./
RUN pip install --no-cache-dir --quiet --require-hashes -r requirements.lock

COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY shop shop
RUN pip install --no-cache-dir --quiet --no-deps --no-build-isolation -e . \
    && python -m compileall -q shop migrations \
    && install -d bin && ln -s "$(command -v shop)" bin/shop \
    && useradd --system shop && install -d -o shop var
USER shop

EXPOSE 8080
CMD ["gunicorn", "-c", "python:shop.stack.gunicorn_conf", "shop.app:from_environment()"]
