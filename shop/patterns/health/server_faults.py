"""What is wrong with a server the store leans on."""

from shop.errors import ConfigurationError
from shop.settings import mask_password, variable


class CheckFailed(Exception):
    """A dependency is away or not as it should be; the message names no address.

    Args:
        fault: what is wrong, as it follows the server's name.
        remedy: what to do about it; empty where it is to be started, or waited for.
    """

    def __init__(self, fault: str, remedy: str = "") -> None:
        super().__init__(fault)
        self.remedy = remedy


class RefusesWrites(CheckFailed):
    """It is there, and takes nothing new for now."""


class UnfitServer(CheckFailed):
    """It is there, and can never be used by the store: waiting does not help."""


def configuration_error(name: str, address: str, fault: CheckFailed) -> ConfigurationError:
    """Return a fault as one line that names the variable and what to do, and hides the password."""
    found, remedy = str(fault), fault.remedy
    if not remedy:
        remedy = f"start that server, or unset {variable(name)} to use the stack's own"
        if found.startswith("no answer"):
            said = str(fault.__cause__) or repr(fault.__cause__)  # pika's say nothing of what they carry
            cause = mask_password(" ".join(said.split()))
            found = f"does not answer ({cause})"
    return ConfigurationError(f"{variable(name)}={mask_password(address)} {found}: {remedy}.")
