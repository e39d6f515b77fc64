"""Orders with a mark in every personal field, of customers and of guests, by every door, that end in every way."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.local.pipeline import Pipeline
from infra.names import DEMO_SHOP
from tests.builders.shops import Shop
from tests.engines.searching import Mark

WAYS = ("confirmed", "out of stock", "cancelled on request", "rejected", "dead letter")
DOORS = ("bus", "http", "file")
IN_VAULT = frozenset({"name", "street", "city", "postal", "line", "email"})
SOURCE = "marked.orders"


@dataclass(frozen=True)
class MarkedOrder:
    """An order whose marks have its number. A guest's has no customer; ``customer`` is the shop's own number."""

    number: int
    way: str
    door: str
    own_id: str
    customer: str | None

    @property
    def order_id(self) -> str:
        return f"{DEMO_SHOP}.{self.own_id}"

    @property
    def placed(self) -> bool:
        """Whether it becomes an order."""
        return self.way not in {"rejected", "dead letter"}

    @property
    def detail_type(self) -> str:
        """What it comes as. Of a guest, a dead-letter message can be found by the order's id alone."""
        return "OrderAmended" if self.way == "dead letter" and not self.customer else "OrderSubmitted"

    @property
    def outcome(self) -> str:
        """The event that its stream ends with."""
        return "OrderConfirmed" if self.way == "confirmed" else "OrderCancelled"

    def mark(self, field: str) -> str:
        return Mark(self.number, field).text

    @property
    def marks(self) -> frozenset[Mark]:
        """The marks that are kept as long as its person is."""
        if self.way == "rejected":
            return frozenset()
        fields = IN_VAULT if self.placed else {*IN_VAULT, "token"}
        asked = {"reason"} if self.way == "cancelled on request" else set()
        return frozenset(Mark(self.number, field) for field in {*fields, *asked})

    @property
    def detail(self) -> dict[str, Any]:
        """What the shop submits."""
        of_whom: dict[str, Any] = {"email": f"{Mark(self.number, 'email').plain}@customers.example"}
        if self.customer:
            of_whom["customer_id"] = self.customer
        return {
            "order_id": f"no id {self.own_id}" if self.way == "dead letter" and self.customer else self.own_id,
            "currency": "GBP",
            "lines": [
                {
                    "sku": "NONE-1" if self.way == "out of stock" else "TEA-1",
                    "quantity": 1_000_000 if self.way == "rejected" else 1,
                    "unit_price": 10**15 if self.way == "rejected" else 450,
                    "description": self.mark("line"),
                }
            ],
            "shipping_address": {
                "name": self.mark("name"),
                "street": self.mark("street"),
                "city": self.mark("city"),
                "postal_code": f"LS1 {self.mark('postal')}",
                "country": "GB",
            },
            "payment_token": self.mark("token"),
            "customer": of_whom,
        }


def orders(count: int, prefix: str) -> list[MarkedOrder]:
    """So many orders: five for each customer, one in each way; every third time they are of guests instead.

    What can only become a dead-letter message comes over the bus: at the other doors nobody takes it in.
    """
    made = []
    for number in range(count):
        person, nth = divmod(number, len(WAYS))
        way = WAYS[nth]
        door = "bus" if way == "dead letter" else DOORS[(person // 3 + nth) % len(DOORS)]
        customer = None if person % 3 == 2 else f"{prefix}-c{person}"
        made.append(MarkedOrder(number, way, door, f"{prefix}-{number}", customer))
    return made


def submit(pipeline: Pipeline, shop: Shop, submitted: Sequence[MarkedOrder], file: str) -> None:
    """Hand in orders, each by its door."""
    put(pipeline, [(each.detail_type, each.detail) for each in submitted if each.door == "bus"])
    for each in submitted:
        if each.door == "http":
            content = {name: value for name, value in each.detail.items() if name != "order_id"}
            answer = shop.ask("POST", "/orders", content, Idempotency_Key=each.own_id)
            assert answer.status == 202, answer.body
    lines = [json.dumps(each.detail) for each in submitted if each.door == "file"]
    pipeline.client("s3").put_object(
        Bucket=pipeline.outputs["FilesBucketName"],
        Key=f"incoming/{DEMO_SHOP}/{file}.ndjson",
        Body="\n".join(lines).encode(),
    )


def request_cancellations(pipeline: Pipeline, confirmed: Iterable[MarkedOrder]) -> None:
    """Ask to cancel orders, each for a reason of its own."""
    put(
        pipeline,
        [
            ("OrderCancellationRequested", {"order_id": each.own_id, "reason": each.mark("reason")})
            for each in confirmed
        ],
    )


def put(pipeline: Pipeline, events: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """Put events on the intake bus, valid or not."""
    client = pipeline.client("events")
    for batch in _tens(events):
        entries = [
            {
                **{"EventBusName": pipeline.intake_bus, "Source": SOURCE},
                **{"DetailType": detail_type, "Detail": json.dumps(detail, ensure_ascii=False)},
            }
            for detail_type, detail in batch
        ]
        assert client.put_events(Entries=entries)["FailedEntryCount"] == 0


def _tens(events: Sequence[tuple[str, Mapping[str, Any]]]) -> Iterator[Sequence[tuple[str, Mapping[str, Any]]]]:
    yield from (events[start : start + 10] for start in range(0, len(events), 10))
