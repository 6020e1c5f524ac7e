"""Writing a review, for people. The page is private, so that the product's own page need not be."""

from collections.abc import Callable

from flask import Blueprint, Response, make_response, redirect, render_template, request
from pydantic import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from shop.catalog.forms import field_errors, number_or_text
from shop.catalog.schemas import REVIEW_MAX_LENGTH, NewReview
from shop.catalog.service import CatalogService
from shop.errors import StateConflict
from shop.web import idempotency
from shop.web.identity import SignedInIdentity, require_identity

SEE_OTHER = 303


def create_review_pages(use: Callable[[], CatalogService]) -> Blueprint:
    """Build the page of the review form.

    Args:
        use: returns the catalogue of the request being served.
    """
    pages = Blueprint("catalog_reviews", __name__, template_folder="templates")

    @pages.get("/p/<slug>/review")
    def review_form(slug: str) -> AnyResponse:
        who = require_identity()
        return _form(use(), slug, done=use().has_reviewed(slug, who.user_id))

    @pages.post("/p/<slug>/review")
    def publish_review(slug: str) -> AnyResponse:
        return _publish(use(), slug, require_identity())

    return pages


def _publish(catalog: CatalogService, slug: str, who: SignedInIdentity) -> AnyResponse:
    try:
        given = idempotency.fields()
        review = NewReview.model_validate({**given, "rating": number_or_text(given.get("rating", ""))})
        catalog.write_review(slug, who.user_id, who.name, review.rating, review.body)
    except ValidationError as error:
        wrong = field_errors(error, {"rating": "Choose between one and five stars.", "body": "Write a few words."})
        return _form(catalog, slug, errors=wrong, status=422)
    except StateConflict:
        return _form(catalog, slug, done=True, status=409)
    return redirect(f"/p/{slug}#reviews", SEE_OTHER)


def _form(
    catalog: CatalogService, slug: str, *, errors: dict[str, str] | None = None, done: bool = False, status: int = 200
) -> Response:
    html = render_template(
        "catalog/review_form.html",
        nav=catalog.departments(),
        product=catalog.read_product(slug),
        form=request.form,
        errors=errors or {},
        done=done,
        max_length=REVIEW_MAX_LENGTH,
    )
    response = make_response(html, status)
    response.headers["Cache-Control"] = "no-store"
    return response
