"""Tells when the reader saves a file of an attempt.

Problem: editors save in several ways: they write in place, or write another file and rename it, which deletes the first
one. And the notices of the operating system do not arrive everywhere: not from network drives, not from some folders of
virtual machines, and not after the watched folder itself was replaced.
Method: a notice only wakes the watch. Whether something was saved is read from the files: their times, sizes and
inodes. Without notices the watch looks twice a second, so a save is never missed.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

LOOK_EVERY_S = 0.5
SETTLE_S = 0.05
"""An editor that writes a file in several steps has finished when nothing changes for so long."""
MOST_SETTLES = 20
SUFFIXES = (".py", ".md")
FileStates = frozenset[tuple[str, int, int, int]]


class FileWatch:
    """Watches the files of one attempt.

    Args:
        folder: of the attempt; it may be missing for a while.
        report: receives a sentence if the operating system gives no notices.
    """

    def __init__(self, folder: Path, report: Callable[[str], None]) -> None:
        self._folder = folder
        self._report = report
        self._seen = read_states(folder)
        self._has_reported = False

    def wait(self) -> None:
        """Wait for the next save; one that happened since the last call counts.

        Raises:
            KeyboardInterrupt: Ctrl-C.
        """
        for _ in self._wakes():
            if read_states(self._folder) != self._seen:
                self._seen = self._settled_states()
                return

    def _settled_states(self) -> FileStates:
        states = read_states(self._folder)
        for _ in range(MOST_SETTLES):
            time.sleep(SETTLE_S)
            before, states = states, read_states(self._folder)
            if states == before:
                break
        return states

    def _wakes(self) -> Iterator[None]:
        """Yield at each notice, and twice a second without one."""
        import watchfiles  # loaded by this command only

        yield None
        try:
            step_ms, timeout_ms = round(1000 * SETTLE_S), round(1000 * LOOK_EVERY_S)
            for _ in watchfiles.watch(self._folder, step=step_ms, rust_timeout=timeout_ms, yield_on_timeout=True):
                yield None
        except (OSError, RuntimeError) as error:  # no folder, no more watches (inotify), or a failure of its own
            if self._folder.is_dir() and not self._has_reported:
                self._report(f"No notices about saved files here ({error}): looking twice a second instead.")
                self._has_reported = True
        while True:
            time.sleep(LOOK_EVERY_S)
            yield None


def read_states(folder: Path) -> FileStates:
    """Return path, time, size and inode of each file that a reader writes; nothing if the folder is missing."""
    states = set()
    for path in folder.rglob("[!.]*"):  # an audit has a program in a folder of its own
        if path.suffix not in SUFFIXES:  # a file that an editor makes beside it
            continue
        try:
            status = path.stat()
        except OSError:  # deleted meanwhile, or a link to nothing
            continue
        states.add((str(path), status.st_mtime_ns, status.st_size, status.st_ino))
    return frozenset(states)
