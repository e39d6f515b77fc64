"""Claims: of all the deliveries of an event, the one whose claim is in the log sends the e-mail.

E-mail has no idempotency key, so whoever sends first appends a claim, at the version after the history that it read:
of several at once, one appends. What follows is appended too:

- SES answers with a message id: ``CustomerNotified``. From now on there is nothing to do.
- SES refuses, so nothing was sent: ``EmailRefused``. The next delivery claims and sends, at once. Where SES takes none
  for now, the next delivery is much later, and not one of those that are counted (`handlers/runtime/postponing.py`).
- No answer comes, or the function is killed: whether the e-mail was sent is unknown. Once no function can be alive that
  claimed it, the next delivery takes the claim over and sends. Only then may a customer get an e-mail twice, and the
  log shows where: one claim follows another that was not refused.

Any other delivery that finds a claim fails, and is delivered again after the queue's visibility timeout, six times the
function's timeout. A claim lives for twice that timeout, so by then it is completed, refused or too old: a delivery can
wait for one claim only once. To become a dead-letter message by waiting, it would have to find another open claim at
each of its ``MAX_RECEIVE_COUNT`` deliveries, hence after as many deliveries of other copies that were killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.envelope import Recorded
from events.notification import CustomerNotified, EmailClaimed, EmailEvent, EmailRefused
from handlers.notification.email_sending import Email, NotSent
from handlers.table.event_store import EventStore

FUNCTION_TIMEOUT = 60
"""The timeout in seconds of the function that sends e-mails: after it, none that appended a claim is alive."""

LIFETIME = timedelta(seconds=2 * FUNCTION_TIMEOUT)
"""The age at which a claim may be taken over. The second half is a margin for clocks that differ."""


class AlreadyClaimed(Exception):
    """Another delivery has claimed the e-mail and may be sending it just now: this one has to be delivered again."""


def next_claim(history: Sequence[Recorded], order_id: str, about: str, now: datetime) -> EmailClaimed | None:
    """The claim with which a delivery may send an e-mail, or None where there is nothing to do.

    There is nothing to do where the e-mail was sent, or where another order brings it: a customer is welcomed once.

    Args:
        history: the stream in which the e-mail is claimed, among others.
        order_id: the order that brings it.
        about: which e-mail of the stream it is, as in the events.
        now: the time in UTC, by the same clock as the events'.

    Raises:
        AlreadyClaimed: another delivery may be sending it.
    """
    attempt, claimed_at = 0, None
    for record in history:
        event = record.event
        if not isinstance(event, EmailEvent) or event.about != about:
            continue
        if event.order_id != order_id or isinstance(event, CustomerNotified):
            return None
        if isinstance(event, EmailClaimed):
            attempt, claimed_at = event.attempt, record.metadata.occurred_at
        elif event.attempt == attempt:
            claimed_at = None
    if claimed_at and now < claimed_at + LIFETIME:
        until = claimed_at + LIFETIME
        raise AlreadyClaimed(f"the e-mail about {about} of order {order_id} is claimed until {until.isoformat()}")
    return EmailClaimed(order_id=order_id, about=about, attempt=attempt + 1)


@dataclass(frozen=True, slots=True)
class Due:
    """An e-mail that an order brings: which one it is of those that are claimed in the stream, and what it says."""

    stream: str
    order_id: str
    about: str
    email: Email


def send_once(store: EventStore, due: Due, send: Callable[[], str], *, causation_id: str) -> None:
    """Claim an e-mail, send it and record that, where it was not sent before. Of several deliveries at once, one sends.

    Args:
        store: the log.
        due: the e-mail.
        send: sends it and returns its message id; raises NotSent where it was certainly not sent.
        causation_id: the id of the event that brings it.

    Raises:
        AlreadyClaimed: another delivery may be sending it.
        NotSent: SES refused it; the claim is released.
        Retryable: try again.
    """

    def decide(history: Sequence[Recorded]) -> list[EmailClaimed]:
        claim = next_claim(history, due.order_id, due.about, store.clock())
        return [claim] if claim else []

    def record(outcome: EmailRefused | CustomerNotified) -> None:
        version = claim.version + 1
        # Another e-mail of the stream may have been claimed meanwhile, and have this version.
        while store.append_if_absent(due.stream, version, outcome, **metadata).record.event != outcome:
            version += 1

    metadata = {"correlation_id": due.order_id, "causation_id": causation_id}
    for claim in store.execute(due.stream, decide, **metadata):
        claimed = claim.event.model_dump()
        try:
            message_id = send()
        except NotSent as refused:
            record(EmailRefused(**claimed, error=str(refused)))
            raise
        record(CustomerNotified(**claimed, message_id=message_id))
