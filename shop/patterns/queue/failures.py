"""What a consumer may say of a failure."""


class PermanentFailure(Exception):
    """Trying again cannot help: the message is a dead letter at once, for a person to look at."""
