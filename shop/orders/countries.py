"""The countries of delivery: ISO 3166-1 alpha-2 codes and names."""

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
    """Return a country's name; or the code, for other countries in the orders of a data set."""
    return COUNTRIES.get(code, code)
