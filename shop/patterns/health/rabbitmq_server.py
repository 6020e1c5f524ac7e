"""Check a RabbitMQ: publish a message that reaches no queue, and wait for the confirmation."""

from shop.patterns.health.server_faults import CheckFailed, RefusesWrites

NOWHERE = "shop.probe"
"""No queue has this name: the server confirms the message and drops it."""


def try_rabbitmq(url: str, timeout_s: float) -> None:
    """Sign in, open the virtual host, publish, and wait for the confirmation.

    Args:
        url: its address, with user, password and virtual host.
        timeout_s: seconds that the connect, or the wait for free memory or disk, may take.

    Raises:
        CheckFailed: the server does not answer, refuses the password or the virtual host, or accepts no messages.
    """
    import pika  # here, because only a store with a RabbitMQ needs its client
    from pika.adapters.utils.connection_workflow import AMQPConnectorException  # for a server that says nothing

    try:
        parameters = pika.URLParameters(url)
        parameters.socket_timeout = parameters.stack_timeout = timeout_s
        parameters.blocked_connection_timeout = timeout_s
        parameters.connection_attempts = 1
        with pika.BlockingConnection(parameters) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish("", NOWHERE, b"")
    except (pika.exceptions.AMQPError, AMQPConnectorException, OSError) as error:
        raise explain_error(error) from error


def explain_error(error: Exception) -> CheckFailed:
    """Return the fault that an exception of pika means. Pure.

    Args:
        error: the exception.
    """
    from pika import exceptions

    match error:
        case exceptions.ProbableAuthenticationError():
            return CheckFailed("refuses the user or the password of its address", "correct them there")
        case exceptions.ProbableAccessDeniedError():
            return CheckFailed(
                "refuses the virtual host of its address, or the user there",
                "write one that it has after the port, such as /%2F, and give the user its permissions",
            )
        case exceptions.ConnectionBlockedTimeout():
            return RefusesWrites("refuses writes: its memory or disk is full", "free some; it then goes on by itself")
        case exceptions.ChannelClosedByBroker() if error.reply_code == 403:
            return CheckFailed(f"does not let its user publish ({error.reply_text})", "permit it to that user")
    return CheckFailed(f"no answer ({type(error).__name__})")
