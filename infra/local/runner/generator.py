"""Generated orders: seeded, so that a run can be repeated, and mixed, so that orders end in every possible way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from handlers.operations.audit.published_submission import Submission, distinct
from handlers.payments import sandbox_gateway as payments
from handlers.shipping import sandbox_carrier as shipping
from infra.local.runner.stock_deliveries import needed
from infra.names import DEMO_SHOP

Detail = dict[str, Any]

_GOODS = [f"SKU-{number:03d}" for number in range(1, 201)]
_SOLD_OUT = "SOLD-OUT"
_SOLD_OUT_QUANTITY = 3
_SCARCE_EVERY = 20
_PLENTY = 50
_PLACES = [("London", "GB"), ("Leeds", "GB"), ("Dublin", "IE"), ("Oslo", "NO"), ("Berlin", "DE"), ("Lyon", "FR")]
_MANY_LINES = 120  # more SKUs than one transaction takes


@dataclass(frozen=True)
class Generated:
    """Orders to publish in this order, and what to stock the warehouse with before: quantity by SKU."""

    submissions: Sequence[Submission]
    stock: dict[str, int]


@dataclass(frozen=True)
class _Kind:
    """A kind of order: how many of a hundred are of it, how it differs from an ordinary one, what it must end as."""

    share: int
    expected: str
    change: Callable[[Detail, random.Random], None]


def _token(token: str) -> Callable[[Detail, random.Random], None]:
    return lambda order, _: order.update(payment_token=token)


def _postal_code(code: str) -> Callable[[Detail, random.Random], None]:
    return lambda order, _: order["shipping_address"].update(postal_code=code)


def _first_line(**fields: Any) -> Callable[[Detail, random.Random], None]:
    return lambda order, _: order["lines"][0].update(fields)


def _ordinary(_order: Detail, _random: random.Random) -> None:
    """Nothing is changed."""


def _guest(order: Detail, _: random.Random) -> None:
    del order["customer"]


def _free(order: Detail, _: random.Random) -> None:
    for line in order["lines"]:
        line["unit_price"] = 0


def _many_lines(order: Detail, rand: random.Random) -> None:
    order["lines"] = [_line(sku, rand) for sku in rand.sample(_GOODS, _MANY_LINES)]


def _same_sku_twice(order: Detail, rand: random.Random) -> None:
    order["lines"].append(_line(order["lines"][0]["sku"], rand))


def _unknown_currency(order: Detail, _: random.Random) -> None:
    order["currency"] = "ABC"


def _no_usable_id(order: Detail, _: random.Random) -> None:
    order["order_id"] = f"{order['order_id']} / two words"


_KINDS = (
    _Kind(54, "CONFIRMED", _ordinary),
    _Kind(4, "CONFIRMED", _guest),
    _Kind(3, "CONFIRMED", _same_sku_twice),
    _Kind(2, "CONFIRMED", _free),
    _Kind(1, "CONFIRMED", _many_lines),
    _Kind(3, "CONFIRMED", _token(payments.TIMEOUT_ONCE)),
    _Kind(3, "CONFIRMED", _token(payments.LOST_ANSWER)),
    _Kind(2, "CONFIRMED", _postal_code(shipping.TIMEOUT_ONCE)),
    _Kind(2, "CONFIRMED", _postal_code(shipping.LOST_ANSWER)),
    _Kind(6, "OutOfStock", _first_line(sku=_SOLD_OUT, quantity=_SOLD_OUT_QUANTITY)),
    _Kind(5, "PaymentDeclined", _token(payments.DECLINE)),
    _Kind(3, "PaymentDeclined", _token(payments.DECLINE_CAPTURE)),
    _Kind(4, "ShipmentRejected", _postal_code(shipping.REJECT)),
    _Kind(1, "PaymentGatewayUnreachable", _token(payments.UNREACHABLE)),
    _Kind(1, "CarrierUnreachable", _postal_code(shipping.UNREACHABLE)),
    _Kind(2, "REJECTED", _first_line(quantity=0)),
    _Kind(1, "REJECTED", _first_line(unit_price=-100)),
    _Kind(1, "REJECTED", _unknown_currency),
    _Kind(2, "DEAD_LETTER", _no_usable_id),
)
_SENT_TWICE_PER_HUNDRED = 3
_CHANGED_PER_HUNDRED = 1


def generate(count: int, seed: int) -> Generated:
    """``count`` orders; of every hundred, three are sent twice and one is sent again with other content.

    The same count and seed give the same orders.
    """
    rand = random.Random(seed)  # noqa: S311 - orders to try things out, no secret
    kinds = list(_of_each(count))
    rand.shuffle(kinds)
    orders = [_order(f"G{seed}-{number:04d}", kind, rand) for number, kind in enumerate(kinds, start=1)]
    submissions = orders[:]
    plain = [order for order, kind in zip(orders, kinds, strict=True) if kind.change is _ordinary]
    for order in _sample(plain, _SENT_TWICE_PER_HUNDRED, count, rand):
        submissions.insert(rand.randint(submissions.index(order) + 1, len(submissions)), order)
    # Long after the first of its id, so that it is certain which of the two contents is placed.
    submissions += map(_changed, _sample(plain[: len(plain) // 2], _CHANGED_PER_HUNDRED, count, rand))
    return Generated(submissions, _stock(submissions))


def _of_each(count: int) -> Iterator[_Kind]:
    """Kinds in their shares, spread so that a few orders are mixed as well as many."""
    given = dict.fromkeys(_KINDS, 0)
    for number in range(1, count + 1):
        kind = max(_KINDS, key=lambda kind: kind.share * number / 100 - given[kind])
        given[kind] += 1
        yield kind


def _sample(orders: Sequence[Submission], share: int, count: int, rand: random.Random) -> list[Submission]:
    return rand.sample(orders, min(len(orders), -(-share * count // 100)))


def _order(order_id: str, kind: _Kind, rand: random.Random) -> Submission:
    city, country = rand.choice(_PLACES)
    customer = f"customer-{rand.randint(1, 40):02d}"
    order: Detail = {
        "order_id": order_id,
        "currency": "GBP" if country == "GB" else "EUR",
        "lines": [_line(sku, rand) for sku in rand.sample(_GOODS, rand.randint(1, 5))],
        "customer": {"customer_id": customer, "email": f"{customer}@example.com"},
        "shipping_address": {
            "name": customer,
            "street": f"{rand.randint(1, 99)} High Street",
            "city": city,
            "postal_code": f"{rand.randint(10000, 99999)}",
            "country": country,
        },
        "payment_token": "tok_approve",
    }
    kind.change(order, rand)
    return Submission(DEMO_SHOP, order, kind.expected)


def _line(sku: str, rand: random.Random) -> Detail:
    quantity, unit_price = rand.randint(1, 4), rand.randint(99, 4999)
    return {"sku": sku, "quantity": quantity, "unit_price": unit_price, "description": f"Good {sku}"}


def _changed(order: Submission) -> Submission:
    return Submission(order.shop, {**order.detail, "payment_token": "tok_another"}, "REJECTED")


def _stock(submissions: Sequence[Submission]) -> dict[str, int]:
    """More than all orders need, of a few goods just enough; of what is sold out, less than any order asks for."""
    scarce = set(_GOODS[::_SCARCE_EVERY])
    stock = {sku: need + (0 if sku in scarce else _PLENTY) for sku, need in needed(distinct(submissions)).items()}
    return stock | {_SOLD_OUT: _SOLD_OUT_QUANTITY - 1}
