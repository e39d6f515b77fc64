"""Whose a dead-letter message is, by what it holds and who sent it. Pure."""

import json
from collections.abc import Collection, Mapping
from enum import Enum
from typing import Any

from pydantic import ValidationError

from events.shops import of_shop
from handlers.dead_letters.message import DeadLetterKey, DeadLetterMessage
from handlers.intake.parties import Parties
from handlers.intake.requests import IntakeMessage, intake_message, sending_shop
from handlers.intake.validation import Refused

FROM_SHOPS = "order_intake"
"""The source of the dead-letter messages that shops sent. All others hold events, or what no person is in."""


class Whose(Enum):
    """Whose a message is: of somebody who is asked about, of somebody else, or nobody can tell."""

    THEIRS = "theirs"
    OTHERS = "others"
    UNKNOWN = "unknown"


def may_be_personal(key: str) -> bool:
    """Whether the dead-letter message with that key may hold personal data: one that is no such key may."""
    try:
        return DeadLetterKey.parse(key).source == FROM_SHOPS
    except ValueError:
        return True


def whose(content: bytes, order_ids: Collection[str], customer_id: str | None, parties: Parties) -> Whose:
    """Whether a stored dead-letter message is about one of these orders, or of this customer.

    The shop that it came from is the one that sent it, never one that it names. What it holds may be wrong in any way,
    which is why it is a dead letter: ids are compared as texts.
    """
    try:
        stored = DeadLetterMessage.model_validate_json(content)
        message = intake_message(stored.body, stored.message_id)
    except (ValidationError, Refused):
        return Whose.UNKNOWN
    order_id, customer = _named(message, sending_shop(message, parties))
    if order_id is None and customer is None:
        return Whose.UNKNOWN
    theirs = order_id in order_ids or (customer is not None and customer == customer_id)
    return Whose.THEIRS if theirs else Whose.OTHERS


def _named(message: IntakeMessage, shop: str | None) -> tuple[str | None, str | None]:
    """The order and the customer that a message names, with the shop that sent it."""
    detail: Mapping[str, Any] = message.detail if isinstance(message.detail, dict) else {}
    by_http = message.caller is not None
    own_order = (message.order_id or message.id) if by_http else _text(detail.get("order_id"))
    if shop is None:  # an operator names an order with its shop
        return own_order if by_http else None, None
    customer = detail.get("customer")
    number = _text(customer.get("customer_id")) if isinstance(customer, dict) else None
    return own_order and of_shop(shop, own_order), number and of_shop(shop, number)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str | None) else json.dumps(value)
