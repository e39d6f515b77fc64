"""Sending a message that no retry could handle to its function's dead-letter queue, with the reason.

The id that a message had first stays its id, however often it is redriven. It is carried in an attribute, and so is the
key under which a redriven message was stored in the bucket.
"""

from __future__ import annotations

from collections.abc import Callable
from traceback import walk_tb
from typing import TYPE_CHECKING

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from botocore.exceptions import ClientError
from pydantic import ValidationError

from handlers.dead_letters.attributes import ATTEMPTS, ERROR, MESSAGE_ID, REASONS, REDRIVEN_BY, REDRIVEN_FROM
from handlers.intake import validation
from handlers.intake.validation import Refused
from handlers.runtime.observability import logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageAttributeValueTypeDef

_MAX_REASONS_BYTES = 8 * 1024
_OURS = {"events", "handlers"}


class DeadLetterQueue:
    """A function's dead-letter queue, to which the function itself sends what it cannot handle, with the reason.

    Args:
        sqs: gives an SQS client, and is called for the first message that is sent.
        url: the queue's URL.
    """

    def __init__(self, sqs: Callable[[], SQSClient], url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, record: SQSRecord, failure: Exception) -> None:
        """Send a message, with what it failed with."""
        error, reasons = type(failure).__name__, safe_reasons(failure)
        traceback = None if isinstance(failure, Refused) else failure
        logger.warning(
            "sent to the dead-letter queue",
            message_id=record.message_id,
            error=error,
            reasons=reasons,
            exc_info=traceback,
        )
        why: dict[str, str | None] = {
            ERROR: error,
            REASONS: reasons,
            ATTEMPTS: record.attributes.approximate_receive_count,
        }
        self._sqs().send_message(
            QueueUrl=self._url,
            MessageBody=record.body,
            MessageAttributes=attributes(why) | identity(record),
        )


def first_message_id(record: SQSRecord) -> str:
    """The id that a message had first. Redriven, it has another, whether SQS or we redrove it."""
    return _carried(record, MESSAGE_ID) or record.message_id


def redriven_by(record: SQSRecord) -> str | None:
    """The ARN of the operator who redrove a message; None where nobody did, or SQS alone knows who."""
    return _carried(record, REDRIVEN_BY)


def identity(record: SQSRecord) -> dict[str, MessageAttributeValueTypeDef]:
    """The attributes by which a message is recognized, for one that takes its place."""
    carried = {name: _carried(record, name) for name in (REDRIVEN_FROM, REDRIVEN_BY)}
    return attributes({MESSAGE_ID: first_message_id(record), **carried})


def attributes(values: dict[str, str | None]) -> dict[str, MessageAttributeValueTypeDef]:
    """Attributes of a message with these values, shortened to what a message takes; those without a value are none."""
    return {name: {"DataType": "String", "StringValue": _shortened(value)} for name, value in values.items() if value}


def safe_reasons(failure: Exception) -> str:
    """Why a message failed, without what it holds: the texts of errors that are not ours may quote it."""
    kind = type(failure)
    if kind.__module__.partition(".")[0] in _OURS:
        return str(failure) or kind.__name__
    if isinstance(failure, ValidationError):
        return str(Refused(validation.reasons(failure)))
    if isinstance(failure, ClientError):
        return f"AWS refused {failure.operation_name}: {failure.response['Error']['Code']}"
    return f"{kind.__name__} in {_where(failure)}"


def _where(failure: Exception) -> str:
    """The last function of ours that a failure came through."""
    frames = [(frame.f_globals["__name__"], frame.f_code.co_name) for frame, _ in walk_tb(failure.__traceback__)]
    ours = [f"{module}.{function}" for module, function in frames if module.partition(".")[0] in _OURS]
    return ours[-1] if ours else "a library"


def _carried(record: SQSRecord, name: str) -> str | None:
    attribute = record.message_attributes[name]
    return attribute.string_value if attribute else None


def _shortened(value: str) -> str:
    """As much as a message may carry, without the characters that SQS does not take."""
    printable = "".join(each if each.isprintable() else "?" for each in value)
    return printable.encode()[:_MAX_REASONS_BYTES].decode(errors="ignore")
