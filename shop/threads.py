"""Whether the threads a process cannot do without are alive.

A thread that ended is missed by nobody until what it did is: copies are served that were invalidated, switches stand as
they stood. So each owner of such a thread says what is wrong with it, and the process's probe asks.
"""

import threading


def thread_fault(thread: threading.Thread | None, stopped: threading.Event | None = None) -> str:
    """Return what is wrong with a thread; empty where nothing is.

    Args:
        thread: ``None`` if it was not started.
        stopped: set when it was told to end.
    """
    if thread is None or thread.ident is None or thread.is_alive() or (stopped is not None and stopped.is_set()):
        return ""
    return "its thread has ended"
