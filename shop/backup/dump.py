"""Backup of the database: a snapshot of all tables at one moment, while the store runs."""

import json
from pathlib import Path

from sqlalchemy import Engine, text

from shop.backup import archive, tables
from shop.backup.archive import MANIFEST, BackupManifest, TableCopy
from shop.database.engine import lift_limits
from shop.database.schema import current_revision


def take_backup(engine: Engine, path: Path) -> BackupManifest:
    """Write every table to a new file.

    Args:
        engine: of the store's database.
        path: the file; it must not exist.

    Returns:
        The manifest of the backup.

    Raises:
        ConfigurationError: the file exists, or its directory is not writable.
    """
    with archive.create_archive(path) as backup, engine.connect() as base_connection:
        connection = base_connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            lift_limits(connection)
            taken_at = connection.execute(text("SELECT now()")).scalar_one()  # this statement takes the snapshot
            copies = []
            for table, columns in tables.table_columns(connection).items():
                with backup.open(archive.member_name(table), "w", force_zip64=True) as member:
                    rows = tables.copy_out(connection, table, columns, member)
                copies.append(TableCopy(table, tuple(columns), rows))
            # A snapshot does not cover sequences. Read last, they are never behind the rows.
            sequences = tables.sequence_values(connection)
            manifest = BackupManifest(current_revision(connection), taken_at, tuple(copies), sequences)
        backup.writestr(MANIFEST, json.dumps(manifest.to_json(), indent=1))
    return manifest
