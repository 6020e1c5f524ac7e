"""Which requests a browser sends ahead of a click.

Source: W3C, "Fetch Metadata", 2.5, and the Fetch Standard (``Sec-Purpose``: a token, and parameters after semicolons).
"""

PREFETCH_TOKEN = "prefetch"  # noqa: S105 - a token as HTTP has it


def is_prefetch_purpose(value: str) -> bool:
    """Return whether a value of ``Sec-Purpose`` means a prefetch, also one for a prerendered page.

    Args:
        value: the header's value, such as ``prefetch;prerender``; empty if the header is missing.
    """
    return value.partition(";")[0].strip().lower() == PREFETCH_TOKEN
