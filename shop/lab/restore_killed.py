"""Restores the store after a killed experiment or check: ``python -m shop.lab.restore_killed FOLDER``.

Started by the guard of the killed process, see ``restore_guard``. Where it fails, the restore file stays, and the next
experiment or check restores the store.
"""

import sys
from contextlib import closing
from pathlib import Path

from shop.errors import ShopError
from shop.lab.lab_lock import claim_lab
from shop.lab.restore_file import read_restore_file
from shop.lab.saved_state import restore_after_kill
from shop.lab.store_client import StoreClient


def main(folder: Path) -> int:
    """Restore the store that the restore file names; return the exit code."""
    try:
        with claim_lab(folder, restores=True):
            if content := read_restore_file(folder):
                with closing(StoreClient(content["url"])) as store:
                    restore_after_kill(store, folder, lambda text: None)
    except ShopError:  # another check was quicker, and restores it; or the store does not answer
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
