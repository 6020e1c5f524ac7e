"""The roles of the stack's own PostgreSQL, their rights and their passwords.

There are four roles. ``shop`` is the superuser, which makes databases and roles. ``shop_owner`` owns the store's
database and changes its schema. ``shop_store`` reads and writes rows; the servers use it. ``shop_reader`` only reads.
All roles log in with a password (SCRAM-SHA-256, RFC 7677) over the loopback address; every other log-in is refused.

The passwords are in a file beside the cluster, in the format of libpq's password file (manual, 32.16).
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
HBA_RULES = """\
# Written by `bin/shop up`, for the roles of {fingerprint}
host all all 127.0.0.1/32 scram-sha-256
"""
"""The whole of ``pg_hba.conf``: PostgreSQL refuses every other connection."""
CREATE_ROLES = f"""
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
"""``pg_maintain`` lets a role run ANALYZE after it has loaded data. It does not change the schema."""
TRANSFER_OWNERSHIP = """
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
"""Gives the superuser's tables and routines, in a database of an earlier version, to the owner. Sequences go with their
tables; objects of extensions stay. ``ALTER TABLE`` accepts views and sequences, too."""
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
"""The defaults cover the tables of later migrations, in any schema."""


def passwords_file(data_dir: Path) -> Path:
    """Return the path of the file with a cluster's passwords."""
    return data_dir.with_name(f"{data_dir.name}.passwords")


def role_passwords(data_dir: Path) -> dict[str, str]:
    """Return the password of each role; the first call generates and stores them.

    Raises:
        ConfigurationError: the file belongs to another user.
    """
    path = passwords_file(data_dir)
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        passwords = dict(line.split(":")[3:5] for line in lines if line.count(":") == 4)
        if set(passwords) != set(ROLES):
            passwords = {role: passwords.get(role) or new_secret() for role in ROLES}
            atomic_write(path, "".join(f"127.0.0.1:*:*:{role}:{password}\n" for role, password in passwords.items()))
    except PermissionError:
        raise ConfigurationError(
            f"Cannot read {path}: it belongs to another user; run the stack as that user."
        ) from None
    return passwords


def hba_rules(passwords: dict[str, str]) -> str:
    """Return the content of ``pg_hba.conf``. It has a hash of the role script: it differs if passwords or rights do."""
    return HBA_RULES.format(fingerprint=hashlib.sha256(role_script(passwords).encode()).hexdigest())


def role_script(passwords: dict[str, str]) -> str:
    """Return the SQL, for a superuser, that makes the roles and sets their passwords; safe to repeat."""
    logins = [f"ALTER ROLE {role} LOGIN PASSWORD '{passwords[role]}';\n" for role in ROLES]
    return "\n".join(["SET password_encryption = 'scram-sha-256';\n", CREATE_ROLES.strip() + "\n", *logins])


def grant_privileges(server: "psycopg.Connection", inside: "psycopg.Connection", database: str) -> None:
    """Make ``shop_owner`` the owner of a database, and grant the other roles their rights there; safe to repeat.

    Args:
        server: a superuser's session in another database of the server.
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
    inside.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")  # the owner may create all others
    for statement in (TRANSFER_OWNERSHIP, *GRANTS):
        inside.execute(statement.encode())
