"""Reading the audit copy: which events crossed the orders bus."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Set
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from handlers.operations.audit.table import Place

AUDIT_PREFIX = "events/"
"""Where events are in the bucket of the audit copy, by day."""

_OBJECTS_AT_ONCE = 10


class UnreadableCopy(Exception):
    """An object of the audit copy does not hold what EventBridge and Firehose put there; the message names it."""


class AuditCopy:
    """The events in the bucket of the audit copy; ``places`` has the place of each in the log, by its id.

    ``since`` is when the first of them occurred, replayed ones aside: of what was before, the copy knows nothing.

    Args:
        s3: an S3 client.
        bucket: the bucket's name.
        until: what occurred later is left out; None for all.
    """

    def __init__(self, s3: S3Client, bucket: str, until: datetime | None = None) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._until = until
        self._known: set[str] = set()
        self.places: dict[str, Place] = {}
        self.since: datetime | None = None

    @property
    def event_ids(self) -> Set[str]:
        """The ids of the events."""
        return self.places.keys()

    def read(self, *, on_object: Callable[[int], None] = lambda _: None) -> None:
        """Read the objects that came since the last time. ``on_object`` is called for each with its number of events.

        Raises:
            UnreadableCopy: an object is not what it should be.
            ClientError: S3 refuses.
        """
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=AUDIT_PREFIX)
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        new = [key for key in keys if key not in self._known]
        with ThreadPoolExecutor(_OBJECTS_AT_ONCE) as pool:
            for events in pool.map(self._events, new):
                self.places.update((event.event_id, event.place) for event in events)
                live = [event.occurred_at for event in events if not event.replayed]
                self.since = min([*live, *([self.since] if self.since else [])], default=None)
                on_object(len(events))
        self._known.update(new)

    def _events(self, key: str) -> list[_Copied]:
        text = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read().decode()
        try:
            events = [_copied(event) for event in documents(text)]
        except (ValueError, KeyError, TypeError) as wrong:
            raise UnreadableCopy(f"s3://{self._bucket}/{key} is not readable as events: {wrong!r}") from wrong
        return [event for event in events if self._until is None or event.occurred_at <= self._until]


class _Copied(NamedTuple):
    """An event in the copy."""

    event_id: str
    place: Place
    occurred_at: datetime
    replayed: bool


def _copied(event: Any) -> _Copied:
    metadata = event["detail"]["metadata"]
    place = metadata["stream"], metadata["version"]
    return _Copied(metadata["event_id"], place, datetime.fromisoformat(metadata["occurred_at"]), "replay-name" in event)


def documents(text: str) -> Iterator[Any]:
    """The JSON documents in a text, one after the other, with white space between them or nothing.

    Raises:
        ValueError: there is something else in it.
    """
    decoder, at = json.JSONDecoder(), 0
    text = text.strip()
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        yield document
        while at < len(text) and text[at].isspace():
            at += 1
