"""Bodies that the gateway takes: it refuses what does not fit their JSON Schema. Neither says who the caller is."""

from events.integration import OrderContent
from events.model import Model, Text

MAX_KEY = 31
KEY_PATTERN = f"^([A-Za-z0-9_-]{{1,{MAX_KEY}}}|[0-9A-Fa-f]{{8}}(-[0-9A-Fa-f]{{4}}){{3}}-[0-9A-Fa-f]{{12}})$"
"""An ``Idempotency-Key``: a UUID, or up to 31 of the characters an id may have."""


class OrderRequest(OrderContent):
    """An order of the caller's shop to place; its id is the ``Idempotency-Key``."""


class CancellationRequest(Model):
    """A wish not to have the order any more."""

    reason: Text | None = None
