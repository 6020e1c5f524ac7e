"""The failures that the dispatcher treats in a special way."""


class NoConsumer(Exception):
    """This release has no consumer for the message's topic, or no consumer of the name in the message."""


class PermanentFailure(Exception):
    """A retry cannot succeed: the message is a dead letter at once."""
