"""A weighted edit distance: it measures how likely a typed word is a typing error of another word. Pure.

Problem: an unknown word is a typing error, or the name of something that the store does not sell. The plain number of
edits cannot tell: `wine` is as far from `wide` as `towle` is from `towel`.
Method: each edit has a weight. Two swapped letters, or one letter instead of a double one, are nearly always a typing
error, so they weigh little. A letter that is replaced by one that is far away on the keyboard and sounds different is
mostly another word, and so is another first letter, so they weigh much. A short word tolerates only light edits, a long
word several.
Source: Damerau, "A technique for computer detection and correction of spelling errors", CACM 1964; Kernighan, Church
and Gale, "A spelling correction program based on a noisy channel model", COLING 1990.
"""

from itertools import combinations

SWAPPED = DOUBLED = 5
"""Two swapped neighbours; a double letter typed once, or a single one typed twice. In tenths of a letter."""
MISTAKEN = 8
"""A vowel for another vowel, or a letter for its neighbour on the keyboard or for a letter with a similar sound."""
LETTER = 10
"""One letter too many, or one too few."""
OTHER = 15
"""Any letter for any other letter."""
BEGINNING = 7
"""Added when the first letter is wrong, because people seldom mistype it."""
MAX_DISTANCES = ((4, SWAPPED), (7, LETTER), (9, OTHER))
"""The number of letters of a word, and the largest distance that such a word tolerates."""
LONG_WORD_DISTANCE = 2 * LETTER
"""The largest distance that a longer word tolerates."""

_VOWELS = "aeiouy"
_SOUNDS = ("ckq", "cs", "sz", "fv", "dt", "bp", "mn", "gj", "xz", "uw")
_ROWS = (("qwertyuiop", 0.0), ("asdfghjkl", 0.25), ("zxcvbnm", 0.75))
"""The keyboard's rows, and the offset of each row to the right, in keys."""


def max_distance(letters: int) -> int:
    """Return the largest distance of a typing error, in tenths of a letter.

    Args:
        letters: the length of the longer one of the two words.
    """
    return next((distance for most, distance in MAX_DISTANCES if letters <= most), LONG_WORD_DISTANCE)


def edit_distance(typed: str, intended: str) -> int:
    """Return the weighted distance between a typed word and another word, in tenths of a letter."""
    a, b = typed, intended
    before: list[int] = []
    above = [0]
    for j in range(len(b)):
        above.append(above[-1] + _letter_cost(b, j))
    for i in range(len(a)):
        row = [above[0] + _letter_cost(a, i)]
        for j in range(len(b)):
            best = min(
                above[j + 1] + _letter_cost(a, i),
                row[-1] + _letter_cost(b, j),
                above[j] + _substitution_cost(a[i], b[j], i + j),
            )
            if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
                best = min(best, before[j - 1] + SWAPPED)
            row.append(best)
        before, above = above, row
    return above[-1]


def _letter_cost(word: str, place: int) -> int:
    """Return the weight of a letter that only one of the words has."""
    if place == 0:
        return LETTER + BEGINNING
    return DOUBLED if word[place] == word[place - 1] else LETTER


def _substitution_cost(typed: str, intended: str, place: int) -> int:
    """Return the weight of one letter instead of another; place 0 is the first letter of both words."""
    if typed == intended:
        return 0
    return (MISTAKEN if typed + intended in _CONFUSED else OTHER) + (0 if place else BEGINNING)


def _confused_pairs() -> frozenset[str]:
    """Return the pairs of letters that people confuse, in both orders."""
    places = [(key, row, number + shift) for row, (keys, shift) in enumerate(_ROWS) for number, key in enumerate(keys)]
    pairs = [pair for group in (_VOWELS, *_SOUNDS) for pair in combinations(group, 2)]
    for (one, row, place), (other, other_row, other_place) in combinations(places, 2):
        if abs(row - other_row) <= 1 and abs(place - other_place) <= 1:
            pairs.append((one, other))
    return frozenset(text for one, other in pairs for text in (one + other, other + one))


_CONFUSED = _confused_pairs()
