"""The faults of a server that the store depends on."""

from shop.errors import ConfigurationError
from shop.settings import mask_password, variable


class CheckFailed(Exception):
    """A dependency is down or unsuitable; the message contains no address.

    Args:
        fault: the rest of a sentence that begins with the server's name.
        remedy: the advice; empty if the server only needs to be started.
    """

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(fault)
        self.remedy = remedy


class RefusesWrites(CheckFailed):
    """The server answers, and refuses writes for now."""


class UnfitServer(CheckFailed):
    """The server answers, and the store can never use it: waiting does not help."""


def configuration_error(name: str, address: str, fault: CheckFailed) -> ConfigurationError:
    """Return a fault as one line with the variable and the remedy, without the password."""
    text, remedy = str(fault), fault.remedy
    if not remedy:
        remedy = f"start that server, or unset {variable(name)} to use the stack's own"
        if text.startswith("no answer"):
            cause = str(fault.__cause__) or repr(fault.__cause__)  # some exceptions of pika have no text
            text = f"does not answer ({mask_password(' '.join(cause.split()))})"
    return ConfigurationError(f"{variable(name)}={mask_password(address)} {text}: {remedy}.")
