"""E-mails happen once: those sent are those that the log remembers, and those that customers were to get."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from events.notification import CustomerNotified, CustomerWelcomed
from events.ordering import OrderConfirmed
from handlers.operations.audit.evidence import Finding
from handlers.operations.audit.run import Run


def check(run: Run) -> Iterator[Finding]:
    """Who was told too little or too much, and what was sent otherwise than the log says."""
    yield from _sent(run)
    yield from _notified(run)
    yield from _welcomed(run)


def _sent(run: Run) -> Iterator[Finding]:
    sent = Counter(run.emails)
    for message_id, times in sent.items():
        if times > 1:
            yield Finding(3, f"e-mail {message_id}", f"was sent {times} times")
    for kind in ("notification", "customer"):
        for stream, record in run.of(kind):
            event = record.event
            if isinstance(event, CustomerNotified | CustomerWelcomed) and not sent.pop(event.message_id, 0):
                yield Finding(3, stream, f"says that e-mail {event.message_id} was sent, but it was not")
    for message_id in sent:
        yield Finding(3, f"e-mail {message_id}", "was sent, but the log does not say so")


def _notified(run: Run) -> Iterator[Finding]:
    told: Counter[tuple[str, str]] = Counter()
    for _, record in run.of("notification"):
        if isinstance(record.event, CustomerNotified):
            told[record.event.order_id, record.event.about] += 1
    for order_id, placed in run.orders.items():
        for outcome in run.outcomes(order_id):
            if placed.customer and placed.customer.email and not told.pop((order_id, outcome.event_id), 0):
                yield Finding(3, f"order {order_id}", f"nobody was told of {type(outcome.event).__name__}")
    for order_id, about in told:
        yield Finding(
            3, f"order {order_id}", f"an e-mail was sent about {about}, which is no outcome of it for a customer"
        )


def _welcomed(run: Run) -> Iterator[Finding]:
    """A customer has one welcome, for one of the orders that were confirmed to an address, whichever was quicker."""
    welcomed = {
        record.event.customer_id: record.event.order_id
        for _, record in run.of("customer")
        if isinstance(record.event, CustomerWelcomed)
    }
    confirmed: dict[str, set[str]] = defaultdict(set)
    for order_id, placed in run.orders.items():
        was_confirmed = any(isinstance(outcome.event, OrderConfirmed) for outcome in run.outcomes(order_id))
        if was_confirmed and placed.customer and placed.customer.email:
            confirmed[placed.customer.customer_id].add(order_id)
    for customer_id in sorted(welcomed.keys() | confirmed.keys()):
        orders, brought = confirmed.get(customer_id, set()), welcomed.get(customer_id)
        if brought not in orders:
            wrong = f"was welcomed for order {brought}; confirmed: {', '.join(sorted(orders)) or 'none'}"
            yield Finding(3, f"customer {customer_id}", wrong)
