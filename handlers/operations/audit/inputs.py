"""Invariant 2: nothing is lost. Each input is an event, or a dead letter that says why; every event was published."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from events import streams
from events.envelope import event_id
from events.inventory import StockReceived
from events.ordering import OrderPlaced, OrderRejected
from handlers.operations.audit.evidence import Finding
from handlers.operations.audit.published_submission import Submission, canonical, distinct
from handlers.operations.audit.run import Run
from handlers.operations.audit.table import Item


def check(run: Run) -> Iterator[Finding]:
    """Inputs that are nowhere, or not what they should have become, and events that were not published."""
    yield from _submissions(run)
    yield from _orders(run)
    yield from _deliveries(run)
    yield from _dead_letters(run)
    yield from _bus(run)
    for key, count in run.waiting.items():
        yield Finding(2, f"the queue {key}", f"{count} messages are left in it")


def _submissions(run: Run) -> Iterator[Finding]:
    dead = {canonical(message.detail) for message in run.dead_letters}
    for each in distinct(run.submissions):
        if each.order_id is None:
            if canonical(each.detail) not in dead:
                yield Finding(2, f"submission {each.detail.get('order_id')!r}", "is neither an event nor a dead letter")
        elif wrong := _not_recorded(run, each, each.order_id):
            yield Finding(2, f"order {each.order_id}", wrong)


def _not_recorded(run: Run, submission: Submission, order_id: str) -> str | None:
    """What is wrong with how the log has a submission: a valid one is placed, unless another has its id.

    Which one an order was placed for, nobody can tell any more once its person is erased.
    """
    if order_id in run.erased and submission.order is not None:
        return None
    placed = run.orders.get(order_id)
    is_placed = placed is not None and _is_of(run, placed, submission)
    rejection = run.streams.get(streams.rejection(order_id, submission.content_hash(run.rejection_key)), ())
    is_rejected = any(isinstance(record.event, OrderRejected) for record in rejection)
    if not is_placed and not is_rejected:
        return "no event says what became of one of its submissions"
    if is_placed and submission.order is None:
        return "was placed, though the submission is not valid"
    if is_rejected and submission.order is not None and (placed is None or is_placed):
        return "a submission was rejected, though it is valid and no other order has its id"
    return None


def _is_of(run: Run, placed: OrderPlaced, submission: Submission) -> bool:
    """Whether an order was placed for a submission, by the content hash."""
    person = run.persons.get(placed.order_id)
    return person is not None and placed.content_hash == submission.content_hash(bytes.fromhex(person["content_key"]))


def _orders(run: Run) -> Iterator[Finding]:
    """Orders that nobody submitted as they were placed, and people in the vault who are not those that ordered."""
    submitted: dict[str | None, list[Submission]] = defaultdict(list)
    for each in run.submissions:
        submitted[each.order_id].append(each)
    for order_id, placed in run.orders.items():
        if order_id not in submitted:
            yield Finding(2, f"order {order_id}", "was placed, though nobody submitted it")
            continue
        if order_id in run.erased:
            if order_id in run.persons:
                yield Finding(2, f"order {order_id}", "is erased, but somebody is in the vault for it")
            continue
        of = [each for each in submitted[order_id] if _is_of(run, placed, each)]
        if not any(_placed_as_submitted(placed, run.persons[order_id], each) for each in of):
            yield Finding(2, f"order {order_id}", "was placed with other content than was submitted")
    for order_id in run.persons.keys() - run.orders.keys():
        yield Finding(2, f"order {order_id}", "was not placed, but somebody is in the vault for it")


def _placed_as_submitted(placed: OrderPlaced, vaulted: Item, submission: Submission) -> bool:
    order = submission.order
    if order is None:
        return False
    email = order.customer.email if order.customer else None
    own_number = order.customer.customer_id if order.customer else None
    descriptions = {str(n): each.description for n, each in enumerate(order.lines) if each.description is not None}
    person = {"address": order.shipping_address.model_dump(), "email": email, "descriptions": descriptions}
    return (
        placed.currency == order.currency
        and [dict(each) for each in placed.lines] == [each.model_dump(exclude={"description"}) for each in order.lines]
        and placed.customer_id == (own_number and f"{submission.shop}.{own_number}")
        and placed.has_email == (email is not None)
        and placed.destination.country == order.shipping_address.country
        and order.shipping_address.postal_code.startswith(placed.destination.postal_area)
        and {"email": None, "descriptions": {}, **json.loads(vaulted["person"])} == person
    )


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
    expected = {canonical(each.detail) for each in run.submissions if each.order_id is None}
    for message in run.dead_letters:
        if canonical(message.detail) not in expected:
            yield Finding(
                2, f"a dead-letter message of {message.source}", f"{message.reasons}: {_shortened(message.detail)}"
            )


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
