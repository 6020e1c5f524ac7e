"""The two ids of an order: a public id that cannot be guessed, and a number that a customer can read out."""

import random as randomness

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_UNAMBIGUOUS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 characters, without 0, O, 1 and I, which look or sound alike."""
PUBLIC_ID_LENGTH = 22
"""62^22 is above 2^128, so it is as hard to guess as a random UUID."""
NUMBER_LENGTH = 8


def new_public_id(random: randomness.Random) -> str:
    """Return ``ord_`` and 22 letters and digits.

    Args:
        random: ``random.SystemRandom()`` for real orders; a seeded generator for sample data.
    """
    return "ord_" + _letters(random, _ALPHABET, PUBLIC_ID_LENGTH)


def new_number(random: randomness.Random) -> str:
    """Return a number such as ``S-7K3M-92QX``. If the unique index refuses it, the caller tries another one."""
    letters = _letters(random, _UNAMBIGUOUS, NUMBER_LENGTH)
    return f"S-{letters[:4]}-{letters[4:]}"


def _letters(random: randomness.Random, alphabet: str, length: int) -> str:
    base = len(alphabet)
    rest = random.randrange(base**length)
    letters = []
    for _ in range(length):
        rest, digit = divmod(rest, base)
        letters.append(alphabet[digit])
    return "".join(letters)
