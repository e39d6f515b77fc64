"""A scene: the table before actors are explored, and what must hold of every state in which they end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from events.shops import own_id
from handlers.inventory import reservation
from tests.builders.messages import integration_event, sqs
from tests.builders.orders import submitted_order
from tests.engines.explorer import (
    Actor,
    Content,
    Explorer,
    Saga,
    State,
    cancellation,
    cancellations,
    executions,
    express,
)
from tests.engines.in_process import Functions
from tests.engines.saga_machine import EXPRESS
from tests.engines.table import Items, Table
from tests.saga.balance import End, check_always, log, settled

ORDER = "demo.o1"
SHELF = {"apple": 10, "pear": 5, "plum": 3}
CONFIRMED = End("CONFIRMED")
REQUESTED = End("CANCELLED", "CancellationRequested")


@dataclass(frozen=True)
class Kind:
    """An order, how it ends where nobody cancels it, and how many SKUs go into a transaction."""

    order: Mapping[str, Any]
    end: End = CONFIRMED
    chunk: int = 99


def cancelled(reason: str) -> End:
    """Cancelled for this reason."""
    return End("CANCELLED", reason)


KINDS = {
    "approve": Kind({}),
    "decline": Kind({"token": "tok_decline"}, cancelled("PaymentDeclined")),
    "decline the capture": Kind({"token": "tok_decline_capture"}, cancelled("PaymentDeclined")),
    "gateway times out once": Kind({"token": "tok_timeout_once"}),
    "gateway's answers lost": Kind({"token": "tok_lost_answer"}),
    "gateway unreachable": Kind({"token": "tok_unreachable"}, cancelled("PaymentGatewayUnreachable")),
    "carrier rejects": Kind({"postal_code": "SBX-REJECT"}, cancelled("ShipmentRejected")),
    "carrier times out once": Kind({"postal_code": "SBX-TIMEOUT-ONCE"}),
    "carrier's answer lost": Kind({"postal_code": "SBX-LOST-ANSWER"}),
    "carrier unreachable": Kind({"postal_code": "SBX-UNREACHABLE"}, cancelled("CarrierUnreachable")),
    "out of stock": Kind({"lines": {"apple": 1, "pear": 6}}, cancelled("OutOfStock")),
    "total 0": Kind({"unit_price": 0}),
    "total 0, carrier rejects": Kind({"unit_price": 0, "postal_code": "SBX-REJECT"}, cancelled("ShipmentRejected")),
    # A transaction takes 99 SKUs; with 1, three SKUs are three chunks. Whole chunks are in tests/crash.
    "three chunks": Kind({"lines": {"apple": 2, "pear": 1, "plum": 3}}, chunk=1),
    "third chunk out of stock": Kind({"lines": {"apple": 2, "pear": 1, "plum": 4}}, cancelled("OutOfStock"), chunk=1),
}


class Scene:
    """There is stock, and orders of one kind are placed. From here actors are explored."""

    def __init__(self, kind: Kind, loaded: Functions, table: Table, *order_ids: str) -> None:
        self.kind = kind
        self.functions = loaded
        self.table = table
        table.set({})
        lines = [{"sku": sku, "quantity": quantity} for sku, quantity in SHELF.items()]
        self._deliver("delivery_intake", "StockDelivered", {"delivery_id": "d1", "lines": lines})
        for order_id in order_ids:
            self._deliver("order_intake", "OrderSubmitted", submitted_order(own_id(order_id), **kind.order))
        self.items = table.items()
        self._explorer = Explorer(loaded, table)
        self._settled: set[str] = set()

    def _deliver(self, function: str, detail_type: str, detail: dict[str, Any]) -> None:
        assert self.functions.invoke(function, sqs(integration_event(detail_type, detail))) == {"batchItemFailures": []}

    def executions(self, *names: str) -> dict[str, Actor]:
        return executions(self.functions, ORDER, *names)

    def express(self, *names: str) -> dict[str, Actor]:
        return express(self.functions, ORDER, *names)

    @property
    def cancellation(self) -> dict[str, Actor]:
        """A customer's request, and the execution that begins if the order is confirmed by then."""
        return {"the customer": Actor(cancellation(self.functions, ORDER))} | cancellations(self.functions, ORDER, "C")

    @property
    def ends_if_cancelled(self) -> set[End]:
        """How the order may end once cancellation is requested, and no carrier is quicker."""
        return {REQUESTED} if self.kind.end == CONFIRMED else {REQUESTED, self.kind.end}

    def ends(self, actors: Mapping[str, Actor], *, items: Items | None = None, kills: bool = False) -> list[State]:
        """Every way in which these actors end.

        Checks of each that the books balance, and that a further execution changes nothing.
        """
        with patch.object(reservation, "CHUNK", self.kind.chunk):
            states = self._explorer.explore(items or self.items, actors, check_always, kills=kills)
            for state in states:
                try:
                    check_end(state)
                except AssertionError as broken:
                    raise AssertionError(f"{broken}\nafter:\n{self._explorer.path(state)}") from broken
                if state.content.key not in self._settled:
                    self._settled.add(state.content.key)
                    self._changes_nothing(state.content)
        return states

    def _changes_nothing(self, content: Content) -> None:
        self.table.set(content.items)
        streams = log(content.items)
        for order_id in (stream.removeprefix("order#") for stream in streams if stream.startswith("order#")):
            late = [Saga(self.functions, order_id)]
            if len(streams[f"order#{order_id}"]) > 2 or len(streams[f"shipment#{order_id}"]) > 1:
                late.append(Saga(self.functions, order_id, "order_cancellation"))
            assert [each.execution.run().status for each in late] == ["SUCCEEDED"] * len(late)
        assert self.table.items() == content.items


_ENDS = {
    (EXPRESS, True): {"Confirmed", "ConfirmOrder"},
    (EXPRESS, False): {"Cancelled"},
    ("order_saga", True): {"Confirmed", "ConfirmOrder"},
    ("order_saga", False): {"Cancelled", "CancelOrder"},
    ("order_cancellation", True): {"RefuseCancellation"},
    ("order_cancellation", False): {"Cancelled", "CancelOrder"},
}
"""In which states executions end, by whether the order is confirmed in the end."""


def check_end(state: State) -> None:
    """The books balance, and every execution ended as the order did."""
    for actor in state.actors:
        process = actor.process
        if not isinstance(process, Saga):
            continue
        outcome = process.execution.outcome
        confirmed = settled(state.content.items, process.order_id) == CONFIRMED
        if outcome is None:
            assert actor.rests(state.content.items), "it began, and did not end"
            continue
        if outcome.error == "OrderNotConfirmed":
            assert actor.after is None, "only an execution that was started by hand is too early"
            continue
        assert outcome.status == "SUCCEEDED", outcome
        assert outcome.state in _ENDS[process.machine, confirmed] | _passed(state, process), outcome


def _passed(state: State, process: Saga) -> set[str]:
    """Where an execution may have ended before a confirmed order was cancelled."""
    events = [event_type for event_type, _ in log(state.content.items)[f"order#{process.order_id}"]]
    forward = process.machine in {"order_saga", EXPRESS}
    return _ENDS[process.machine, True] if "OrderConfirmed" in events and forward else set()


def sagas(state: State) -> list[Saga]:
    """The executions in a state."""
    return [actor.process for actor in state.actors if isinstance(actor.process, Saga)]


def found(states: list[State]) -> set[End]:
    """How the order ended."""
    return {settled(state.content.items, ORDER) for state in states}
