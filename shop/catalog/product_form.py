"""The admin form of a product: shows and parses its fields, and merges the changes of two administrators. Pure.

Problem: a form sends all its fields, also the unchanged ones. When two administrators have the form open, the second
one sends old values in the unchanged fields, and overwrites the changes of the first (a lost update).
Method: a hidden field beside each field holds the value that the form has shown. A field that differs from its hidden
value was changed, and only changed fields are written. If another administrator has changed the same field meanwhile,
nothing is written: the form shows both values, and the administrator chooses one.
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

FormFields = Mapping[str, str]
SHOWN_FIELDS: FormFields = {
    "title": "shown_title",
    "description": "shown_description",
    "price": "shown_price",
    "on_hand": "counted_from",
    "slug": "shown_slug",
}
"""Each field, in the order of the page, and the hidden field with the value that the form has shown."""
NEW_PRODUCT_FIELDS = ("title", "category", "brand", "description", "price", "on_hand", "slug")
"""The fields of a new product, in the order of the page."""
CHOICE, THEIRS = "choice_", "theirs"
"""The prefix of the choice between two values of a field, and the choice that keeps the stored value."""


@dataclass(frozen=True, slots=True)
class FieldClash:
    """One field that two administrators have changed.

    Args:
        mine: the value in the sent form.
        theirs: the value that is stored now.
        message: for the administrator.
    """

    mine: str
    theirs: str
    message: str


@dataclass(frozen=True, slots=True)
class FormValues:
    """The values of the form's fields, and the values that the form has shown."""

    fields: FormFields
    shown: FormFields

    @property
    def hidden(self) -> FormFields:
        """Return the hidden fields, by their names."""
        return {SHOWN_FIELDS[name]: value for name, value in self.shown.items()}


def form_from_stored(row: StockedProduct) -> FormValues:
    """Return the form with the stored values of a product."""
    fields = {
        "slug": row.slug,
        "title": row.title,
        "description": row.description,
        "price": decimal(row.price.amount),
        "on_hand": str(row.on_hand),
    }
    return FormValues(fields, fields)


def form_from_request(sent: FormFields) -> FormValues:
    """Return the form as it was sent, so that its errors can be corrected."""
    shown = {name: sent[hidden] for name, hidden in SHOWN_FIELDS.items() if hidden in sent}
    return FormValues({name: sent.get(name, "") for name in SHOWN_FIELDS}, shown)


def merge_changes(sent: FormFields, row: StockedProduct, clashes: Mapping[str, FieldClash]) -> FormValues:
    """Return the form with the changes of both administrators; the shown values are the stored ones."""
    stored = form_from_stored(row).fields
    own = {name for name in SHOWN_FIELDS if name in clashes or not _is_untouched(name, sent)}
    return FormValues({name: sent.get(name, "") if name in own else stored[name] for name in SHOWN_FIELDS}, stored)


def field_clashes(sent: FormFields, row: StockedProduct, conflicts: Mapping[str, str]) -> dict[str, FieldClash]:
    """Return both values of each field that another administrator has changed meanwhile.

    Args:
        sent: the sent fields.
        row: the stored product.
        conflicts: has the names of these fields as keys.
    """
    stored = form_from_stored(row).fields
    return {
        name: FieldClash(sent[name].strip(), stored[name], _clash_message(name, stored[name]))
        for name in SHOWN_FIELDS
        if name in conflicts
    }


def in_page_order(errors: Mapping[str, str]) -> dict[str, str]:
    """Return the errors in the order of the page's fields; errors without a field come last."""
    return {name: errors[name] for name in (*NEW_PRODUCT_FIELDS, *errors) if name in errors}


def parse_change(sent: FormFields) -> ProductChange:
    """Parse the form: the changed fields, and the values that the form has shown in them.

    Raises:
        ValidationError: names all invalid fields.
    """
    changed = [name for name in SHOWN_FIELDS if not _is_untouched(name, sent)]
    if not changed:
        return ProductChange()
    fields = _parse_fields(sent, changed)
    shown = {name: _parse_value(name, sent[SHOWN_FIELDS[name]]) for name in changed if SHOWN_FIELDS[name] in sent}
    original = {name: value for name, value in shown.items() if value is not None}
    return replace(ProductEdit.model_validate(fields).to_change(), original=original)


def parse_new_product(sent: FormFields) -> NewProduct:
    """Parse the form of a new product.

    Raises:
        InvalidFields: no slug can be generated from the title.
        ValidationError: names all invalid fields.
    """
    filled = [name for name in NEW_PRODUCT_FIELDS if sent.get(name, "").strip()]
    return ProductAddition.model_validate(_parse_fields(sent, filled)).to_new_product()


def _parse_fields(sent: FormFields, names: Sequence[str]) -> dict[str, object]:
    fields: dict[str, object] = {name: unified_newlines(sent.get(name, "")) for name in names}
    if "slug" in fields:
        fields["slug"] = sent["slug"].strip()
    if "on_hand" in fields:
        fields["on_hand"] = number_or_text(sent.get("on_hand", ""))
    if "price" in fields:
        amount = minor_units(sent.get("price", ""))
        is_price = amount is not None and 1 <= amount <= MAX_PRICE
        # Without an amount, the price is refused together with the other invalid fields.
        fields["price"] = {"amount": amount if is_price else None}
    return fields


def _is_untouched(name: str, sent: FormFields) -> bool:
    """Tell whether a field keeps its stored value: it was not changed, not sent, or the stored value was chosen."""
    if name not in sent or sent.get(CHOICE + name) == THEIRS:
        return True
    shown = sent.get(SHOWN_FIELDS[name])
    return shown is not None and _comparable(name, sent.get(name, "")) == _comparable(name, shown)


def _parse_value(name: str, text: str) -> str | int | None:
    """Return a shown value in the unit of the stored one; ``None`` if no form can have shown it."""
    if name == "price":
        return minor_units(text)
    return whole_number(text) if name == "on_hand" else unified_newlines(text)


def _comparable(name: str, text: str) -> object:
    """Return a form of an input that equals that of the same input: amounts by value, lines without line breaks."""
    if name in ("slug", "title"):
        return "".join(text.split("\n")).replace("\r", "").strip()
    value = _parse_value(name, text.strip())
    return text.strip() if value is None else value


def _clash_message(name: str, stored: str) -> str:
    if name == "on_hand":
        return f"The stock has changed since you opened this form. There are {stored} pieces now."
    excerpt = stored if len(stored) <= 60 else f"{stored[:60]}…"
    return f"Someone else has changed this field. It is “{excerpt}” now."
