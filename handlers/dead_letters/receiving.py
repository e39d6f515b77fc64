"""What a message of a dead-letter queue says of itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from handlers.dead_letters import attributes, sending
from handlers.dead_letters.attributes import MAX_RECEIVE_COUNT
from handlers.dead_letters.message import Letter

FUNCTION_ENDED = "FunctionEnded"
"""The error of a message that SQS moved: nobody said why."""

_NOBODY_SAID = "its function ended before it could say why: out of time, out of memory, or killed"
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


def received(record: SQSRecord, source: str, former: Letter | None) -> Letter:
    """The letter that a message of a dead-letter queue is. ``former`` is the one it was redriven from, if it was."""
    given = {name: value.get("stringValue", "") for name, value in record["messageAttributes"].items()}
    error, reasons, tries = _why(given)
    return Letter(
        letter_id=sending.letter_id(record),
        source=source,
        error=_NOT_A_NAME.sub("_", error),
        reasons=reasons,
        tries=tries,
        sent_at=datetime.fromtimestamp(int(record.attributes.sent_timestamp) / 1000, UTC),
        body=record.body,
        attributes={name: value for name, value in given.items() if name not in attributes.OURS},
        history=former.stays if former else (),
    )


def _why(given: Mapping[str, str]) -> tuple[str, str, int]:
    """The error, the reasons and the number of tries: as a function says, EventBridge, or nobody."""
    if attributes.ERROR in given:
        return given[attributes.ERROR], given.get(attributes.REASONS, ""), int(given[attributes.TRIES])
    if "ERROR_CODE" in given:
        return given["ERROR_CODE"], given.get("ERROR_MESSAGE", ""), 1 + int(given.get("RETRY_ATTEMPTS", 0))
    return FUNCTION_ENDED, _NOBODY_SAID, MAX_RECEIVE_COUNT
