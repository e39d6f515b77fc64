"""Bodies that the gateway takes: it refuses what does not fit their JSON Schema. Neither says who the caller is."""

from events.integration import OrderContent
from events.model import Model, Text

KEY_PATTERN = "^[A-Za-z0-9_-]{1,47}$"
"""An ``Idempotency-Key`` is the shop's own id of an order. A UUID counts in lower case."""


class OrderRequest(OrderContent):
    """An order of the caller's shop to place; its id is the ``Idempotency-Key``."""


class CancellationRequest(Model):
    """A wish not to have the order any more."""

    reason: Text | None = None
