"""The restore file: the values that the store had before an experiment, or before an exercise changed it.

This module imports little: ``bin/shop exercise list`` reads the file at each call.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FILE_NAME = "restore.json"


def read_restore_file(folder: Path) -> dict[str, Any]:
    """Return the content of the restore file; empty if there is none.

    Args:
        folder: its folder.
    """
    try:
        content: dict[str, Any] = json.loads((folder / FILE_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return content


def read_holder(folder: Path) -> str:
    """Return the folder name of the exercise for which the store is changed now; empty if there is none.

    Args:
        folder: the folder of the restore file.
    """
    return str(read_restore_file(folder).get("holder", ""))


def changed_at(folder: Path) -> datetime | None:
    """Return when the restore file was written, that is, just before the store was changed; ``None`` without one.

    Args:
        folder: its folder.
    """
    try:
        return datetime.fromtimestamp((folder / FILE_NAME).stat().st_mtime, UTC)
    except FileNotFoundError:
        return None
