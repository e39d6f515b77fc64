"""Conditions on payments, for transactions of other contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from events import streams
from events.payments import PaymentCaptured
from handlers.payments.payment import CAPTURE
from handlers.table import keys
from handlers.table.codec import encode

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef


def not_captured(table: str, order_id: str) -> TransactWriteItemTypeDef:
    """A check that the payment of an order is not captured, as an item of a transaction on the table of that name."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": keys.event(streams.payment(order_id), CAPTURE).attributes,
            "ConditionExpression": "attribute_not_exists(PK) OR #type <> :captured",
            "ExpressionAttributeNames": {"#type": "type"},
            "ExpressionAttributeValues": encode({":captured": PaymentCaptured.__name__}),
        }
    }
