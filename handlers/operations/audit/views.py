"""Invariant 1: the log is the truth. What views hold is what the log folds to."""

from collections.abc import Iterator
from typing import Any

from events.envelope import Recorded
from events.ordering import OrderRejected
from handlers.operations.audit import counters
from handlers.operations.audit.evidence import Evidence, Finding
from handlers.projections import order_fold
from handlers.table import keys

_STREAMS = ("order", "cancellation", "reservation", "payment", "shipment")
_SHOWN_REASONS = 3


def check(evidence: Evidence) -> Iterator[Finding]:
    """Where a view and the log differ."""
    for key in evidence.table.unreadable:
        yield Finding(1, key, "the event cannot be read")
    for order_id, wrong in differences(evidence):
        yield Finding(1, f"order {order_id}", wrong)
    for counted in counters.differences(evidence):
        yield Finding(1, counted.view, counted.wrong)


def differences(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """The ids of the orders whose view is not what the log folds to, each with what differs; one may come often."""
    expected = {order_id: _view(evidence, order_id) for order_id in evidence.orders}
    for order_id, rejections in _rejections(evidence).items():
        newest = max(rejections, key=_rejected_at)
        expected[order_id] = (expected.get(order_id) or _rejected(newest)) | _rejection(newest)
    for order_id in sorted(expected.keys() | evidence.table.views.keys()):
        shown = {
            name: value for name, value in evidence.table.views.get(order_id, {}).items() if name not in keys.ATTRIBUTES
        }
        for wrong in _differences(shown, expected.get(order_id, {})):
            yield order_id, wrong


def _differences(shown: dict[str, Any], expected: dict[str, Any]) -> Iterator[str]:
    if not shown:
        yield "has no view"
    elif not expected:
        yield "has a view, but the log knows nothing of it"
    else:
        for name in sorted(shown.keys() | expected.keys()):
            if shown.get(name) != expected.get(name):
                yield f"the view has {name} {shown.get(name)!r}, the log {expected.get(name)!r}"


def _view(evidence: Evidence, order_id: str) -> dict[str, Any]:
    view: dict[str, Any] = {}
    for kind in _STREAMS:
        records = evidence.streams.get(f"{kind}#{order_id}", ())
        if records:
            view |= order_fold.fold(records) | {f"{kind}_version": records[-1].version}
    return view


def _rejections(evidence: Evidence) -> dict[str, list[Recorded]]:
    by_order: dict[str, list[Recorded]] = {}
    for _, record in evidence.of("rejection"):
        if isinstance(record.event, OrderRejected):
            by_order.setdefault(record.event.order_id, []).append(record)
    return by_order


def _rejected_at(record: Recorded) -> str:
    return f"{record.metadata.occurred_at.isoformat()}#{record.stream.rpartition('#')[2]}"


def _rejected(record: Recorded) -> dict[str, Any]:
    """What the view of a rejected order has while there is no order."""
    rejected = record.event
    assert isinstance(rejected, OrderRejected)
    whose = {"customer_id": rejected.customer_id} if rejected.customer_id else {}
    return {"order_id": rejected.order_id, "status": "REJECTED"} | whose


def _rejection(record: Recorded) -> dict[str, Any]:
    rejected = record.event
    assert isinstance(rejected, OrderRejected)
    told = (f"{reason.field}: {reason.message}" for reason in rejected.reasons[:_SHOWN_REASONS])
    return {
        "rejected_at": _rejected_at(record),
        "rejection": "; ".join(told),
        "rejection_count": rejected.reason_count,
    }
