"""Invariant 2: nothing is lost. What came in is an event, or a dead letter that says why; every event went out."""

from collections import Counter
from collections.abc import Iterator, Mapping

from events import streams
from events.envelope import event_id
from events.inventory import StockReceived
from events.ordering import OrderPlaced, OrderRejected
from handlers.intake.validation import canonical
from handlers.operations.audit.evidence import Finding
from handlers.operations.audit.run import Run
from handlers.operations.audit.submission import Submission, distinct


def check(run: Run) -> Iterator[Finding]:
    """What came in and is nowhere, is where it should not be, or did not go out."""
    yield from _submissions(run)
    yield from _deliveries(run)
    yield from _dead_letters(run)
    yield from _bus(run)
    for key, count in run.waiting.items():
        yield Finding(2, f"the queue {key}", f"{count} messages are left in it")


def _submissions(run: Run) -> Iterator[Finding]:
    dead = {canonical(letter.detail) for letter in run.dead_letters}
    submitted = distinct(run.submissions)
    for each in submitted:
        if each.decided is None:
            if canonical(each.detail) not in dead:
                yield Finding(2, f"submission {each.detail.get('order_id')!r}", "is neither an event nor a dead letter")
        elif not _is_recorded(run, each):
            yield Finding(
                2, f"order {each.decided.order_id}", f"no event says what became of {each.decided.content_hash}"
            )
    for order_id in run.orders.keys() - {order_id for order_id, _ in (each.key for each in submitted)}:
        yield Finding(2, f"order {order_id}", "was placed, though nobody submitted it")


def _is_recorded(run: Run, submission: Submission) -> bool:
    order_id, content_hash = submission.key
    assert order_id is not None
    placed = run.orders.get(order_id)
    if placed and placed.content_hash == content_hash:
        return isinstance(submission.decided, OrderPlaced)
    rejections = run.streams.get(streams.rejection(order_id, content_hash), ())
    return any(isinstance(record.event, OrderRejected) for record in rejections)


def _deliveries(run: Run) -> Iterator[Finding]:
    for delivery in run.deliveries:
        delivery_id = delivery["delivery_id"]
        delivered = _by_sku((line["sku"], line["quantity"]) for line in delivery["lines"])
        received: Counter[str] = Counter()
        for record in run.streams.get(streams.delivery(delivery_id), ()):
            if isinstance(record.event, StockReceived):
                received += _by_sku((line.sku, line.quantity) for line in record.event.lines)
        for sku in sorted(delivered.keys() | received.keys()):
            if delivered[sku] != received[sku]:
                wrong = f"{delivered[sku]} of {sku} were delivered, {received[sku]} received"
                yield Finding(2, f"delivery {delivery_id}", wrong)


def _by_sku(lines: Iterator[tuple[str, int]]) -> Counter[str]:
    quantities: Counter[str] = Counter()
    for sku, quantity in lines:
        quantities[sku] += quantity
    return quantities


def _dead_letters(run: Run) -> Iterator[Finding]:
    expected = {canonical(each.detail) for each in run.submissions if each.decided is None}
    for letter in run.dead_letters:
        if canonical(letter.detail) not in expected:
            yield Finding(2, f"a dead letter of {letter.source}", f"{letter.reasons}: {_shortened(letter.detail)}")


def _shortened(detail: object) -> str:
    text = canonical(detail)
    return text if len(text) < 300 else f"{text[:300]}…"


def _bus(run: Run) -> Iterator[Finding]:
    logged: Mapping[str, str] = {event_id(*place): f"{place[0]} version {place[1]}" for place in run.table.log}
    for (stream, version), record in run.table.log.items():
        if streams.is_published(stream) and event_id(stream, version) not in run.bus:
            yield Finding(
                2, f"{stream} version {version}", f"{type(record.event).__name__} did not reach the orders bus"
            )
    for unknown in run.bus - logged.keys():
        yield Finding(2, f"event {unknown}", "came over the orders bus, but is not in the log")
