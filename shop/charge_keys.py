"""The idempotency keys of charges at the provider. The prefix tells the origin of the order. Pure."""

ORDER_PREFIX = "order-"
DATASET_PREFIX = "dataset-"


def order_charge_key(public_id: str) -> str:
    """Return the key of the charge of an order that was placed here."""
    return ORDER_PREFIX + public_id


def dataset_charge_key(order_id: int) -> str:
    """Return the key of the charge of an order that was imported with a data set."""
    return f"{DATASET_PREFIX}{order_id}"
