"""Every function, every kind of message it takes, and the states it may find."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from events.shops import own_id
from tests.builders.messages import domain_event, integration_event, sqs, stream
from tests.builders.orders import submitted_order
from tests.engines.table import Item, in_vault
from tests.engines.wire import Fault, Killed, Trouble
from tests.engines.world import World

ORDER, OTHER = "demo.o1", "demo.o2"
SERVICES = {
    "start_cancellation": "ordering_service",
    "confirm_order": "ordering_service",
    "cancel_order": "ordering_service",
    "reserve_stock": "inventory_service",
    "release_stock": "inventory_service",
    "authorize_payment": "payments_service",
    "capture_payment": "payments_service",
    "refund_payment": "payments_service",
    "arrange_shipment": "shipping_service",
    "cancel_shipment": "shipping_service",
    "recall_shipment": "shipping_service",
    "refuse_cancellation": "ordering_service",
}
FORWARD = ("reserve_stock", "authorize_payment", "arrange_shipment", "capture_payment", "confirm_order")
BACK = ("start_cancellation", "cancel_shipment", "refund_payment", "release_stock", "cancel_order")
RECALL = ("recall_shipment", "refund_payment", "release_stock", "cancel_order")
MANY = {f"sku-{number:03d}": 1 for number in range(101)}
"""Two chunks: 99 SKUs and 2."""

Prior = Callable[[World], None]


@dataclass(frozen=True)
class Case:
    """A message to a function, what happened before, and what becomes of the message in the end.

    ``at_last``: what becomes of it is decided at its last delivery. Trouble then makes a dead-letter message of it.
    """

    function: str
    message: Callable[[World], dict[str, Any]]
    prior: Prior
    outcome: str = "done"
    at_last: bool = False


def nothing(world: World) -> None:
    """Nothing happened before."""


def command(name: str) -> dict[str, Any]:
    """What the saga sends."""
    refusal = {"refusal": "PaymentDeclined"} if name == "start_cancellation" else {}
    return {"command": name, "order_id": ORDER, **refusal}


APPENDS = frozenset({"PutItem", "TransactWriteItems"})


def after(
    *commands: str,
    cut: str | None = None,
    before: Collection[str] = APPENDS,
    stock: Mapping[str, int] | None = None,
    **order: Any,
) -> Prior:
    """An order was placed and went through these commands.

    ``cut`` is one more command, killed before the last of these calls of it: the outside knows more than the log.
    """

    def prior(world: World) -> None:
        world.stocked(**(stock or {"apple": 10, "pear": 5}))
        world.placed(ORDER, **order)
        for name in commands:
            world.deliver(SERVICES[name], command(name))
        if cut:
            killed(world, SERVICES[cut], command(cut), before=before)

    return prior


def killed(world: World, function: str, event: dict[str, Any], *, before: Collection[str]) -> None:
    """Let a function be killed before the last of its calls of these operations."""
    items = world.table.items()
    undisturbed = Fault()
    with world.functions.wire.tapped(undisturbed):
        world.deliver(function, event)
    world.table.set(items)
    at = max(number for number, call in enumerate(undisturbed.calls, start=1) if call.operation in before)
    try:
        with world.functions.wire.tapped(Fault(at, Trouble.KILLED_BEFORE)):
            world.deliver(function, event)
    except Killed:
        return


def saga(name: str, prior: Prior, outcome: str = "done") -> Case:
    """A command of the saga."""
    return Case(SERVICES[name], lambda _: command(name), prior, outcome)


def intake(*messages: tuple[str, Any], prior: Prior = nothing, outcome: str = "done") -> Case:
    """Messages of order intake's queue."""
    return Case("order_intake", lambda _: sqs(*(integration_event(*message) for message in messages)), prior, outcome)


def delivery(*lines: dict[str, Any], prior: Prior = nothing) -> Case:
    """A delivery of goods."""
    body = integration_event("StockDelivered", {"delivery_id": "d1", "lines": lines})
    return Case("delivery_intake", lambda _: sqs(body), prior)


def requested(*commands: str, **order: Any) -> Prior:
    """An order was confirmed, a customer asked to cancel it, and it went through these commands."""

    def prior(world: World) -> None:
        after(*FORWARD, **order)(world)
        world.deliver("order_intake", sqs(integration_event(*cancel)))
        for name in commands:
            world.deliver(SERVICES[name], command(name))

    return prior


def reported(*statuses: str, prior: Prior) -> Prior:
    """A carrier has reported these, after what was before."""

    def before(world: World) -> None:
        prior(world)
        for status in statuses:
            world.deliver("shipment_intake", sqs(report_of(status)))

    return before


def report_of(status: str) -> str:
    """A carrier's report."""
    return integration_event("ShipmentStatusReported", {"order_id": ORDER, "status": status})


def report(*statuses: str, prior: Prior) -> Case:
    """Reports of a carrier."""
    return Case("shipment_intake", lambda _: sqs(*map(report_of, statuses)), prior)


def shipped(prior: Prior, *, cut: bool = False) -> Case:
    """The shipment is dispatched, after what was before; ``cut``: the first chunk of its stock is recorded already."""

    def message(world: World) -> dict[str, Any]:
        return sqs(domain_event(world.event(f"shipment#{ORDER}", 2)))

    def before(world: World) -> None:
        prior(world)
        if cut:
            killed(world, "shipped_stock", message(world), before=APPENDS)

    return Case("shipped_stock", message, before)


def log(world: World) -> list[Item]:
    """The items of the log, stream by stream."""
    return [item for _, item in sorted(world.table.items().items()) if "type" in item]


def view_of(
    *places: tuple[str, int], prior: Prior, seen: tuple[tuple[str, int], ...] = (), function: str = "order_view"
) -> Case:
    """These events reach a function of projections at once; it has ``seen`` others before."""

    def bodies(world: World, chosen: tuple[tuple[str, int], ...]) -> dict[str, Any]:
        return sqs(*(domain_event(world.event(f"{kind}#{ORDER}", version)) for kind, version in chosen))

    def before(world: World) -> None:
        prior(world)
        if seen:
            world.deliver(function, bodies(world, seen))

    return Case(function, lambda world: bodies(world, places), before)


counted = partial(view_of, function="counting_projections")
"""Likewise of the projections that count."""


def rejected(world: World) -> Item:
    """The one rejection in the log."""
    return next(item for item in log(world) if item["PK"]["S"].startswith("rejection#"))


def notifications(*order_ids: str, prior: Prior) -> Case:
    """The last events of these orders reach the order e-mails at once."""

    def message(world: World) -> dict[str, Any]:
        return sqs(*(domain_event([i for i in log(world) if i["PK"]["S"] == f"order#{o}"][-1]) for o in order_ids))

    return Case("order_emails", message, prior)


def notified(prior: Prior) -> Prior:
    """The customer has been notified already."""

    def before(world: World) -> None:
        case = notifications(ORDER, prior=prior)
        prior(world)
        world.deliver(case.function, case.message(world))

    return before


def before_recall_notified(world: World) -> None:
    """The customer was notified that the order is confirmed; then it was cancelled."""
    notified(after(*FORWARD))(world)
    for name in RECALL:
        world.deliver(SERVICES[name], command(name))


def both(world: World) -> None:
    """Two orders of one customer, both confirmed."""
    after(*FORWARD)(world)
    world.placed(OTHER)
    for name in FORWARD:
        world.deliver(SERVICES[name], command(name) | {"order_id": OTHER})


def forgotten(prior: Prior) -> Prior:
    """Of what was before, the vault has nothing any more."""

    def before(world: World) -> None:
        prior(world)
        world.table.set({key: item for key, item in world.table.items().items() if not key[0].startswith(in_vault(""))})

    return before


def rejected_before(prior: Prior = nothing, **order: Any) -> Prior:
    """A submission was rejected, after what was before."""

    def before(world: World) -> None:
        prior(world)
        world.placed(ORDER, **order)

    return before


def level(available: int, previous: int, version: int, sku: str = "apple") -> Item:
    """The image of a level whose threshold is 10."""
    numbers = {"available": available, "previous": previous, "version": version, "threshold": 10}
    return {"PK": {"S": f"level#{sku}"}, "SK": {"S": "level"}} | {name: {"N": str(n)} for name, n in numbers.items()}


def watch(*images: Item, before: tuple[Item, ...] = ()) -> Case:
    """Changes of levels, after others."""

    def prior(world: World) -> None:
        if before:
            world.deliver("stock_watch", stream(*before))

    return Case("stock_watch", lambda _: stream(*images), prior)


LOW = "po-apple-2"
"""The purchase order of apples whose second change made them low."""


def low(world: World) -> None:
    """Apples have fallen low."""
    world.deliver("stock_watch", stream(level(9, 11, 2)))


def ordered(world: World) -> None:
    """Apples have fallen low and are ordered."""
    low(world)
    world.deliver("replenishment", sqs(domain_event(world.event("stock#apple", 1))))


def delivered(prior: Prior) -> Prior:
    """The delivery with the purchase order's id is on the shelf, after what was before."""

    def before(world: World) -> None:
        prior(world)
        delivery = {"delivery_id": LOW, "lines": [{"sku": "apple", "quantity": 21}]}
        world.deliver("delivery_intake", sqs(integration_event("StockDelivered", delivery)))

    return before


def replenished(*places: tuple[str, int], prior: Prior) -> Case:
    """These events reach the replenishment at once."""
    return Case("replenishment", lambda world: sqs(*(domain_event(world.event(*place)) for place in places)), prior)


def welcome(order_id: str, prior: Prior) -> Case:
    """The event that confirms this order reaches the welcome."""
    return Case("order_emails", lambda world: sqs(domain_event(world.event(f"order#{order_id}", 2))), prior)


def claimed(world: World) -> None:
    """Of two confirmed orders, the first has claimed the welcome, and was killed before it was sent."""
    both(world)
    killed(world, "order_emails", sqs(domain_event(world.event(f"order#{ORDER}", 2))), before={"SendEmail"})


def half_submitted(world: World) -> None:
    """A submission has put its payment token, and was killed before the order was placed."""
    killed(world, "order_intake", sqs(integration_event("OrderSubmitted", placed)), before={"TransactWriteItems"})


def said_why(world: World) -> None:
    """A customer asked to cancel an order that is confirmed, and said why."""
    after(*FORWARD)(world)
    world.deliver("order_intake", sqs(integration_event(*cancel_because)))


def refused_before(world: World) -> None:
    """A cancellation has come, and its order never did."""
    world.deliver("order_intake", sqs(integration_event(*cancel)))


def oversized(world: World) -> Item:
    """An event too large for the bus."""
    item = dict(world.event(f"order#{ORDER}", 1))
    return item | {"SK": {"S": "event#0000000009"}, "data": {"S": json.dumps({"much": "x" * 300_000})}}


NO_EVENT: Item = {"PK": {"S": "order#broken"}, "SK": {"S": "event#0000000001"}}

placed = submitted_order(own_id(ORDER))
conflicting = submitted_order(own_id(ORDER), lines={"apple": 3})
invalid = placed | {"currency": "???", "lines": []}
guests = submitted_order(own_id(ORDER), email=None)
cancel = ("OrderCancellationRequested", {"order_id": own_id(ORDER)})
cancel_because = ("OrderCancellationRequested", {"order_id": own_id(ORDER), "reason": "my sister Byron moved"})
captured = FORWARD[:4]
free: dict[str, Any] = {"unit_price": 0}

CASES: dict[str, Case] = {
    # order_intake
    "submitted": intake(("OrderSubmitted", placed)),
    "submitted again": intake(("OrderSubmitted", placed), prior=after()),
    "submitted with other content": intake(("OrderSubmitted", conflicting), prior=after()),
    "submitted by a guest": intake(("OrderSubmitted", guests)),
    "submitted by a guest again": intake(("OrderSubmitted", guests), prior=after(email=None)),
    "submitted again, killed before it was placed": intake(("OrderSubmitted", placed), prior=half_submitted),
    "submitted again, forgotten": intake(("OrderSubmitted", placed), prior=forgotten(after())),
    "submitted with other content, forgotten": intake(("OrderSubmitted", conflicting), prior=forgotten(after())),
    "submitted, invalid": intake(("OrderSubmitted", invalid)),
    "submitted, invalid, without a usable id": intake(("OrderSubmitted", invalid | {"order_id": "?"})),
    "submitted, corrected": intake(("OrderSubmitted", placed), prior=rejected_before(unit_price=-1)),
    "of an unknown type": intake(("OrderLiked", {})),
    "not an event": Case("order_intake", lambda _: sqs("{"), nothing),
    "a batch of everything": intake(
        ("OrderSubmitted", placed),
        ("OrderLiked", {}),
        ("OrderSubmitted", submitted_order(own_id(OTHER), lines={"apple": 0})),
        ("OrderSubmitted", conflicting | {"order_id": "o3"}),
        ("OrderCancellationRequested", {"order_id": "o3"}),
        ("OrderSubmitted", placed),
        prior=lambda world: world.placed("demo.o3"),
    ),
    "cancellation requested": intake(cancel, prior=after("reserve_stock")),
    "cancellation requested, confirmed": intake(cancel, prior=after(*FORWARD)),
    "cancellation requested, cancelling": intake(cancel, prior=after("start_cancellation")),
    "cancellation requested, cancelled": intake(cancel, prior=after(*BACK)),
    "cancellation requested, requested before": intake(cancel, prior=requested()),
    "cancellation requested, dispatched": intake(cancel, prior=reported("dispatched", prior=after(*FORWARD))),
    "cancellation requested, refused": intake(cancel, prior=requested("refuse_cancellation")),
    "cancellation requested, no order": replace(intake(cancel), at_last=True),
    "cancellation requested, no order, refused before": replace(intake(cancel, prior=refused_before), at_last=True),
    "cancellation requested, with a reason": intake(cancel_because, prior=after("reserve_stock")),
    "cancellation requested, with a reason, confirmed": intake(cancel_because, prior=after(*FORWARD)),
    "cancellation requested, with another reason": intake(
        (cancel[0], {**cancel[1], "reason": "again"}), cancel, prior=said_why
    ),
    "cancellation requested, with a reason, forgotten": intake(cancel_because, prior=forgotten(after(*FORWARD))),
    "cancellation requested, invalid": intake(("OrderCancellationRequested", {"order_id": own_id(ORDER), "why": 1})),
    # delivery_intake
    "delivered": delivery({"sku": "apple", "quantity": 3}, {"sku": "pear", "quantity": 1, "threshold": 4}),
    "delivered, more": delivery({"sku": "apple", "quantity": 3, "threshold": 2}, prior=after()),
    "delivered, two chunks": delivery(*({"sku": sku, "quantity": 2} for sku in MANY)),
    "delivered, invalid": delivery({"sku": "apple", "quantity": 0}),
    # shipment_intake
    "reported dispatched": report("dispatched", prior=after(*FORWARD)),
    "reported delivered, dispatched, delivered": report("delivered", "dispatched", "delivered", prior=after(*FORWARD)),
    "reported delivered, dispatched": report("delivered", prior=reported("dispatched", prior=after(*FORWARD))),
    "reported dispatched, not confirmed": report("dispatched", prior=after(*captured)),
    "reported dispatched, no order": report("dispatched", prior=nothing),
    "reported dispatched, recalled": report("dispatched", prior=requested("recall_shipment")),
    "reported lost": report("lost", prior=after(*FORWARD)),
    # shipped_stock
    "shipped": shipped(reported("dispatched", prior=after(*FORWARD))),
    "shipped, two chunks": shipped(reported("dispatched", prior=after(*FORWARD, lines=MANY, stock=MANY))),
    "shipped, half recorded": shipped(reported("dispatched", prior=after(*FORWARD, lines=MANY, stock=MANY)), cut=True),
    # outbox
    "published": Case("outbox", lambda world: stream(*log(world)), both),
    "published, one too large, one no event": Case(
        "outbox", lambda world: stream(oversized(world), *log(world), NO_EVENT), after(*FORWARD)
    ),
    # stock_watch
    "fell low": watch(level(9, 11, 2)),
    "did not fall low": watch(level(9, 9, 2)),
    "fell low twice, and another": watch(level(9, 11, 2), level(12, 9, 3), level(8, 12, 4), level(1, 10, 2, "pear")),
    "fell low again": watch(level(8, 12, 4), before=(level(9, 11, 2),)),
    "fell low, recorded before": watch(level(9, 11, 2), before=(level(9, 11, 2), level(8, 12, 4))),
    # replenishment
    "ordered": replenished(("stock#apple", 1), prior=low),
    "ordered, delivered before": replenished(("stock#apple", 1), prior=delivered(low)),
    "ordered and fulfilled, backwards": replenished((f"delivery#{LOW}", 1), ("stock#apple", 1), prior=delivered(low)),
    "fulfilled": replenished((f"delivery#{LOW}", 1), prior=delivered(ordered)),
    # ordering_service
    "start_cancellation": saga("start_cancellation", after("reserve_stock")),
    "start_cancellation, cancelling": saga("start_cancellation", after("start_cancellation")),
    "start_cancellation, captured": saga("start_cancellation", after(*captured), "AlreadyCaptured"),
    "start_cancellation, confirmed": saga("start_cancellation", after(*FORWARD), "AlreadyConfirmed"),
    "start_cancellation, cancelled": saga("start_cancellation", after(*BACK), "AlreadyCancelled"),
    "confirm_order": saga("confirm_order", after(*captured)),
    "confirm_order, confirmed": saga("confirm_order", after(*FORWARD)),
    "confirm_order, cancelling": saga("confirm_order", after("start_cancellation"), "OrderCancelling"),
    "cancel_order": saga("cancel_order", after(*BACK[:4])),
    "cancel_order, cancelled": saga("cancel_order", after(*BACK)),
    "cancel_order, confirmed before": saga("cancel_order", requested(*RECALL[:3])),
    "refuse_cancellation": saga("refuse_cancellation", requested()),
    "refuse_cancellation, refused": saga("refuse_cancellation", requested("refuse_cancellation")),
    "refuse_cancellation, nobody asked": saga("refuse_cancellation", after(*FORWARD)),
    # inventory_service
    "reserve_stock": saga("reserve_stock", after()),
    "reserve_stock, reserved": saga("reserve_stock", after("reserve_stock")),
    "reserve_stock, not enough": saga("reserve_stock", after(lines={"apple": 99, "pear": 1}), "OutOfStock"),
    "reserve_stock, refused": saga("reserve_stock", after("reserve_stock", lines={"apple": 99}), "OutOfStock"),
    "reserve_stock, two chunks": saga("reserve_stock", after(lines=MANY, stock=MANY)),
    "reserve_stock, half reserved": saga("reserve_stock", after(cut="reserve_stock", lines=MANY, stock=MANY)),
    "reserve_stock, second chunk not to be had": saga(
        "reserve_stock", after(lines=MANY | {"sku-100": 2}, stock=MANY), "OutOfStock"
    ),
    "reserve_stock, cancelling": saga("reserve_stock", after("start_cancellation"), "OrderCancelling"),
    "reserve_stock, confirmed": saga("reserve_stock", after(*FORWARD), "AlreadyConfirmed"),
    "reserve_stock, cancelled": saga("reserve_stock", after(*BACK), "AlreadyCancelled"),
    "reserve_stock, no order": saga("reserve_stock", nothing, "OrderNotFound"),
    "release_stock": saga("release_stock", after("reserve_stock", "start_cancellation")),
    "release_stock, nothing reserved": saga("release_stock", after("start_cancellation")),
    "release_stock, refused": saga(
        "release_stock", after("reserve_stock", "start_cancellation", lines={"apple": 99, "pear": 1})
    ),
    "release_stock, released": saga("release_stock", after("reserve_stock", "start_cancellation", "release_stock")),
    "release_stock, two chunks": saga(
        "release_stock", after("reserve_stock", "start_cancellation", lines=MANY, stock=MANY)
    ),
    "release_stock, half released": saga(
        "release_stock", after("reserve_stock", "start_cancellation", cut="release_stock", lines=MANY, stock=MANY)
    ),
    # payments_service
    **{
        f"authorize_payment, {token}": saga("authorize_payment", after("reserve_stock", token=token), outcome)
        for token, outcome in {
            "tok_approve": "done",
            "tok_decline": "PaymentDeclined",
            "tok_decline_capture": "done",
            "tok_timeout_once": "done",
            "tok_lost_answer": "done",
            "tok_unreachable": "PaymentGatewayUnreachable",
        }.items()
    },
    "authorize_payment, total 0": saga("authorize_payment", after("reserve_stock", **free)),
    "authorize_payment, authorized": saga("authorize_payment", after("authorize_payment")),
    "authorize_payment, authorized at the gateway": saga("authorize_payment", after(cut="authorize_payment")),
    "authorize_payment, authorized, its token there": saga(
        "authorize_payment", after(cut="authorize_payment", before={"DeleteItem"})
    ),
    "authorize_payment, declined, its token gone": saga(
        "authorize_payment", after("authorize_payment", token="tok_decline"), "PaymentDeclined"
    ),
    "authorize_payment, cancelling": saga("authorize_payment", after("start_cancellation"), "OrderCancelling"),
    "authorize_payment, voided": saga(
        "authorize_payment", after("start_cancellation", "refund_payment"), "OrderCancelling"
    ),
    "authorize_payment, confirmed": saga("authorize_payment", after(*FORWARD)),
    **{
        f"capture_payment, {token}": saga("capture_payment", after("authorize_payment", token=token), outcome)
        for token, outcome in {
            "tok_approve": "done",
            "tok_decline_capture": "PaymentDeclined",
            "tok_lost_answer": "done",
        }.items()
    },
    "capture_payment, total 0": saga("capture_payment", after("authorize_payment", **free)),
    "capture_payment, captured": saga("capture_payment", after("authorize_payment", "capture_payment")),
    "capture_payment, captured at the gateway": saga(
        "capture_payment", after("authorize_payment", cut="capture_payment")
    ),
    "capture_payment, cancelling": saga(
        "capture_payment", after("authorize_payment", "start_cancellation"), "OrderCancelling"
    ),
    "refund_payment, nothing happened": saga("refund_payment", after("start_cancellation")),
    **{
        f"refund_payment, authorized, {token}": saga(
            "refund_payment", after("authorize_payment", "start_cancellation", token=token)
        )
        for token in ("tok_approve", "tok_decline", "tok_timeout_once", "tok_lost_answer", "tok_unreachable")
    },
    **{
        f"refund_payment, authorized at the gateway, {token}": saga(
            "refund_payment", after(cut="authorize_payment", token=token)
        )
        for token in ("tok_approve", "tok_decline", "tok_lost_answer")
    },
    **{
        f"refund_payment, captured, {token}": saga(
            "refund_payment", after("authorize_payment", "capture_payment", token=token)
        )
        for token in ("tok_approve", "tok_decline_capture", "tok_lost_answer")
    },
    **{
        f"refund_payment, captured at the gateway, {token}": saga(
            "refund_payment", after("authorize_payment", cut="capture_payment", token=token)
        )
        for token in ("tok_approve", "tok_decline_capture", "tok_lost_answer")
    },
    **{
        f"refund_payment, {name}, its token there": saga("refund_payment", after(cut=cut, before={"DeleteItem"}))
        for name, cut in {"authorized": "authorize_payment", "voided": "refund_payment"}.items()
    },
    "refund_payment, voided": saga("refund_payment", after("authorize_payment", "refund_payment")),
    "refund_payment, refunded": saga("refund_payment", after("authorize_payment", "capture_payment", "refund_payment")),
    "refund_payment, half recorded": saga(
        "refund_payment", after("authorize_payment", cut="refund_payment", token="tok_decline_capture")
    ),
    "refund_payment, total 0": saga("refund_payment", after(**free)),
    "refund_payment, total 0, authorized": saga("refund_payment", after("authorize_payment", **free)),
    "refund_payment, total 0, captured": saga("refund_payment", after("authorize_payment", "capture_payment", **free)),
    # shipping_service
    **{
        f"arrange_shipment, {code}": saga("arrange_shipment", after(postal_code=code), outcome)
        for code, outcome in {
            "N1 9GU": "done",
            "SBX-REJECT": "ShipmentRejected",
            "SBX-TIMEOUT-ONCE": "done",
            "SBX-LOST-ANSWER": "done",
            "SBX-UNREACHABLE": "CarrierUnreachable",
        }.items()
    },
    "arrange_shipment, arranged": saga("arrange_shipment", after("arrange_shipment")),
    "arrange_shipment, arranged at the carrier": saga("arrange_shipment", after(cut="arrange_shipment")),
    "arrange_shipment, cancelling": saga("arrange_shipment", after("start_cancellation"), "OrderCancelling"),
    "cancel_shipment, nothing happened": saga("cancel_shipment", after("start_cancellation")),
    **{
        f"cancel_shipment, arranged, {code}": saga("cancel_shipment", after("arrange_shipment", postal_code=code))
        for code in ("N1 9GU", "SBX-REJECT", "SBX-TIMEOUT-ONCE", "SBX-LOST-ANSWER", "SBX-UNREACHABLE")
    },
    **{
        f"cancel_shipment, arranged at the carrier, {code}": saga(
            "cancel_shipment", after(cut="arrange_shipment", postal_code=code)
        )
        for code in ("N1 9GU", "SBX-REJECT")
    },
    "cancel_shipment, cancelled": saga("cancel_shipment", after("arrange_shipment", "cancel_shipment")),
    "cancel_shipment, collected": saga(
        "cancel_shipment",
        after("arrange_shipment", "start_cancellation", postal_code="SBX-COLLECTED"),
        "BreachOfContract",
    ),
    "recall_shipment": saga("recall_shipment", requested()),
    "recall_shipment, recalled": saga("recall_shipment", requested("recall_shipment")),
    "recall_shipment, recalled at the carrier": saga("recall_shipment", after(*FORWARD, cut="recall_shipment")),
    "recall_shipment, dispatched": saga(
        "recall_shipment", reported("dispatched", prior=requested()), "ShipmentDispatched"
    ),
    "recall_shipment, collected": saga("recall_shipment", requested(postal_code="SBX-COLLECTED"), "ShipmentDispatched"),
    "recall_shipment, not confirmed": saga("recall_shipment", after(*captured), "OrderNotConfirmed"),
    "recall_shipment, cancelling": saga("recall_shipment", after("arrange_shipment", "start_cancellation")),
    "recall_shipment, cancelled": saga("recall_shipment", requested(*RECALL), "AlreadyCancelled"),
    # order_view
    "viewed, placed": view_of(("order", 1), prior=after()),
    "viewed, payment first": view_of(("payment", 1), prior=after("authorize_payment")),
    "viewed, next": view_of(("order", 2), prior=after(*FORWARD), seen=(("order", 1),)),
    "viewed, gap": view_of(("order", 3), prior=after(*BACK), seen=(("order", 1),)),
    "viewed, gap from nothing": view_of(("order", 2), ("payment", 2), prior=after(*FORWARD)),
    "viewed, seen before": view_of(("order", 1), prior=after(*FORWARD), seen=(("order", 2), ("payment", 2))),
    "viewed, all at once, backwards": view_of(
        *(("payment", 2), ("payment", 1), ("shipment", 1), ("order", 2), ("reservation", 1), ("order", 1)),
        prior=after(*FORWARD),
    ),
    "viewed, partly seen": view_of(
        ("order", 3), ("payment", 1), ("order", 2), prior=after(*BACK), seen=(("order", 1), ("payment", 1))
    ),
    "viewed, two orders": Case(
        "order_view",
        lambda world: sqs(*(domain_event(item) for item in log(world) if item["PK"]["S"].startswith("order#"))),
        both,
    ),
    "viewed, rejected": Case(
        "order_view", lambda world: sqs(domain_event(rejected(world))), rejected_before(unit_price=-1)
    ),
    "viewed, rejected, placed too": Case(
        "order_view",
        lambda world: sqs(domain_event(rejected(world)), domain_event(world.event(f"order#{ORDER}", 1))),
        rejected_before(after(), lines={"apple": 3}),
    ),
    "viewed, recalled": view_of(
        *(("shipment", 2), ("cancellation", 1), ("order", 4), ("payment", 3), ("reservation", 2)),
        prior=requested(*RECALL),
        seen=(("order", 2), ("shipment", 1)),
    ),
    "viewed, dispatched and refused, nothing seen before": view_of(
        ("cancellation", 2),
        ("shipment", 2),
        prior=reported("dispatched", prior=requested("refuse_cancellation")),
    ),
    # counting_projections
    "counted, confirmed": counted(("order", 1), ("reservation", 1), ("order", 2), prior=after(*FORWARD)),
    "counted, confirmed, seen in part": counted(
        *(("order", 1), ("order", 2)), prior=after(*FORWARD), seen=(("order", 1),)
    ),
    "counted, confirmed, nothing seen before": counted(("order", 2), prior=after(*FORWARD)),
    "counted, taken and released, seen in part": counted(
        *(("reservation", 2), ("reservation", 1)), prior=requested(*RECALL), seen=(("reservation", 1),)
    ),
    # order_emails
    "notified, confirmed": notifications(ORDER, prior=after(*FORWARD)),
    "notified, cancelled": notifications(ORDER, prior=after(*BACK)),
    "notified, two": notifications(ORDER, OTHER, prior=both),
    "notified, no address": notifications(ORDER, prior=after(*FORWARD, email=None)),
    "notified, cancelled after it was confirmed": notifications(ORDER, prior=before_recall_notified),
    "notified, notified before": notifications(ORDER, prior=notified(after(*FORWARD))),
    # order_emails, the welcome
    "welcomed": welcome(ORDER, prior=after(*FORWARD)),
    "welcomed, no address": welcome(ORDER, prior=after(*FORWARD, email=None)),
    "welcomed, claimed before": welcome(ORDER, prior=claimed),
    "welcomed, claimed by another order": welcome(OTHER, prior=claimed),
}
