"""Who may do what in the stack's own PostgreSQL, and by which password.

Four roles: ``shop`` made the cluster and makes databases and roles; ``shop_owner`` owns the store's database and
changes its schema; ``shop_store`` reads and writes rows, as the servers do; ``shop_reader`` reads. All of them come by
password (SCRAM-SHA-256, RFC 7677) over the loopback address, and there is no other door.

The passwords stand beside the cluster in a file that libpq can read as it is (manual, 32.16).
"""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from shop.atomic_files import atomic_write
from shop.errors import ConfigurationError
from shop.stack.secret_files import new_secret

if TYPE_CHECKING:
    import psycopg

SUPERUSER = "shop"
OWNER = "shop_owner"
STORE = "shop_store"
READER = "shop_reader"
ROLES = (SUPERUSER, OWNER, STORE, READER)
HOST_RULES = """\
# Written by `shop up`, for the roles of {fingerprint}
host all all 127.0.0.1/32 scram-sha-256
"""
"""``pg_hba.conf``, whole: what it does not name is refused."""
MAKE_ROLES = f"""
DO $$ DECLARE one text; BEGIN
    FOREACH one IN ARRAY ARRAY['{OWNER}', '{STORE}', '{READER}'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = one) THEN
            EXECUTE 'CREATE ROLE ' || one;
        END IF;
    END LOOP;
END $$;

ALTER ROLE {READER} SET default_transaction_read_only = on;

GRANT pg_maintain TO {OWNER}, {STORE};

GRANT pg_monitor TO {READER};
"""
"""``pg_maintain``: whoever loads data may have it analysed. It changes no schema."""
TAKE_OVER = """
DO $$ DECLARE one text; BEGIN
    FOR one IN
        SELECT 'TABLE ' || pg_class.oid::regclass FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'S', 'v', 'm')
            AND relowner = 'shop'::regrole AND NOT EXISTS (SELECT FROM pg_depend
                WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype IN ('e', 'i', 'a'))
    UNION ALL
        SELECT 'ROUTINE ' || pg_proc.oid::regprocedure FROM pg_proc
        WHERE pronamespace = 'public'::regnamespace AND proowner = 'shop'::regrole AND NOT EXISTS (SELECT FROM pg_depend
                WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
    LOOP
        EXECUTE 'ALTER ' || one || ' OWNER TO shop_owner';
    END LOOP;
END $$
"""
"""What the superuser owns in a database from an earlier version becomes the owner's. Sequences go with their tables,
and what extensions brought stays. ``ALTER TABLE`` takes views and sequences, too."""
GRANTS = (
    f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {STORE}",
    f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO {STORE}",
    f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT SELECT ON TABLES TO {READER}",
    f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT SELECT ON SEQUENCES TO {READER}",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {STORE}",
    f"GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO {STORE}",
    f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {READER}",
    f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {READER}",
)
"""Also for tables that later migrations make, in whatever schema."""


def passwords_file(data_dir: Path) -> Path:
    """Return where the passwords of a cluster are kept."""
    return data_dir.with_name(f"{data_dir.name}.passwords")


def passwords(data_dir: Path) -> dict[str, str]:
    """Return the password of each role; made the first time and kept.

    Raises:
        ConfigurationError: the file belongs to another user.
    """
    path = passwords_file(data_dir)
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        found = dict(line.split(":")[3:5] for line in lines if line.count(":") == 4)
        if set(found) != set(ROLES):
            found = {role: found.get(role) or new_secret() for role in ROLES}
            atomic_write(path, "".join(f"127.0.0.1:*:*:{role}:{word}\n" for role, word in found.items()))
    except PermissionError:
        raise ConfigurationError(f"Cannot read {path}: it is another user's; run the stack as that user.") from None
    return found


def host_rules(words: dict[str, str]) -> str:
    """Return ``pg_hba.conf``; it names the script it goes with, so that other passwords or rights are noticed."""
    return HOST_RULES.format(fingerprint=hashlib.sha256(role_script(words).encode()).hexdigest())


def role_script(words: dict[str, str]) -> str:
    """Return the SQL that makes the roles and sets their passwords, for a superuser; safe to repeat."""
    logins = [f"ALTER ROLE {role} LOGIN PASSWORD '{words[role]}';\n" for role in ROLES]
    return "\n".join(["SET password_encryption = 'scram-sha-256';\n", MAKE_ROLES.strip() + "\n", *logins])


def grant(server: "psycopg.Connection", inside: "psycopg.Connection", database: str) -> None:
    """Give a database to its owner, and to the other roles what they may do there; safe to repeat.

    Args:
        server: a superuser's session elsewhere on the server.
        inside: a superuser's session in the database.
        database: its name.
    """
    for statement in (
        f'ALTER DATABASE "{database}" OWNER TO {OWNER}',
        f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC',
        f'GRANT CONNECT, TEMPORARY ON DATABASE "{database}" TO {STORE}',
        f'GRANT CONNECT ON DATABASE "{database}" TO {READER}',
    ):
        server.execute(statement.encode())
    inside.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")  # the only one its owner could not make
    for statement in (TAKE_OVER, *GRANTS):
        inside.execute(statement.encode())
