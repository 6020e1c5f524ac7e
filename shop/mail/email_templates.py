"""Email templates: render an email as text and HTML, and convert it to a MIME message."""

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
    """One email to send.

    Args:
        message_id: its ``Message-ID`` (RFC 5322), with the angle brackets. Every retry has the same id, so the
            recipient's server can detect a duplicate.
        recipient: one address.
        subject: one line.
        text: the body as plain text.
        html: the same body as HTML.
    """

    message_id: str
    recipient: str
    subject: str
    text: str
    html: str

    def as_message(self, sender: str) -> EmailMessage:
        """Return the email as ``multipart/alternative``. The HTML is last, since clients prefer the last part.

        Raises:
            ValueError: the recipient is not one address, or an address or the subject contains a line break.
        """
        message = EmailMessage(policy=SMTP)
        # An Address, not a string: a string with a comma would be parsed as two recipients.
        message["From"], message["To"] = sender, Address(addr_spec=self.recipient)
        message["Subject"] = self.subject
        message["Message-ID"] = self.message_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: prevents out-of-office replies
        message.set_content(self.text)
        message.add_alternative(self.html, subtype="html")
        return message


class EmailTemplates:
    """Renders emails from the templates of this folder."""

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
        """Render an email from ``<template>.txt`` and ``<template>.html``.

        Raises:
            UndefinedError: the template uses a name that is not passed.
        """
        text, html = (self._templates.get_template(f"{template}.{kind}").render(names) for kind in ("txt", "html"))
        return OutgoingEmail(message_id, recipient, subject, text, html)
