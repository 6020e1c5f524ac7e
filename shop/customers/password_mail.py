"""The mail with a link to set a password: what the worker does for who has forgotten one."""

from shop.accounts.password_resets import PasswordResets, ResetLink
from shop.mail.email_templates import EmailTemplates, OutgoingEmail
from shop.mail.mailer import MailTransport
from shop.patterns.outbox.messages import QueueMessage
from shop.patterns.queue.inbox import ConsumerInbox

CONSUMER = "password-mail"
PAGE = "/reset"


class PasswordMailConsumer:
    """Sends the link; safe to be given the same message twice, one after the other or at once.

    Args:
        inbox: what was handled.
        resets: makes the link.
        stationery: holds the templates.
        post: takes the letter.
        address: of the store.
    """

    def __init__(
        self,
        inbox: ConsumerInbox,
        resets: PasswordResets,
        stationery: EmailTemplates,
        post: MailTransport,
        address: str,
    ) -> None:
        self._inbox = inbox
        self._resets = resets
        self._stationery = stationery
        self._post = post
        self._address = address

    def handle(self, message: QueueMessage) -> None:
        """Send a link to the address in the message, if it has an account that has not been sent enough of them.

        Raises:
            MailFailed: not now; the queue tries again.
        """
        if self._inbox.has_handled(message.message_id):
            return
        link = self._resets.issue(message.payload["email"], message.message_id)
        if link is None:
            self._inbox.process_once(message, lambda session: None)
            return
        letter = self._letter(message, link)
        self._post.send(letter)
        self._inbox.process_once(message, lambda session: self._post.record(session, letter))

    def _letter(self, message: QueueMessage, link: ResetLink) -> OutgoingEmail:
        return self._stationery.render(
            "password_reset",
            message_id=f"<password-reset.{message.message_id}@shop>",
            recipient=link.email,
            subject="Set a new password",
            name=link.name,
            url=f"{self._address}{PAGE}?token={link.token}",
        )
