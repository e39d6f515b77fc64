"""Invariant 1: the log is the truth. What an order view holds is what the log folds to."""

from collections.abc import Iterator
from typing import Any

from events.envelope import Recorded
from events.ordering import OrderRejected
from handlers.projections import order_fold
from infra.audit.evidence import Evidence, Finding

_STREAMS = ("order", "cancellation", "reservation", "payment", "shipment")
_KEYS = frozenset({"PK", "SK", "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK"})
_SHOWN_REASONS = 3


def check(run: Evidence) -> Iterator[Finding]:
    """Where a view and the log differ."""
    for key in run.table.unreadable:
        yield Finding(1, key, "the event cannot be read")
    expected = {order_id: _view(run, order_id) for order_id in run.orders}
    for order_id, rejections in _rejections(run).items():
        view = expected.setdefault(order_id, {"order_id": order_id, "status": "REJECTED"})
        view.update(max((_rejection(record) for record in rejections), key=lambda shown: str(shown["rejected_at"])))
    for order_id in expected.keys() | run.table.views.keys():
        shown = {name: value for name, value in run.table.views.get(order_id, {}).items() if name not in _KEYS}
        yield from _differences(order_id, shown, expected.get(order_id, {}))


def _differences(order_id: str, shown: dict[str, Any], expected: dict[str, Any]) -> Iterator[Finding]:
    if not shown:
        yield Finding(1, f"order {order_id}", "has no view")
    elif not expected:
        yield Finding(1, f"order {order_id}", "has a view, but the log knows nothing of it")
    else:
        for name in sorted(shown.keys() | expected.keys()):
            if shown.get(name) != expected.get(name):
                wrong = f"the view has {name} {shown.get(name)!r}, the log {expected.get(name)!r}"
                yield Finding(1, f"order {order_id}", wrong)


def _view(run: Evidence, order_id: str) -> dict[str, Any]:
    view: dict[str, Any] = {}
    for kind in _STREAMS:
        records = run.streams.get(f"{kind}#{order_id}", ())
        if records:
            view |= order_fold.fold(records) | {f"{kind}_version": records[-1].version}
    return view


def _rejections(run: Evidence) -> dict[str, list[Recorded]]:
    by_order: dict[str, list[Recorded]] = {}
    for _, record in run.of("rejection"):
        if isinstance(record.event, OrderRejected):
            by_order.setdefault(record.event.order_id, []).append(record)
    return by_order


def _rejection(record: Recorded) -> dict[str, Any]:
    rejected = record.event
    assert isinstance(rejected, OrderRejected)
    told = (f"{reason.field}: {reason.message}" for reason in rejected.reasons[:_SHOWN_REASONS])
    return {
        "rejected_at": f"{record.metadata.occurred_at.isoformat()}#{rejected.content_hash}",
        "rejection": "; ".join(told),
        "rejection_count": rejected.reason_count,
    }
