"""Where parcels go: ISO 3166-1 alpha-2 and what people call it."""

from collections.abc import Mapping
from types import MappingProxyType

COUNTRIES: Mapping[str, str] = MappingProxyType(
    {
        "AT": "Austria",
        "BE": "Belgium",
        "DE": "Germany",
        "DK": "Denmark",
        "ES": "Spain",
        "FI": "Finland",
        "FR": "France",
        "IE": "Ireland",
        "IT": "Italy",
        "LU": "Luxembourg",
        "NL": "Netherlands",
        "PL": "Poland",
        "PT": "Portugal",
        "SE": "Sweden",
    }
)


def country_name(code: str) -> str:
    """Return a country's name; orders that came with a data set may go elsewhere, and then it is the code."""
    return COUNTRIES.get(code, code)
