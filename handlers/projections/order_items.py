"""The items of order views: their name, and their keys in the indexes, for those who write and those who read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handlers.table import keys

if TYPE_CHECKING:
    from handlers.projections.order_fold import Attributes

PROJECTION = "order_view"
REJECTED = "REJECTED"


def with_request_key(order_id: str, attributes: Attributes, at: str) -> Attributes:
    """Add the key of the index of requests to cancel an order, where these tell of one; ``at`` is when they did."""
    if "cancellation" not in attributes:
        return attributes
    return attributes | {keys.REQUESTS_BY_STATUS.sk: keys.request(str(attributes["cancellation"]), at, order_id)}


def with_index_keys(order_id: str, generation: str, attributes: Attributes) -> Attributes:
    """Add the keys of the indexes: a customer's orders by time, and a shop's orders of a status by time."""
    customers, statuses = keys.ORDERS_BY_CUSTOMER, keys.ORDERS_BY_STATUS
    added: Attributes = {}
    if "status" in attributes:
        added[statuses.pk] = keys.status_partition(generation, str(attributes["status"]), order_id)
    if "placed_at" in attributes:
        added[statuses.sk] = keys.by_time(attributes["placed_at"], order_id)
        if "customer_id" in attributes:
            added[customers.pk] = keys.customer_partition(generation, str(attributes["customer_id"]))
            added[customers.sk] = added[statuses.sk]
    return attributes | added
