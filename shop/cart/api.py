"""The JSON API of carts, and ``/me``, the only private call of a public page."""

from collections.abc import Callable
from typing import Any

from flask_openapi3 import Tag
from pydantic import Field, JsonValue

from shop.cart.cart_lines import CartView
from shop.cart.models import MAX_QUANTITY
from shop.cart.service import SLUG, CartOwner, CartService
from shop.cart.sessions import current_owner, remember_cart
from shop.money import CURRENCY
from shop.web.identity import current_identity
from shop.web.openapi import AUTH_OPTIONAL, ApiBlueprint
from shop.web.private_response import keep_private
from shop.web.schemas import ApiModel, MoneySchema, ProblemDetails, WholeNumber

SLUG_SHAPE: dict[str, JsonValue] = {"pattern": f"^{SLUG.pattern}$"}
"""Documented, but not validated here: the response to an invalid slug is that the product does not exist."""


class ItemPath(ApiModel):
    """The path of a cart line."""

    slug: str = Field(description="The product's slug.", max_length=200, json_schema_extra=SLUG_SHAPE)


class NewItem(ApiModel):
    """The request to add a product."""

    product: str = Field(description="The product's slug.", max_length=200, json_schema_extra=SLUG_SHAPE)
    quantity: WholeNumber = Field(default=1, ge=1, le=MAX_QUANTITY)


class QuantityChange(ApiModel):
    """The request to set a line's quantity."""

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
    available: int = Field(description="Pieces that can be bought now.")
    notes: list[str] = Field(description="Changes since it was added, one sentence each.")


class CartAnswer(ApiModel):
    """A cart at current prices."""

    items: list[CartItemAnswer]
    count: int = Field(description="Pieces in the cart.")
    total: MoneySchema
    currency: str
    note: str | None = Field(default=None, description="Set if the requested change was made only in part.")


class PersonSummary(ApiModel):
    """The signed-in user."""

    name: str
    email: str
    role: str


class CartAmount(ApiModel):
    """The number of pieces in the cart and their price."""

    count: int
    total: MoneySchema


class SessionSummary(ApiModel):
    """The personal data in a page's header."""

    user: PersonSummary | None
    cart: CartAmount


def create_api(get_service: Callable[[], CartService]) -> ApiBlueprint:
    """Build the routes.

    Args:
        get_service: returns the current request's cart service.
    """
    api = ApiBlueprint(
        "cart_api", __name__, url_prefix="/api/v1", abp_tags=[Tag(name="cart")], abp_security=AUTH_OPTIONAL
    )
    api.after_request(keep_private)

    @api.get("/me", operation_id="get_me", responses={200: SessionSummary, **_problems(401, 503)})
    def me() -> Any:
        """Return the signed-in user and the cart's total. Creates no cart and sets no cookie."""
        identity = current_identity()
        count, total = get_service().count_and_total(current_owner())
        user = PersonSummary(name=identity.name, email=identity.email, role=identity.role) if identity else None
        return SessionSummary(
            user=user, cart=CartAmount(count=count, total=MoneySchema(**total.to_json()))
        ).model_dump()

    @api.get("/cart", operation_id="get_cart", responses={200: CartAnswer, **_problems(401, 503)})
    def view_cart() -> Any:
        """Return the cart at current prices."""
        return _cart_response(get_service(), current_owner())

    @api.post(
        "/cart/items",
        operation_id="add_cart_item",
        responses={200: CartAnswer, **_problems(401, 404, 409, 410, 422, 503)},
    )
    def add_item(body: NewItem) -> Any:
        """Add a product to the cart; pieces of the same product add up. A cart has at most 100 different products."""
        owner = current_owner()
        added = get_service().add(owner, body.product, body.quantity)
        remember_cart(owner, added.cart_id)
        return _cart_response(get_service(), owner.with_cart(added.cart_id), added.note)

    @api.patch(
        "/cart/items/<slug>",
        operation_id="change_cart_item",
        responses={200: CartAnswer, **_problems(401, 404, 410, 422, 503)},
    )
    def change_item(path: ItemPath, body: QuantityChange) -> Any:
        """Set the quantity of a line."""
        get_service().set_quantity(current_owner(), path.slug, body.quantity)
        return _cart_response(get_service(), current_owner())

    @api.delete(
        "/cart/items/<slug>",
        operation_id="remove_cart_item",
        responses={200: CartAnswer, **_problems(401, 404, 422, 503)},
    )
    def remove_item(path: ItemPath) -> Any:
        """Remove a product; a second removal changes nothing."""
        get_service().remove(current_owner(), path.slug)
        return _cart_response(get_service(), current_owner())

    return api


def _cart_response(carts: CartService, owner: CartOwner, note: str | None = None) -> Any:
    return cart_answer(carts.view(owner), note).model_dump()


def cart_answer(cart: CartView, note: str | None = None) -> CartAnswer:
    """Return a cart in the form of the API; ``note`` explains the result of a change."""
    return CartAnswer(
        items=[
            CartItemAnswer(
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
            for line in cart.lines
        ],
        count=cart.count,
        total=MoneySchema(**cart.total.to_json()),
        currency=CURRENCY,
        note=note,
    )


def _problems(*statuses: int) -> dict[str | int, Any]:
    return dict.fromkeys(statuses, ProblemDetails)
