"""The slug of a title, made by the catalogue's own function."""

from shop.catalog.slugs import slugify

__all__ = ["slugify"]
