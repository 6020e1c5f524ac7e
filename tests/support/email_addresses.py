"""Addresses that a mail server refuses, or reads as other addresses."""

INVALID_ADDRESSES = (
    "a@b..de",
    "a@b.de.",
    "a@b,de.com",
    "a@b.de,c@d.de",
    "a;b@c.de",
    ".a@c.de",
    "a..b@c.de",
    "\u00fcnn@c.de",
    '"a b"@c.de',
    "a@[127.0.0.1]",
    "a@localhost",
    "A <a@c.de>",
    "a@b_c.de",
    "a@-b.de",
    "a" * 65 + "@b.de",
)
