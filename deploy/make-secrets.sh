#!/bin/sh
# Writes .env for docker-compose.yml, with a random secret for each server.
#   sh deploy/make-secrets.sh            An existing file is not changed: its secrets belong to the stored data.
set -eu
umask 077
file=${1:-$(dirname "$0")/../.env}
if [ -e "$file" ]; then
    echo "$file exists already; move it away to make new secrets." >&2
    exit 1
fi
secret() { head -c 36 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }
cat > "$file" <<END
# Lab: the simulator takes the payments. For production, see docs/how-to/go-to-production.md.
SHOP_PROFILE=lab
COMPOSE_PROFILES=lab
SHOP_SECRET_KEY=$(secret)
SHOP_PAYMENTS_API_KEY=$(secret)
SHOP_PAYMENTS_WEBHOOK_SECRET=$(secret)
POSTGRES_PASSWORD=$(secret)
CACHE_PASSWORD=$(secret)
BROKER_PASSWORD=$(secret)
END
echo "Wrote $file. Start the store with: docker compose up --build"
