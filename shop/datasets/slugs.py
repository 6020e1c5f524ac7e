"""The name of a thing as it stands in an address; the catalogue's own way to make one of a title."""

from shop.catalog.slugs import slugify

__all__ = ["slugify"]
