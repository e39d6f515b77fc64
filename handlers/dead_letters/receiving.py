"""Reading a message of a dead-letter queue: what it holds, and why it failed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from handlers.dead_letters import attributes, sending
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.dead_letters.message import DeadLetterMessage

FUNCTION_ENDED = "FunctionEnded"
"""The error of a message that SQS moved: no reason is known."""

_NO_REASON = "its function ended before it could say why: out of time, out of memory, or killed"
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


def received(record: SQSRecord, source: str, earlier: DeadLetterMessage | None) -> DeadLetterMessage:
    """The dead-letter message that a queue delivered.

    Args:
        record: the message of the dead-letter queue.
        source: the key of the function or saga start that the queue belongs to.
        earlier: the stored message it was redriven from, if it was.
    """
    values = {name: value.get("stringValue", "") for name, value in record["messageAttributes"].items()}
    error, reasons, attempts = _why(values)
    return DeadLetterMessage(
        message_id=sending.first_message_id(record),
        source=source,
        error=_NOT_A_NAME.sub("_", error),
        reasons=reasons,
        attempts=attempts,
        sent_at=datetime.fromtimestamp(int(record.attributes.sent_timestamp) / 1000, UTC),
        body=record.body,
        attributes={name: value for name, value in values.items() if name not in attributes.OURS},
        earlier_failures=earlier.failures if earlier else (),
    )


def _why(values: Mapping[str, str]) -> tuple[str, str, int]:
    """The error, the reasons and the number of attempts, from a function, from EventBridge, or as SQS implies them."""
    if attributes.ERROR in values:
        return values[attributes.ERROR], values.get(attributes.REASONS, ""), int(values[attributes.ATTEMPTS])
    if "ERROR_CODE" in values:
        return values["ERROR_CODE"], values.get("ERROR_MESSAGE", ""), 1 + int(values.get("RETRY_ATTEMPTS", 0))
    return FUNCTION_ENDED, _NO_REASON, MAX_RECEIVE_COUNT
