"""The page of the review form. It is private, so that the product's page can be public."""

from collections.abc import Callable

from flask import Blueprint, Response, make_response, redirect, render_template, request
from pydantic import ValidationError
from werkzeug.wrappers import Response as AnyResponse

from shop.catalog.forms import field_errors, number_or_text
from shop.catalog.schemas import REVIEW_MAX_LENGTH, NewReview
from shop.catalog.service import CatalogService
from shop.errors import StateConflict
from shop.web import idempotency
from shop.web.http_caching import NO_STORE
from shop.web.identity import require_identity

SEE_OTHER = 303
FIELD_MESSAGES = {"rating": "Choose between one and five stars.", "body": "Write a few words."}


def create_review_pages(get_service: Callable[[], CatalogService]) -> Blueprint:
    """Build the page of the review form.

    Args:
        get_service: returns the current request's catalogue service.
    """
    pages = Blueprint("catalog_reviews", __name__, template_folder="templates")

    @pages.get("/p/<slug>/review")
    def review_form(slug: str) -> AnyResponse:
        identity = require_identity()
        return _form(get_service(), slug, done=get_service().has_reviewed(slug, identity.user_id))

    @pages.post("/p/<slug>/review")
    def publish_review(slug: str) -> AnyResponse:
        catalog, identity = get_service(), require_identity()
        try:
            fields = idempotency.form_fields()
            review = NewReview.model_validate({**fields, "rating": number_or_text(fields.get("rating", ""))})
            catalog.write_review(slug, identity.user_id, identity.name, review.rating, review.body)
        except ValidationError as error:
            return _form(catalog, slug, errors=field_errors(error, FIELD_MESSAGES), status=422)
        except StateConflict:
            return _form(catalog, slug, done=True, status=409)
        return redirect(f"/p/{slug}#reviews", SEE_OTHER)

    return pages


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
    response.headers["Cache-Control"] = NO_STORE
    return response
