"""E-mails happen once: the log has each one that was sent, and each one that customers were to get was sent."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from events.notification import WELCOME, CustomerNotified, EmailClaimed, EmailRefused
from events.ordering import OrderConfirmed
from handlers.operations.audit.evidence import Finding
from handlers.operations.audit.run import Run

EmailKey = tuple[str, str]
"""An e-mail of the log: its stream, and what it is about."""

_KINDS = ("notification", "customer")


def check(run: Run) -> Iterator[Finding]:
    """Who was notified too little or too much, and what was sent otherwise than the log says."""
    yield from _sent(run)
    yield from _notified(run)
    yield from _welcomed(run)


def _sent(run: Run) -> Iterator[Finding]:
    """An e-mail may have been sent without the log having its message id only under a claim that was taken over.

    The e-mail that the log has then looks alike: same recipient, same subject.
    """
    in_log = {
        record.event.message_id: (stream, record.event.about)
        for kind in _KINDS
        for stream, record in run.of(kind)
        if isinstance(record.event, CustomerNotified)
    }
    for message_id, times in Counter(email.message_id for email in run.emails).items():
        if times > 1:
            yield Finding(3, f"e-mail {message_id}", f"was sent {times} times")
    for message_id in in_log.keys() - {email.message_id for email in run.emails}:
        stream, _ = in_log[message_id]
        yield Finding(3, stream, f"says that e-mail {message_id} was sent, but it was not")

    take_overs = _take_overs(run)
    alike: dict[tuple[str, str], set[str]] = defaultdict(set)
    for email in run.emails:
        alike[email.to, email.subject].add(email.message_id)
    for message_ids in alike.values():
        admitted = sum(take_overs[key] for key in {in_log[known] for known in message_ids & in_log.keys()})
        for message_id in sorted(message_ids - in_log.keys())[admitted:]:
            yield Finding(3, f"e-mail {message_id}", "was sent, but the log has neither it nor a take-over for it")


def _take_overs(run: Run) -> Counter[EmailKey]:
    """How often each e-mail was claimed again without having been refused before."""
    events = [(stream, record.event) for kind in _KINDS for stream, record in run.of(kind)]
    refused = {(stream, event.about, event.attempt) for stream, event in events if isinstance(event, EmailRefused)}
    return Counter(
        (stream, event.about)
        for stream, event in events
        if isinstance(event, EmailClaimed)
        and event.attempt > 1
        and (stream, event.about, event.attempt - 1) not in refused
    )


def _notified(run: Run) -> Iterator[Finding]:
    notified = Counter(
        (record.event.order_id, record.event.about)
        for _, record in run.of("notification")
        if isinstance(record.event, CustomerNotified)
    )
    for order_id, placed in run.orders.items():
        for outcome in run.outcomes(order_id):
            about = type(outcome.event).__name__
            if placed.has_email and not notified.pop((order_id, about), 0) and order_id not in run.erased:
                yield Finding(3, f"order {order_id}", f"nobody was notified of {about}")
    for order_id, about in notified:
        yield Finding(
            3, f"order {order_id}", f"an e-mail was sent about {about}, which is no outcome of it for a customer"
        )


def _welcomed(run: Run) -> Iterator[Finding]:
    """A customer has one welcome, for one of the orders that were confirmed to an address, whichever was quicker.

    Where all of these are erased, there may be none.
    """
    welcomed = {
        stream.partition("#")[2]: record.event.order_id
        for stream, record in run.of("customer")
        if isinstance(record.event, CustomerNotified) and record.event.about == WELCOME
    }
    confirmed: dict[str, set[str]] = defaultdict(set)
    for order_id, placed in run.orders.items():
        was_confirmed = any(isinstance(outcome.event, OrderConfirmed) for outcome in run.outcomes(order_id))
        if was_confirmed and placed.customer_id and placed.has_email:
            confirmed[placed.customer_id].add(order_id)
    for customer_id in sorted(welcomed.keys() | confirmed.keys()):
        orders, brought = confirmed.get(customer_id, set()), welcomed.get(customer_id)
        if brought not in orders and (brought or orders - run.erased):
            wrong = f"was welcomed for order {brought}; confirmed: {', '.join(sorted(orders)) or 'none'}"
            yield Finding(3, f"customer {customer_id}", wrong)
