"""Values as texts that fit into a message."""

MAX_TEXT = 200
"""Characters of a value."""


def shorten(value: object) -> str:
    """Return a value as a text that fits into a message."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception as error:  # noqa: BLE001 - the attempt may have written __repr__
        text = f"an object whose repr() raises {type(error).__name__}"
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
