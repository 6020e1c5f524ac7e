"""Queue consumer that sends the password reset mail."""

from shop.accounts.password_resets import PasswordResets
from shop.mail.email_templates import EmailTemplates
from shop.mail.mailer import MailTransport
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.queue.inbox import ConsumerInbox

CONSUMER = "password-mail"
PAGE = "/reset"


class PasswordMailConsumer:
    """Sends the mail with the link. It is idempotent: the same message may be delivered twice, also concurrently.

    Args:
        inbox: remembers the handled messages.
        resets: creates the link.
        templates: renders the mail.
        mailer: sends the mail.
        base_url: the store's public URL.
    """

    def __init__(
        self,
        inbox: ConsumerInbox,
        resets: PasswordResets,
        templates: EmailTemplates,
        mailer: MailTransport,
        base_url: str,
    ) -> None:
        self._inbox = inbox
        self._resets = resets
        self._templates = templates
        self._mailer = mailer
        self._base_url = base_url

    def handle(self, message: QueueMessage) -> None:
        """Send a link to the address in the message, if it has an account and the account may have another link.

        Raises:
            MailFailed: the mail was not sent; the queue retries.
        """
        if self._inbox.has_handled(message.message_id):
            return
        link = self._resets.issue(message.payload["email"], message.message_id)
        if link is None:
            self._inbox.process_once(message, lambda session: None)
            return
        email = self._templates.render(
            "password_reset",
            message_id=f"<password-reset.{message.message_id}@shop>",
            recipient=link.email,
            subject="Set a new password",
            name=link.name,
            url=f"{self._base_url}{PAGE}?token={link.token}",
        )
        self._mailer.send(email)
        self._inbox.process_once(message, lambda session: self._mailer.record(session, email))
