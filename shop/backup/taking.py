"""Taking a backup: everything as it stood at one moment, while the store goes on."""

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
        What was written.

    Raises:
        ConfigurationError: the file exists or cannot be written.
    """
    with archive.create_archive(path) as out, engine.connect() as given:
        connection = given.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            lift_limits(connection)
            taken_at = connection.execute(text("SELECT now()")).scalar_one()  # fixes the moment for all that follows
            copied = []
            for table, columns in tables.table_columns(connection).items():
                with out.open(archive.member_name(table), "w", force_zip64=True) as member:
                    rows = tables.copy_out(connection, table, columns, member)
                copied.append(TableCopy(table, tuple(columns), rows))
            # sequences know no snapshot: read last, they are never behind the rows
            sequences = tables.sequence_values(connection)
            manifest = BackupManifest(current_revision(connection), taken_at, tuple(copied), sequences)
        out.writestr(MANIFEST, json.dumps(manifest.to_json(), indent=1))
    return manifest
