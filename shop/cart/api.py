"""Carts over HTTP, and the one small private call every page makes."""

from collections.abc import Callable
from typing import Any

from flask_openapi3 import Tag
from pydantic import Field, JsonValue

from shop.cart.cart_lines import CartLine, CartView
from shop.cart.models import MAX_QUANTITY
from shop.cart.service import SLUG, CartOwner, CartService
from shop.cart.sessions import current_owner, remember_cart
from shop.money import CURRENCY
from shop.web.identity import current_identity
from shop.web.openapi import AUTH_OPTIONAL, ApiBlueprint
from shop.web.private_response import keep_private
from shop.web.schemas import ApiModel, MoneySchema, ProblemDetails, WholeNumber

SLUG_SHAPE: dict[str, JsonValue] = {"pattern": f"^{SLUG.pattern}$"}
"""Documented, not checked here: what cannot be a slug is answered as a product that does not exist."""


class ItemPath(ApiModel):
    """Which line is meant."""

    slug: str = Field(description="The product's slug.", max_length=200, json_schema_extra=SLUG_SHAPE)


class NewItem(ApiModel):
    """What to put into the cart."""

    product: str = Field(description="The product's slug.", max_length=200, json_schema_extra=SLUG_SHAPE)
    quantity: WholeNumber = Field(default=1, ge=1, le=MAX_QUANTITY)


class QuantityChange(ApiModel):
    """How many pieces a line is to hold."""

    quantity: WholeNumber = Field(ge=1, le=MAX_QUANTITY)


class CartItemAnswer(ApiModel):
    """One line of a cart."""

    product: str = Field(description="The product's slug.")
    title: str
    url: str
    picture: str
    quantity: int
    unit_price: MoneySchema
    line_total: MoneySchema
    available: int = Field(description="Pieces that can be had now.")
    notes: list[str] = Field(description="What has changed since it was put here, one sentence each.")


class CartAnswer(ApiModel):
    """A cart, priced as of now."""

    items: list[CartItemAnswer]
    count: int = Field(description="Pieces in it.")
    total: MoneySchema
    currency: str
    note: str | None = Field(default=None, description="What became of the change just asked for, if not all of it.")


class PersonSummary(ApiModel):
    """Who is signed in."""

    name: str
    email: str
    role: str


class CartAmount(ApiModel):
    """How much lies in the cart."""

    count: int
    total: MoneySchema


class SessionSummary(ApiModel):
    """What a page's header says to one person."""

    user: PersonSummary | None
    cart: CartAmount


def create_api(use: Callable[[], CartService]) -> ApiBlueprint:
    """Build the routes.

    Args:
        use: returns the carts of the request being served.
    """
    api = ApiBlueprint(
        "cart_api", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="cart")], abp_security=AUTH_OPTIONAL
    )
    api.after_request(keep_private)

    @api.get("/me", operation_id="get_me", responses={200: SessionSummary, **_problems(401, 503)})
    def me() -> Any:
        """Tell who is signed in and how much lies in the cart. Makes no cart and sets no cookie."""
        identity = current_identity()
        count, total = use().count_and_total(current_owner())
        user = PersonSummary(name=identity.name, email=identity.email, role=identity.role) if identity else None
        return SessionSummary(
            user=user, cart=CartAmount(count=count, total=MoneySchema(**total.to_json()))
        ).model_dump()

    @api.get("/cart", operation_id="get_cart", responses={200: CartAnswer, **_problems(401, 503)})
    def view_cart() -> Any:
        """Show the cart at today's prices."""
        return _answer(use(), current_owner())

    @api.post(
        "/cart/items",
        operation_id="add_cart_item",
        responses={200: CartAnswer, **_problems(401, 404, 409, 410, 422, 503)},
    )
    def add_item(body: NewItem) -> Any:
        """Put a product into the cart; more of what is there already adds up. A cart holds 100 different ones."""
        owner = current_owner()
        added = use().add(owner, body.product, body.quantity)
        remember_cart(owner, added.cart_id)
        return _answer(use(), owner.with_cart(added.cart_id), added.note)

    @api.patch(
        "/cart/items/<slug>",
        operation_id="change_cart_item",
        responses={200: CartAnswer, **_problems(401, 404, 410, 422, 503)},
    )
    def change_item(path: ItemPath, body: QuantityChange) -> Any:
        """Make a line hold exactly so many pieces."""
        use().set_quantity(current_owner(), path.slug, body.quantity)
        return _answer(use(), current_owner())

    @api.delete(
        "/cart/items/<slug>",
        operation_id="remove_cart_item",
        responses={200: CartAnswer, **_problems(401, 404, 422, 503)},
    )
    def remove_item(path: ItemPath) -> Any:
        """Take a product out; doing it twice is well."""
        use().remove(current_owner(), path.slug)
        return _answer(use(), current_owner())

    return api


def _answer(carts: CartService, owner: CartOwner, note: str | None = None) -> Any:
    return cart_answer(carts.view(owner), note).model_dump()


def cart_answer(cart: CartView, note: str | None = None) -> CartAnswer:
    """Return a cart as the API shows it; ``note`` tells what became of a change."""
    return CartAnswer(
        items=[_item(line) for line in cart.lines],
        count=cart.count,
        total=MoneySchema(**cart.total.to_json()),
        currency=CURRENCY,
        note=note,
    )


def _item(line: CartLine) -> CartItemAnswer:
    return CartItemAnswer(
        product=line.slug,
        title=line.title,
        url=f"/p/{line.slug}",
        picture=line.picture,
        quantity=line.quantity,
        unit_price=MoneySchema(**line.unit_price.to_json()),
        line_total=MoneySchema(**line.total.to_json()),
        available=line.available,
        notes=list(line.notes),
    )


def _problems(*statuses: int) -> dict[str | int, Any]:
    return dict.fromkeys(statuses, ProblemDetails)
