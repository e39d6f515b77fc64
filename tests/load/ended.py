"""How many orders of a load have ended: from the histories of its customers, which count them."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.projections.counter_views import CUSTOMERS
from handlers.table import keys
from handlers.table.codec import numbers
from tests.acceptance.environment import Environment


class EndedOrders:
    """Counts the orders of these customers that were confirmed or cancelled, in one request.

    A view is behind the log by the time that it takes: an order counts once it shows.
    """

    def __init__(self, environment: Environment, customer_ids: Sequence[str]) -> None:
        self._client = environment.client("dynamodb")
        self._table = environment.outputs["TableName"]
        generation = environment.connection.generations.read(CUSTOMERS.projection).live
        self._keys = [
            keys.counter(f"{CUSTOMERS.prefix}{customer_id}", generation).attributes for customer_id in customer_ids
        ]
        self._last = 0

    def count(self) -> int:
        """As many as there are, or were when it was last known."""
        answer = self._client.batch_get_item(RequestItems={self._table: {"Keys": self._keys}})
        if not answer.get("UnprocessedKeys"):
            found = map(numbers, answer["Responses"][self._table])
            self._last = sum(each.get("confirmed", 0) + each.get("cancelled", 0) for each in found)
        return self._last
