"""The rule for an email address: the same for accounts, for the checkout and for sent mail.

An address is valid if every mail server accepts it: one recipient, up to 64 characters of ASCII before the ``@`` (so
the server needs no SMTPUTF8, RFC 6531), and a domain with a period. A domain in other letters is written in ASCII (RFC
5891). No DNS look-up is made: registration would depend on another server, and the answer would prove nothing.
Addresses under ``.test`` are valid, because the demo accounts use them (RFC 6761 reserves the domain).
Source: RFC 5321, 4.1.2 (Mailbox) and 4.5.3.1.1 (the length of its local part); RFC 5322, 3.4.1 (addr-spec).
"""

from functools import lru_cache

from shop.errors import InvalidFields
from shop.storable_text import storable

EMAIL_MAX = 254
"""RFC 5321's longest path, without its brackets."""
NO_ADDRESS = "Enter an email address, such as name@example.org."


@lru_cache(maxsize=64)  # a checkout calls it twice, and each call takes 0.2 ms of processor time
def clean_email(email: str) -> str:
    """Return the spelling in which an address is stored: lower case, ASCII.

    Raises:
        InvalidFields: the text is no email address, or not every mail server accepts it.
    """
    from email_validator import EmailNotValidError, validate_email  # here: its tables take 20 ms, and few calls need it

    try:
        # test_environment allows .test and nothing else. Without strict, the part before the @ may have any length, and
        # mail servers refuse such an address permanently.
        validated = validate_email(
            email.strip(), check_deliverability=False, allow_smtputf8=False, test_environment=True, strict=True
        )
    except EmailNotValidError:
        raise InvalidFields("Some fields are not right.", errors={"email": NO_ADDRESS}) from None
    return (validated.ascii_email or validated.normalized).lower()


def canonical_email(email: str) -> str:
    """Return the spelling in which an account's address is stored, also for one that only an older rule allowed."""
    try:
        return clean_email(email)
    except InvalidFields:
        return storable(email.strip().lower())
