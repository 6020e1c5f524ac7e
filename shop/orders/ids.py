"""The two names of an order: one for machines that nobody can guess, one for people to read out."""

import random as randomness

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_UNAMBIGUOUS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 characters; 0 and O, 1 and I sound or look alike."""
PUBLIC_ID_LENGTH = 22
"""62^22 is above 2^128: as hard to guess as a random UUID."""
NUMBER_LENGTH = 8


def new_public_id(random: randomness.Random) -> str:
    """Return ``ord_`` and 22 letters and digits.

    Args:
        random: ``random.SystemRandom()`` for orders people place; a seeded one for sample data.
    """
    return "ord_" + _letters(random, _ALPHABET, PUBLIC_ID_LENGTH)


def new_number(random: randomness.Random) -> str:
    """Return a number such as ``S-7K3M-92QX``. Numbers can meet by chance: the unique index decides, try again."""
    letters = _letters(random, _UNAMBIGUOUS, NUMBER_LENGTH)
    return f"S-{letters[:4]}-{letters[4:]}"


def _letters(random: randomness.Random, alphabet: str, length: int) -> str:
    base = len(alphabet)
    left = random.randrange(base**length)
    letters = []
    for _ in range(length):
        left, digit = divmod(left, base)
        letters.append(alphabet[digit])
    return "".join(letters)
