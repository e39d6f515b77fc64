"""The event store: append to a stream and read it, in one DynamoDB table.

An event is one item: its partition is the stream, its sort key has the version. Appending is a conditional put, so of
two writers of one version one wins, and the other gets the existing event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from events import catalog
from events.envelope import Actor, Metadata, Recorded, event_id
from events.model import DomainEvent
from handlers.retry_policy import MAX_CONFLICTS, Contended, classified, meaning
from handlers.table import keys
from handlers.table.codec import encode
from handlers.table.keys import version_of

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

Decision = Callable[[Sequence[Recorded]], Sequence[DomainEvent]]
"""Takes a stream's events and returns those to append: none, where nothing is left to do."""


class New(NamedTuple):
    """An event to append as ``version`` of its stream."""

    stream: str
    version: int
    event: DomainEvent


class Conflict(Exception):
    """That version of the stream is taken: ``existing`` is the event that has it."""

    def __init__(self, existing: Recorded) -> None:
        super().__init__(f"{existing.stream} has {type(existing.event).__name__} at version {existing.version}")
        self.existing = existing


@dataclass(frozen=True, slots=True)
class Appended:
    """The event was appended, as this record."""

    record: Recorded


@dataclass(frozen=True, slots=True)
class Existing:
    """The event was not appended: that version of the stream has this record."""

    record: Recorded


class ConditionsFailed(Exception):
    """The event could have been appended, but conditions of the changes with it failed: those at ``failed``."""

    def __init__(self, failed: Sequence[int]) -> None:
        super().__init__(f"the conditions of the changes {list(failed)} failed")
        self.failed = failed


class EventStore:
    """The log in one table.

    Args:
        client: a low-level DynamoDB client.
        table: the table's name.
        actor: causes what is appended; None where the log is only read.
        clock: gives the time in UTC at which an appended event occurred. Whoever decides by an event's age asks it too.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        actor: Actor | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.client = client
        self.table = table
        self.clock = clock
        self._actor = actor
        self._redriven_by: str | None = None

    def on_behalf_of(self, actor: Actor, redriven_by: str | None = None) -> EventStore:
        """The same log, for what somebody else causes."""
        same = copy(self)
        same._actor, same._redriven_by = actor, redriven_by
        return same

    def redriven(self, by: str | None) -> EventStore:
        """The same log, for what comes of a message that this operator redrove, if one did."""
        if by is None:
            return self
        same = copy(self)
        same._redriven_by = by
        return same

    def read(self, stream: str, *, after: int = 0) -> list[Recorded]:
        """The events of a stream in order, those after a version, read consistently. An unknown stream is empty."""
        request: dict[str, Any] = {
            "TableName": self.table,
            "KeyConditionExpression": "PK = :stream AND SK > :after",
            "ExpressionAttributeValues": encode({":stream": stream, ":after": keys.event(stream, after).sk}),
            "ConsistentRead": True,
        }
        events: list[Recorded] = []
        while True:
            with classified():
                page = self.client.query(**request)
            events += map(recorded, page["Items"])
            if "LastEvaluatedKey" not in page:
                return events
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def last(self, stream: str) -> Recorded | None:
        """The newest event of a stream, read consistently, or None where the stream is empty."""
        with classified():
            page = self.client.query(
                TableName=self.table,
                KeyConditionExpression="PK = :stream AND begins_with(SK, :event)",
                ExpressionAttributeValues=encode({":stream": stream, ":event": keys.EVENT}),
                ConsistentRead=True,
                ScanIndexForward=False,
                Limit=1,
            )
        return recorded(page["Items"][0]) if page["Items"] else None

    def append(
        self, stream: str, version: int, event: DomainEvent, *, correlation_id: str, causation_id: str
    ) -> Recorded:
        """Append an event as ``version`` of its stream.

        Raises:
            Conflict: another event has that version.
            Retryable: try again.
        """
        new = self._record(stream, version, event, correlation_id, causation_id)
        try:
            with classified():
                self.client.put_item(
                    TableName=self.table,
                    Item=_item(new),
                    ConditionExpression="attribute_not_exists(PK)",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except self.client.exceptions.ConditionalCheckFailedException as failure:
            response: Mapping[str, Any] = failure.response
            raise Conflict(recorded(response["Item"])) from failure
        return new

    def append_with(
        self,
        stream: str,
        version: int,
        event: DomainEvent,
        changes: Sequence[TransactWriteItemTypeDef],
        *,
        correlation_id: str,
        causation_id: str,
    ) -> Recorded:
        """Append an event and make the changes it explains, all or nothing (at most 99 changes).

        Raises:
            Conflict: another event has that version.
            ConditionsFailed: the event would have fit, but changes did not.
            Retryable: try again; so does another transaction on the same items at the same time.
        """
        new = New(stream, version, event)
        [appended] = self._transact(changes, [new], correlation_id=correlation_id, causation_id=causation_id)
        return appended

    def append_together(self, events: Sequence[New], *, correlation_id: str, causation_id: str) -> list[Recorded]:
        """Append events of several streams, all or none: no reader finds one of them without the others.

        Raises:
            Conflict: another event has the version of one of them.
            Retryable: try again; so does another transaction on the same items at the same time.
        """
        return self._transact([], events, correlation_id=correlation_id, causation_id=causation_id)

    def _transact(
        self,
        changes: Sequence[TransactWriteItemTypeDef],
        events: Sequence[New],
        *,
        correlation_id: str,
        causation_id: str,
    ) -> list[Recorded]:
        records = [self._record(*new, correlation_id, causation_id) for new in events]
        puts: list[TransactWriteItemTypeDef] = [
            {
                "Put": {
                    "TableName": self.table,
                    "Item": _item(record),
                    "ConditionExpression": "attribute_not_exists(PK)",
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            }
            for record in records
        ]
        try:
            with classified():
                self.client.transact_write_items(TransactItems=[*changes, *puts])
        except self.client.exceptions.TransactionCanceledException as failure:
            raise _refusal(failure.response["CancellationReasons"], len(puts), failure) from failure
        return records

    def append_if_absent(
        self, stream: str, version: int, event: DomainEvent, *, correlation_id: str, causation_id: str
    ) -> Appended | Existing:
        """Append an event unless that version of the stream is taken. The caller decides by what is there instead.

        Raises:
            Retryable: try again.
        """
        try:
            return Appended(
                self.append(stream, version, event, correlation_id=correlation_id, causation_id=causation_id)
            )
        except Conflict as conflict:
            return Existing(conflict.existing)

    def execute(self, stream: str, decide: Decision, *, correlation_id: str, causation_id: str) -> list[Recorded]:
        """Read a stream, decide, and append what was decided; on a version conflict, read and decide again.

        Returns the events appended.

        Raises:
            Retryable: try again; `Contended` after too many version conflicts.
        """
        for _ in range(MAX_CONFLICTS):
            history = self.read(stream)
            try:
                return [
                    self.append(stream, version, event, correlation_id=correlation_id, causation_id=causation_id)
                    for version, event in enumerate(decide(history), start=len(history) + 1)
                ]
            except Conflict:
                continue
        raise Contended(f"{stream} is being written by too many others")

    def _record(
        self, stream: str, version: int, event: DomainEvent, correlation_id: str, causation_id: str
    ) -> Recorded:
        if self._actor is None:
            raise TypeError(f"nobody to append {type(event).__name__} for: this store only reads")
        metadata = Metadata(
            event_id=event_id(stream, version),
            stream=stream,
            version=version,
            schema_version=event.schema_version,
            occurred_at=self.clock(),
            correlation_id=correlation_id,
            causation_id=causation_id,
            actor=self._actor,
            redriven_by=self._redriven_by,
        )
        return Recorded(event, stream, version, metadata.model_dump_json(exclude_none=True))


def recorded(item: Mapping[str, Any]) -> Recorded:
    """An event from its item, as DynamoDB returns it.

    Folding a stream is mostly this, so it reads the attributes in place: to decode the item first takes a sixth longer.

    Raises:
        KeyError, ValueError: the item is no event, of a type this code does not know, or its JSON does not fit.
    """
    return Recorded(
        catalog.read(item["type"]["S"], int(item["schema_version"]["N"]), item["data"]["S"]),
        item["PK"]["S"],
        version_of(item["SK"]["S"]),
        item["metadata"]["S"],
    )


def _item(new: Recorded) -> dict[str, Any]:
    return {
        **keys.event(new.stream, new.version).attributes,
        **encode(
            {
                "type": type(new.event).__name__,
                "schema_version": new.event.schema_version,
                "data": new.event.model_dump_json(exclude_none=True),
                "metadata": new.metadata_json,
            }
        ),
    }


def _refusal(reasons: Sequence[Mapping[str, Any]], puts: int, failure: ClientError) -> Exception:
    """What a cancelled transaction means; its last items are the events' own puts, so many."""
    changes = reasons[:-puts]
    for put in reasons[-puts:]:
        if put.get("Code") == "ConditionalCheckFailed":
            return Conflict(recorded(put["Item"]))
    codes = {reason.get("Code", "None") for reason in reasons} - {"None"}
    if codes == {"ConditionalCheckFailed"}:
        return ConditionsFailed(
            [n for n, reason in enumerate(changes) if reason.get("Code") == "ConditionalCheckFailed"]
        )
    if error := meaning(codes):
        return error(f"the transaction met {', '.join(sorted(codes))}")
    return failure
