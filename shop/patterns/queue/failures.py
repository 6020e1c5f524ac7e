"""What a consumer may say of a failure."""


class NoConsumer(Exception):
    """No consumer of this release takes the message's topic, or has the name it is for."""


class PermanentFailure(Exception):
    """Trying again cannot help: the message is a dead letter at once, for a person to look at."""
