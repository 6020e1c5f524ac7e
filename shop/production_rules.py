"""Rules that the settings of the production profile must keep before the store starts.

Each rule names the variable that breaks it and the remedy. The rules check the settings only;
``shop.datasets.production`` checks the database for what a lab may have left there.
"""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from shop.demo_accounts import DEMO_PASSWORD
from shop.errors import ConfigurationError
from shop.limit_rules import contradictions
from shop.settings import Settings

KEY_LENGTH = 32
"""Characters of a key that we make ourselves: 192 bits, if they are random."""
SECRET_LENGTH = 16
"""Characters of a secret from another server."""
DIFFERENT_CHARACTERS = 8
"""A text with fewer is a pattern and no secret; all but one in a thousand texts of 32 random hexadecimal digits have
more."""
PUBLISHED = frozenset({"only-for-this-machine", DEMO_PASSWORD, "shop", "a-key-for-tests-only", "changeme", "secret"})
"""Secrets that are in this repository, or in common lists of passwords."""
MAKE_ONE = "make one with python3 -c 'import secrets; print(secrets.token_urlsafe(48))'"
LAB_DOMAIN = "shop.test"
PUBLISHED_PASSWORD, REPLACE_IT = "contains a published password", "give that server another one"
MOVES_ORDERS, UNSET_IT = "moves orders on without staff", "unset it; staff mark the orders"

IsBroken = Callable[[Settings], bool]


@dataclass(frozen=True, slots=True)
class ProductionRule:
    """One rule.

    Args:
        variable: the environment variable to change.
        is_broken: returns whether settings break the rule.
        fault: the error; it follows the variable's name in the message.
        remedy: the action for the user.
    """

    variable: str
    is_broken: IsBroken
    fault: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.variable} {self.fault}: {self.remedy}."


def is_weak(secret: str, length: int) -> bool:
    """Return whether a secret is published, short, or made of few different characters."""
    return secret in PUBLISHED or len(secret) < length or len(set(secret)) < DIFFERENT_CHARACTERS


def _any_weak(secrets: Iterable[str], length: int) -> bool:
    return any(is_weak(secret, length) for secret in secrets)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _has_published_password(url: str | None) -> bool:
    return unquote(urlsplit(url or "").password or "") in PUBLISHED


RULES: tuple[ProductionRule, ...] = (
    ProductionRule("SHOP_SECRET_KEY", lambda settings: not settings.secret_keys, "is not set", MAKE_ONE),
    ProductionRule(
        "SHOP_SECRET_KEY",
        lambda settings: _any_weak(settings.secret_keys, KEY_LENGTH),
        f"holds a key that is published or weak (at least {KEY_LENGTH} random characters)",
        MAKE_ONE,
    ),
    ProductionRule(
        "PAYMENTS_URL",
        lambda settings: settings.payments_url is None,
        "is not set, and the simulator takes no real money",
        "name your payments provider",
    ),
    ProductionRule(
        "PAYMENTS_URL",
        lambda settings: (
            (url := urlsplit(settings.payments_url or "")).scheme == "http" and not _is_loopback(url.hostname or "")
        ),
        "sends the key of your account in the clear",
        "name the provider's https:// address",
    ),
    ProductionRule(
        "SHOP_PAYMENTS_API_KEY",
        lambda settings: is_weak(settings.payments_api_key, SECRET_LENGTH),
        "is not set, published or weak",
        "set the key that your payments provider gave you",
    ),
    ProductionRule(
        "SHOP_PAYMENTS_WEBHOOK_SECRET",
        lambda settings: (
            not settings.payments_webhook_secret or _any_weak(settings.payments_webhook_secret.split(), SECRET_LENGTH)
        ),
        "is not set, published or weak",
        "set the secret that your payments provider signs its messages with",
    ),
    ProductionRule(
        "DATABASE_URL", lambda settings: _has_published_password(settings.database_url), PUBLISHED_PASSWORD, REPLACE_IT
    ),
    ProductionRule(
        "CACHE_URL", lambda settings: _has_published_password(settings.cache_url), PUBLISHED_PASSWORD, REPLACE_IT
    ),
    ProductionRule(
        "BROKER_URL", lambda settings: _has_published_password(settings.broker_url), PUBLISHED_PASSWORD, REPLACE_IT
    ),
    ProductionRule(
        "MAIL_URL",
        lambda settings: settings.mail_url is None,
        "is not set, and no mail would be sent",
        "name your mail server, as smtps://user:password@host",
    ),
    ProductionRule(
        "SHOP_MAIL_FROM",
        lambda settings: settings.mail_from.rstrip(">").endswith(LAB_DOMAIN),
        "is the lab's address",
        "set one of your own domain",
    ),
    ProductionRule(
        "SHOP_PUBLIC_ADDRESS",
        lambda settings: urlsplit(settings.public_address or "").scheme != "https",
        "is not an https:// address, and links in mails would not work",
        "set the address that shoppers use",
    ),
    ProductionRule(
        "SHOP_TLS_CERT",
        lambda settings: not (settings.tls_cert or settings.trusted_proxies or _is_loopback(settings.host)),
        "is not set, and no shopper could sign in from another machine: browsers send the cookie over HTTPS only",
        "set it and SHOP_TLS_KEY, or name the proxy that speaks TLS in SHOP_TRUSTED_PROXIES",
    ),
    ProductionRule("SHOP_SHIP_AFTER_S", lambda settings: settings.ship_after_s > 0, MOVES_ORDERS, UNSET_IT),
    ProductionRule("SHOP_DELIVER_AFTER_S", lambda settings: settings.deliver_after_s > 0, MOVES_ORDERS, UNSET_IT),
)


def broken_rules(settings: Settings) -> list[str]:
    """Return a line for each broken rule, and for limits that contradict each other; none in the lab profile."""
    if settings.is_lab:
        return []
    return [*(str(rule) for rule in RULES if rule.is_broken(settings)), *contradictions(settings)]


def require_production(settings: Settings) -> None:
    """Refuse to start with settings that break a rule.

    Raises:
        ConfigurationError: at least one rule is broken; the message has a line for each broken rule.
    """
    if lines := broken_rules(settings):
        raise ConfigurationError("\n".join(["the production profile is not ready.", *lines]))
