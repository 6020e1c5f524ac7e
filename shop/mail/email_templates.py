"""A letter: written from templates, as text and as HTML, and put into the shape mail servers take."""

from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class OutgoingEmail:
    """One mail.

    Args:
        message_id: its ``Message-ID`` (RFC 5322), with the angle brackets. A second try has the same, so that the
            recipient's server can see that it is the same mail.
        recipient: an address.
        subject: one line.
        text: for those who read text.
        html: the same for those who do not.
    """

    message_id: str
    recipient: str
    subject: str
    text: str
    html: str

    def as_message(self, sender: str) -> EmailMessage:
        """Return it as ``multipart/alternative``, the HTML last, which is what a client prefers.

        Raises:
            ValueError: the recipient is not one address, or an address or the subject has a line break in it.
        """
        message = EmailMessage(policy=SMTP)
        # Not as a string, which would be read as a list: one with a comma in it is two recipients.
        message["From"], message["To"] = sender, Address(addr_spec=self.recipient)
        message["Subject"] = self.subject
        message["Message-ID"] = self.message_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office answers, please
        message.set_content(self.text)
        message.add_alternative(self.html, subtype="html")
        return message


class EmailTemplates:
    """Writes letters from the templates of this folder."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=select_autoescape(["html"]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )

    def render(self, template: str, message_id: str, recipient: str, subject: str, **names: Any) -> OutgoingEmail:
        """Write a letter from ``<template>.txt`` and ``<template>.html``.

        Raises:
            UndefinedError: the template asks for a name that is not given.
        """
        text, html = (self._templates.get_template(f"{template}.{kind}").render(names) for kind in ("txt", "html"))
        return OutgoingEmail(message_id, recipient, subject, text, html)
