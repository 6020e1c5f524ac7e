"""Which guest is asking, as every feature sees it: the id in the browser's signed session cookie.

Reading it touches the session cookie and so makes an answer private. Public pages must not.
"""

import uuid

from flask import session

_KEY = "cart"


def guest_id() -> uuid.UUID | None:
    """Return the guest's id, which is her cart's; ``None`` for a passer-by, who has not put anything into one."""
    kept = session.get(_KEY)
    return uuid.UUID(kept) if kept else None


def keep_guest_id(guest_id: uuid.UUID) -> None:
    """Let the browser being answered carry a guest's id, from now on for its full time."""
    session.permanent = True
    session[_KEY] = str(guest_id)
