"""Threads of a process: the fault of a dead thread, and new locks and sockets after a fork.

When a needed thread dies, nothing fails at once: copies are served after their invalidation, switches keep their old
values. So each owner of such a thread reports its fault, and the health probe of the process asks for it.
"""

import os
import threading
import weakref
from collections.abc import Callable


def thread_fault(thread: threading.Thread | None, stopped: threading.Event | None = None) -> str:
    """Return the fault of a thread; empty if there is none.

    Args:
        thread: ``None`` if it was not started.
        stopped: set when it was told to end.
    """
    if thread is None or thread.ident is None or thread.is_alive() or (stopped is not None and stopped.is_set()):
        return ""
    return "its thread has ended"


def reset_after_fork(reset: Callable[[], None]) -> None:
    """Call a bound method in each child process that is forked while the method's object lives.

    A child inherits locks (perhaps locked) and open sockets, but no thread. ``reset`` makes them anew. The registration
    keeps a weak reference to the object, and cannot be undone: use it for objects of which a process has one.
    """
    reference = weakref.WeakMethod(reset)

    def in_child() -> None:
        if (method := reference()) is not None:
            method()

    os.register_at_fork(after_in_child=in_child)
