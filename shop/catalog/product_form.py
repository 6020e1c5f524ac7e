"""The administration's form of a product: what it shows, what its fields say, and what becomes of two at once. Pure.

Problem: a form sends every field back, also those that were not touched. Two people who have it open at the same time
undo each other's work: the second one's untouched fields are the old state, and are written over the new one.
Method: each field travels with the value it was shown (a hidden field beside it). Only what differs from that was
changed, and only that is written. Where somebody else has changed the same field meanwhile, nothing is written: the
form comes back with both values, and whoever sent it chooses.
Source: Fowler, "Patterns of Enterprise Application Architecture" (2002), Optimistic Offline Lock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shop.catalog.adding import NewProduct
from shop.catalog.editing import ProductChange
from shop.catalog.forms import decimal, minor_units, number_or_text, unified_newlines, whole_number
from shop.catalog.inventory import StockedProduct
from shop.catalog.models import MAX_PRICE
from shop.catalog.requests import ProductAddition, ProductEdit

Given = Mapping[str, str]
SHOWN: Given = {
    "title": "shown_title",
    "description": "shown_description",
    "price": "shown_price",
    "on_hand": "counted_from",
    "slug": "shown_slug",
}
"""Each field, in the page's order, and the hidden one that says what it was shown."""
NEW = ("title", "category", "brand", "description", "price", "on_hand", "slug")
"""The fields of a new product, in the page's order."""
CHOICE, THEIRS = "choice_", "theirs"
"""Before the name of a field that two people changed; what is chosen to leave the other's change as it is."""


@dataclass(frozen=True, slots=True)
class FieldClash:
    """One field that two people changed.

    Args:
        mine: what the sender of the form wants.
        theirs: what is stored by now.
        words: the two in one sentence.
    """

    mine: str
    theirs: str
    words: str


@dataclass(frozen=True, slots=True)
class FormValues:
    """What the form holds: its fields' values, and beside each the value it was shown."""

    fields: Given
    shown: Given

    @property
    def hidden(self) -> Given:
        """Return the hidden fields by their own names."""
        return {SHOWN[name]: value for name, value in self.shown.items()}


def as_stored(row: StockedProduct) -> FormValues:
    """Return the form of a product nobody has changed yet."""
    fields = {
        "slug": row.slug,
        "title": row.title,
        "description": row.description,
        "price": decimal(row.price.amount),
        "on_hand": str(row.on_hand),
    }
    return FormValues(fields, fields)


def as_sent(given: Given) -> FormValues:
    """Return the form as it was sent, to be mended; what it was shown stays what it was shown."""
    shown = {name: given[hidden] for name, hidden in SHOWN.items() if hidden in given}
    return FormValues({name: given.get(name, "") for name in SHOWN}, shown)


def as_merged(given: Given, row: StockedProduct, clashes: Mapping[str, FieldClash]) -> FormValues:
    """Return the form with others' changes taken in, and its sender's kept; it is shown what is stored now."""
    now = as_stored(row).fields
    own = {name for name in SHOWN if name in clashes or not _is_untouched(name, given)}
    return FormValues({name: given.get(name, "") if name in own else now[name] for name in SHOWN}, now)


def clashes(given: Given, row: StockedProduct, lost: Mapping[str, str]) -> dict[str, FieldClash]:
    """Return both versions of each field that another changed meanwhile.

    Args:
        given: what was sent.
        row: what is stored.
        lost: the fields' names.
    """
    now = as_stored(row).fields
    return {name: FieldClash(given[name].strip(), now[name], _words(name, now[name])) for name in SHOWN if name in lost}


def in_page_order(errors: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong, by field, in the order in which the page shows its fields; what is no field's last."""
    return {name: errors[name] for name in (*NEW, *errors) if name in errors}


def read(given: Given) -> ProductChange:
    """Read the form: what its sender has changed, and what those fields were before.

    Raises:
        ValidationError: fields are wrong; it names all of them.
    """
    changed = [name for name in SHOWN if not _is_untouched(name, given)]
    if not changed:
        return ProductChange()
    fields = _fields(given, changed)
    seen = {name: _typed(name, given[SHOWN[name]]) for name in changed if SHOWN[name] in given}
    known = {name: value for name, value in seen.items() if value is not None}
    return replace(ProductEdit.model_validate(fields).edit(), seen=known)


def read_new(given: Given) -> NewProduct:
    """Read the form of a new product.

    Raises:
        InvalidFields: no name can be made from the title.
        ValidationError: fields are wrong; it names all of them.
    """
    filled = [name for name in NEW if given.get(name, "").strip()]
    return ProductAddition.model_validate(_fields(given, filled)).product()


def _fields(given: Given, names: Sequence[str]) -> dict[str, object]:
    fields: dict[str, object] = {name: unified_newlines(given.get(name, "")) for name in names}
    if "slug" in fields:
        fields["slug"] = given["slug"].strip()
    if "on_hand" in fields:
        fields["on_hand"] = number_or_text(given.get("on_hand", ""))
    if "price" in fields:
        amount = minor_units(given.get("price", ""))
        is_price = amount is not None and 1 <= amount <= MAX_PRICE
        fields["price"] = {"amount": amount if is_price else None}  # no amount: refused together with the other fields
    return fields


def _is_untouched(name: str, given: Given) -> bool:
    """Tell whether a field is to stay: it was left alone, or what another made of it was chosen, or it was not sent."""
    if name not in given or given.get(CHOICE + name) == THEIRS:
        return True
    shown = given.get(SHOWN[name])
    return shown is not None and _compared(name, given.get(name, "")) == _compared(name, shown)


def _typed(name: str, text: str) -> str | int | None:
    """Return a shown value in the unit it is stored in; ``None`` for what no form of ours has shown."""
    if name == "price":
        return minor_units(text)
    return whole_number(text) if name == "on_hand" else unified_newlines(text)


def _compared(name: str, text: str) -> object:
    """Return what makes two inputs the same: amounts by value, a line of text without the breaks it cannot hold."""
    if name in ("slug", "title"):
        return "".join(text.split("\n")).replace("\r", "").strip()
    typed = _typed(name, text.strip())
    return text.strip() if typed is None else typed


def _words(name: str, theirs: str) -> str:
    if name == "on_hand":
        return f"Some were sold or came back, or somebody counted, since you looked: there are {theirs} by now."
    shown = theirs if len(theirs) <= 60 else f"{theirs[:60]}…"
    return f"Somebody else has changed this meanwhile. It is “{shown}” now."
