"""Stock levels: how an event changes them. A level keeps what it was before, so that its stream shows each crossing.

``previous`` is what was available before the last change. ``previous_threshold`` is there after a delivery alone, for
nothing else brings another threshold.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from events.inventory import DeliveredLine, StockLine
from handlers.table import keys
from handlers.table.codec import encode

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

DEFAULT_THRESHOLD = 10
_NAMES = {
    "#available": "available",
    "#previous": "previous",
    "#previous_threshold": "previous_threshold",
    "#version": "version",
}


def take(table: str, lines: Iterable[StockLine]) -> list[TransactWriteItemTypeDef]:
    """Take goods off the shelf, each level on condition that there is enough."""
    return [
        _update(
            table,
            line,
            "SET #previous = #available, #available = #available - :quantity, #version = #version + :one "
            "REMOVE #previous_threshold",
            condition="#available >= :quantity",
        )
        for line in lines
    ]


def put_back(table: str, lines: Iterable[StockLine]) -> list[TransactWriteItemTypeDef]:
    """Put goods taken before back on the shelf."""
    return [
        _update(
            table,
            line,
            "SET #previous = #available, #available = #available + :quantity, #version = #version + :one "
            "REMOVE #previous_threshold",
        )
        for line in lines
    ]


def deliver(table: str, lines: Iterable[DeliveredLine]) -> list[TransactWriteItemTypeDef]:
    """Put delivered goods on the shelf; a SKU's first delivery makes its level, before which nothing was expected."""
    return [_delivery(table, line) for line in lines]


def _delivery(table: str, line: DeliveredLine) -> TransactWriteItemTypeDef:
    threshold = ":threshold" if line.threshold is not None else "if_not_exists(#threshold, :threshold)"
    update = _update(
        table,
        line,
        "SET #previous = if_not_exists(#available, :zero), #available = if_not_exists(#available, :zero) + :quantity, "
        "#version = if_not_exists(#version, :zero) + :one, "
        f"#previous_threshold = if_not_exists(#threshold, :zero), #threshold = {threshold}",
    )
    update["Update"]["ExpressionAttributeNames"] = {**_NAMES, "#threshold": "threshold"}
    initial = DEFAULT_THRESHOLD if line.threshold is None else line.threshold
    values = {":quantity": line.quantity, ":one": 1, ":zero": 0, ":threshold": initial}
    update["Update"]["ExpressionAttributeValues"] = encode(values)
    return update


def _update(table: str, line: StockLine, expression: str, *, condition: str | None = None) -> TransactWriteItemTypeDef:
    update: TransactWriteItemTypeDef = {
        "Update": {
            "TableName": table,
            "Key": keys.level(line.sku).attributes,
            "UpdateExpression": expression,
            "ExpressionAttributeNames": _NAMES,
            "ExpressionAttributeValues": encode({":quantity": line.quantity, ":one": 1}),
        }
    }
    if condition:
        update["Update"]["ConditionExpression"] = condition
    return update
