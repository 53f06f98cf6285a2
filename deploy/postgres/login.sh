#!/bin/sh
# Runs once, when the database is new: makes the role that the services sign in with. It owns nothing and may create
# nothing; the migrations, which run as the administrator, grant it the services' roles.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set password="$ATTESTRY_DATABASE_PASSWORD" <<'SQL'
create role attestry_login login nosuperuser nocreatedb nocreaterole password :'password';
SQL
