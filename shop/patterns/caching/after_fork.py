"""Starting afresh in a child process: threads do not come along, held locks and open sockets do."""

import os
import weakref
from collections.abc import Callable


def in_every_child(restart: Callable[[], None]) -> None:
    """Call a bound method in each child forked while its object lives.

    The object is not kept alive by this. Meant for objects a process has one of: what is registered is never
    unregistered.
    """
    reference = weakref.WeakMethod(restart)

    def in_child() -> None:
        if (found := reference()) is not None:
            found()

    os.register_at_fork(after_in_child=in_child)
