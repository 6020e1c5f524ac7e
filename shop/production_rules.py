"""What the production profile must have, and must not have, before it serves anybody.

Each rule names the variable that breaks it and how to put it right. They look at the settings alone; what a lab may
have left in a database is looked at where the database is (``shop.datasets.production``).
"""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from shop.demo_accounts import DEMO_PASSWORD
from shop.errors import ConfigurationError
from shop.settings import Settings

KEY_LENGTH = 32
"""Characters of a key we make ourselves: 192 bits, if they are random."""
SECRET_LENGTH = 16
"""Characters of a secret that somebody else gave us."""
DIFFERENT_CHARACTERS = 8
"""Fewer are a pattern, not a secret; of 32 random hexadecimal digits, all but one in a thousand have more."""
PUBLISHED = frozenset({"only-for-this-machine", DEMO_PASSWORD, "shop", "a-key-for-tests-only", "changeme", "secret"})
"""Secrets that stand in this repository, or in everybody's list."""
MAKE_ONE = "make one with python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
LAB_DOMAIN = "shop.test"

IsBroken = Callable[[Settings], bool]


@dataclass(frozen=True, slots=True)
class ProductionRule:
    """One thing that production must have, or must not have.

    Args:
        variable: what the user changes.
        is_broken: tells whether settings break the rule.
        fault: what is wrong, behind the variable's name.
        remedy: what to do.
    """

    variable: str
    is_broken: IsBroken
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.variable} {self.fault}: {self.remedy}."


def is_weak(secret: str, length: int) -> bool:
    """Tell whether a secret is published, short, or made of few characters."""
    return secret in PUBLISHED or len(secret) < length or len(set(secret)) < DIFFERENT_CHARACTERS


def _any_weak(secrets: Iterable[str], length: int) -> bool:
    return any(is_weak(secret, length) for secret in secrets)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_plain_http(url: str | None) -> bool:
    parts = urlsplit(url or "")
    return parts.scheme == "http" and not _is_loopback(parts.hostname or "")


def _has_published_password(field: str) -> IsBroken:
    return lambda found: unquote(urlsplit(getattr(found, field) or "").password or "") in PUBLISHED


def _is_above_zero(field: str) -> IsBroken:
    return lambda found: bool(getattr(found, field) > 0)


def _is_open_without_tls(settings: Settings) -> bool:
    return not (settings.tls_cert or settings.trusted_proxies or _is_loopback(settings.host))


RULES: tuple[ProductionRule, ...] = (
    ProductionRule("SHOP_SECRET_KEY", lambda found: not found.secret_keys, "is not set", MAKE_ONE),
    ProductionRule(
        "SHOP_SECRET_KEY",
        lambda found: _any_weak(found.secret_keys, KEY_LENGTH),
        f"holds a key that is published or weak (at least {KEY_LENGTH} random characters)",
        MAKE_ONE,
    ),
    ProductionRule(
        "PAYMENTS_URL",
        lambda found: found.payments_url is None,
        "is not set, and the simulator takes no real money",
        "name your payments provider",
    ),
    ProductionRule(
        "PAYMENTS_URL",
        lambda found: _is_plain_http(found.payments_url),
        "sends the key of your account in the clear",
        "name the provider's https:// address",
    ),
    ProductionRule(
        "SHOP_PAYMENTS_API_KEY",
        lambda found: is_weak(found.payments_api_key, SECRET_LENGTH),
        "is not set, published or weak",
        "set the key that your payments provider gave you",
    ),
    ProductionRule(
        "SHOP_PAYMENTS_WEBHOOK_SECRET",
        lambda found: (
            not found.payments_webhook_secret or _any_weak(found.payments_webhook_secret.split(), SECRET_LENGTH)
        ),
        "is not set, published or weak",
        "set the secret that your payments provider signs its messages with",
    ),
    *(
        ProductionRule(
            name,
            _has_published_password(name.lower()),
            "holds a published password",
            "give that server another one",
        )
        for name in ("DATABASE_URL", "CACHE_URL", "BROKER_URL")
    ),
    ProductionRule(
        "MAIL_URL",
        lambda found: found.mail_url is None,
        "is not set, and mail would reach nobody",
        "name your mail server, as smtps://user:password@host",
    ),
    ProductionRule(
        "SHOP_MAIL_FROM",
        lambda found: found.mail_from.rstrip(">").endswith(LAB_DOMAIN),
        "is the lab's address",
        "set one of your own domain",
    ),
    ProductionRule(
        "SHOP_PUBLIC_ADDRESS",
        lambda found: urlsplit(found.public_address or "").scheme != "https",
        "is not an https:// address, and links in mails would lead nowhere",
        "set the address shoppers type",
    ),
    ProductionRule(
        "SHOP_TLS_CERT",
        _is_open_without_tls,
        "is not set, and nobody could sign in from another machine: the cookie travels by HTTPS alone",
        "set it and SHOP_TLS_KEY, or name the proxy that speaks TLS in SHOP_TRUSTED_PROXIES",
    ),
    *(
        ProductionRule(
            variable,
            _is_above_zero(field),
            "moves orders on that nobody has sent",
            "unset it; staff say what was shipped",
        )
        for variable, field in (("SHOP_SHIP_AFTER_S", "ship_after_s"), ("SHOP_DELIVER_AFTER_S", "deliver_after_s"))
    ),
)


def broken_rules(settings: Settings) -> list[str]:
    """Return a line for each rule that settings break; none in the lab profile."""
    return [] if settings.is_lab else [str(rule) for rule in RULES if rule.is_broken(settings)]


def require_production(settings: Settings) -> None:
    """Make sure that settings are fit to serve with.

    Raises:
        ConfigurationError: they break a rule of production; all of them are named, a line each.
    """
    if lines := broken_rules(settings):
        raise ConfigurationError("\n".join(["the production profile is not ready.", *lines]))
