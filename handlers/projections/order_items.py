"""Where order views are in the table and its indexes: keys only, for those who write them and those who read them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

    from handlers.projections.order_fold import Attributes

PROJECTION = "order_view"
PREFIX = "view#order#"
REJECTED = "REJECTED"
STATUS_SHARDS = 8


def view_key(order_id: str, generation: str) -> dict[str, AttributeValueTypeDef]:
    """The key of an order's view."""
    return {"PK": {"S": f"{PREFIX}{order_id}"}, "SK": {"S": generation}}


def status_partition(generation: str, status: str, shard: int) -> str:
    """The partition of GSI2 that holds a shard's share of the orders with a status."""
    return f"{generation}#status#{status}#{shard}"


def customer_partition(generation: str, customer_id: str) -> str:
    """The partition of GSI1 that holds a customer's orders."""
    return f"{generation}#customer#{customer_id}"


def with_index_keys(order_id: str, generation: str, attributes: Attributes) -> Attributes:
    """Add the keys of the indexes: a customer's orders by time (GSI1), and orders by status (GSI2)."""
    keys: Attributes = {}
    if "status" in attributes:
        shard = crc32(order_id.encode()) % STATUS_SHARDS
        keys["GSI2PK"] = status_partition(generation, str(attributes["status"]), shard)
    if "placed_at" in attributes:
        keys["GSI2SK"] = f"{attributes['placed_at']}#{order_id}"
        if "customer_id" in attributes:
            keys["GSI1PK"] = customer_partition(generation, str(attributes["customer_id"]))
            keys["GSI1SK"] = keys["GSI2SK"]
    return attributes | keys
