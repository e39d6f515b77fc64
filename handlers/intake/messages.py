"""What intake functions have in common: messages of a queue, each an integration event, one handler per type.

A message that can never become an event is refused: it is a dead letter, with the reasons. So is one that came too
early, and still does when it is delivered for the last time.
"""

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from events.ordering import RejectionReason
from handlers.dead_letters import sending
from handlers.dead_letters.sending import DeadLetterQueue
from handlers.intake.parties import Parties
from handlers.intake.requests import Request, intake_message, request
from handlers.intake.validation import NotAllowed, NotYet, Refused, safe_name
from handlers.runtime import queue_batches
from handlers.runtime.observability import Handler, count, observed
from handlers.table.event_store import EventStore

Accept = Callable[[EventStore, Request], Any]
"""Makes events of a request; the store appends them on behalf of who sent it."""


def intake(
    accepted: Mapping[str, Accept],
    store: EventStore,
    parties: Parties,
    dead_letters: DeadLetterQueue,
    too_early: Mapping[str, Accept] | None = None,
) -> Handler:
    """The entry point of an intake function.

    Args:
        accepted: what it does for each ``detail-type`` that it accepts.
        store: the log.
        parties: who is let in.
        dead_letters: the queue for what is refused.
        too_early: what it does instead for what still came too early at its last delivery, by ``detail-type``; any
            other is refused then.
    """

    def take(record: SQSRecord) -> None:
        message = intake_message(record.body, sending.first_message_id(record))
        accept = accepted.get(message.detail_type)
        if accept is None:
            reason = f"{safe_name(message.detail_type)!r} is not known here; known: {', '.join(accepted)}"
            raise Refused([RejectionReason(field="detail-type", message=reason)])
        try:
            asked = request(message, parties)
        except NotAllowed:
            count("SendersRefused")
            raise
        theirs = store.on_behalf_of(asked.actor, sending.redriven_by(record))
        try:
            accept(theirs, asked)
        except NotYet:
            give_up = (too_early or {}).get(message.detail_type)
            if give_up is None or not queue_batches.is_last_delivery(record):
                raise
            give_up(theirs, asked)

    def handler(event: dict[str, Any], context: Any) -> PartialItemFailureResponse:
        return queue_batches.process(event, context, take, dead_letters)

    return observed(handler)
