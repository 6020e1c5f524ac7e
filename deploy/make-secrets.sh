#!/bin/sh
# Writes .env, which docker-compose.yml reads: a secret for each server, made on this machine and nowhere else.
#   sh deploy/make-secrets.sh            A file that is there is left alone: its secrets are those of the data.
set -eu
umask 077
file=${1:-$(dirname "$0")/../.env}
if [ -e "$file" ]; then
    echo "$file is there already; to make new secrets, move it away." >&2
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
