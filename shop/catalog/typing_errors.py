"""How likely it is that one word was meant by another. Pure.

Problem: a word that the store does not know is a typing error, or the name of what is not sold. By the number of edits
the two look alike: `wine` is as far from `wide` as `towle` is from `towel`.
Method: edits are weighed by how people mistype. Two letters in the wrong order, or one instead of two, are hardly ever
another word; a letter replaced by one that lies elsewhere and sounds otherwise mostly is, and so is another first
letter. A short word forgives only the first kind, a long one several.
Source: Damerau, "A technique for computer detection and correction of spelling errors", CACM 1964; Kernighan, Church
and Gale, "A spelling correction program based on a noisy channel model", COLING 1990.
"""

from itertools import combinations

SWAPPED = DOUBLED = 5
"""Two neighbours in the wrong order; one of two same letters left out, or one typed twice. In tenths of a letter."""
MISTAKEN = 8
"""A vowel for another, a letter for its neighbour on the keyboard, or for one that sounds like it."""
LETTER = 10
"""One too many, or one too few."""
OTHER = 15
"""Any letter for any other."""
BEGINNING = 7
"""More, where the first letter is wrong: people seldom mistype it."""
TOLERANCES = ((4, SWAPPED), (7, LETTER), (9, OTHER))
"""Up to how many letters a word forgives how much."""
LONG = 2 * LETTER
"""What longer words forgive."""

_VOWELS = "aeiouy"
_SOUNDS = ("ckq", "cs", "sz", "fv", "dt", "bp", "mn", "gj", "xz", "uw")
_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
"""The keyboard's rows, and how many keys each begins further right."""


def tolerance(letters: int) -> int:
    """Return how large an error words of so many letters forgive, the longer of the two, in tenths of a letter."""
    return next((forgiven for most, forgiven in TOLERANCES if letters <= most), LONG)


def typing_cost(typed: str, meant: str) -> int:
    """Return how large an error it would be to have typed one word for another, in tenths of a letter."""
    a, b = typed, meant
    before: list[int] = []
    above = [0]
    for j in range(len(b)):
        above.append(above[-1] + _letter(b, j))
    for i in range(len(a)):
        row = [above[0] + _letter(a, i)]
        for j in range(len(b)):
            best = min(above[j + 1] + _letter(a, i), row[-1] + _letter(b, j), above[j] + _instead(a[i], b[j], i + j))
            if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
                best = min(best, before[j - 1] + SWAPPED)
            row.append(best)
        before, above = above, row
    return above[-1]


def _letter(word: str, place: int) -> int:
    """Weigh a letter that only one of the words has."""
    if place == 0:
        return LETTER + BEGINNING
    return DOUBLED if word[place] == word[place - 1] else LETTER


def _instead(typed: str, meant: str, place: int) -> int:
    """Weigh one letter instead of another; at place 0 it is the first of both words."""
    if typed == meant:
        return 0
    return (MISTAKEN if typed + meant in _CONFUSED else OTHER) + (0 if place else BEGINNING)


def _confused() -> frozenset[str]:
    """Return the pairs of letters that are typed for one another, both ways."""
    places = [(key, row, number + shift) for row, (keys, shift) in enumerate(_ROWS) for number, key in enumerate(keys)]
    pairs = [pair for alike in (_VOWELS, *_SOUNDS) for pair in combinations(alike, 2)]
    for (one, row, place), (other, other_row, other_place) in combinations(places, 2):
        if abs(row - other_row) <= 1 and abs(place - other_place) <= 1:
            pairs.append((one, other))
    return frozenset(text for one, other in pairs for text in (one + other, other + one))


_CONFUSED = _confused()
