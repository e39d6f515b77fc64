"""Orders as publishers submit them, and as they are placed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.ordering import OrderPlaced
from events.shops import own_id, shop_of
from handlers.ordering import submission

EMAIL, STREET, TOKEN = "ada@customers.example", "12 Analytical Row", "tok_approve"
"""Customer data, which no log line may hold."""

CONTENT_KEY = bytes(range(32))
"""The key of content hashes that the vault has of every order that tests place."""


def order(order_id: str | None = "o1", *lines: Mapping[str, Any], **changed: Any) -> dict[str, Any]:
    """What a shop submits, under its own id; a field changed to None is left out."""
    content = {
        "order_id": order_id,
        "currency": "GBP",
        "lines": list(lines) or [line()],
        "customer": {"customer_id": "c1", "email": EMAIL},
        "shipping_address": {
            "name": "Ada Lovelace",
            "street": STREET,
            "city": "London",
            "postal_code": "N1",
            "country": "GB",
        },
        "payment_token": TOKEN,
        **changed,
    }
    return {name: value for name, value in content.items() if value is not None}


def line(sku: str = "A", quantity: int = 1, unit_price: int = 100, **more: Any) -> dict[str, Any]:
    return {"sku": sku, "quantity": quantity, "unit_price": unit_price, **more}


def to(postal_code: str) -> dict[str, str]:
    """An address with that postal code: carriers' sandboxes go by it."""
    address: dict[str, str] = order()["shipping_address"]
    return {**address, "postal_code": postal_code}


def valid(submitted: Mapping[str, Any]) -> submission.Valid:
    decided = submission.decide(submitted)
    assert isinstance(decided, submission.Valid), decided
    return decided


def invalid(submitted: Mapping[str, Any]) -> submission.Invalid:
    decided = submission.decide(submitted)
    assert isinstance(decided, submission.Invalid), decided
    return decided


def placed(order_id: str = "demo.o1", *lines: Mapping[str, Any], **changed: Any) -> OrderPlaced:
    """What intake makes of an order; its id has the shop."""
    return submission.placed(shop_of(order_id), valid(order(own_id(order_id), *lines, **changed)), CONTENT_KEY)


def submitted_order(
    order_id: str,
    *,
    token: str = "tok_approve",
    postal_code: str = "N1 9GU",
    lines: Mapping[str, int] | None = None,
    unit_price: int = 250,
    email: str | None = "buyer@example.com",
) -> dict[str, Any]:
    """What a publisher sends as ``OrderSubmitted``; ``lines`` are quantities by SKU."""
    return {
        "order_id": order_id,
        "currency": "GBP",
        "lines": [
            {"sku": sku, "quantity": quantity, "unit_price": unit_price}
            for sku, quantity in (lines or {"apple": 2, "pear": 1}).items()
        ],
        "shipping_address": {
            "name": "A Buyer",
            "street": "1 Road",
            "city": "London",
            "postal_code": postal_code,
            "country": "GB",
        },
        "payment_token": token,
        **({"customer": {"customer_id": "c1", "email": email}} if email else {}),
    }
