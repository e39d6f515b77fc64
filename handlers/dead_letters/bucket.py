"""The bucket of dead-letter messages: storing one, finding those that are open, marking what was redriven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from handlers.dead_letters.message import OPEN, REDRIVEN, DeadLetterKey, DeadLetterMessage, redriven

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READ_AT_ONCE = 8


class DeadLetterBucket:
    """The dead-letter messages in a bucket: open, or redriven since. Every method may raise ClientError.

    Args:
        client: an S3 client.
        bucket: the bucket's name.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, message: DeadLetterMessage) -> None:
        """Store an open message; doing so again changes nothing."""
        self._put(message.key, message)

    def read(self, key: str) -> DeadLetterMessage | None:
        """The message with that key; None if there is none, or no longer."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as failure:
            if failure.response["Error"]["Code"] == "NoSuchKey":
                return None
            raise
        return DeadLetterMessage.model_validate_json(answer["Body"].read())

    def read_all(self, keys: Iterable[str]) -> Iterator[tuple[str, DeadLetterMessage]]:
        """The messages with these keys, in order; those that are gone are left out."""
        keys = list(keys)
        with ThreadPoolExecutor(_READ_AT_ONCE) as readers:
            for key, message in zip(keys, readers.map(self.read, keys), strict=True):
                if message is not None:
                    yield key, message

    def redriven_from(self, key: str) -> DeadLetterMessage | None:
        """The message that was redriven from an open one's key, marked as such or not yet; None if it is gone."""
        return self.read(redriven(key)) or self.read(key)

    def open_keys(self, *, source: str | None = None, error: str | None = None, since: date | None = None) -> list[str]:
        """The keys of the open messages, day by day; of one source, of one error, from a day on."""
        keys = map(DeadLetterKey.parse, self._keys(OPEN, f"{OPEN}{since:%Y/%m/%d}" if since else OPEN))
        return [each.text for each in keys if source in (None, each.source) and error in (None, each.error)]

    def keys_of(self, message_id: str) -> list[str]:
        """The keys of the message with that id, open before redriven, the latest failure first."""
        keys = [key for prefix in (OPEN, REDRIVEN) for key in self._keys(prefix)]
        found = [key for key in keys if DeadLetterKey.parse(key).message_id == message_id]
        return sorted(found, key=lambda key: (not key.startswith(OPEN), -DeadLetterKey.parse(key).failure_number))

    def mark_redriven(self, key: str, message: DeadLetterMessage, at: datetime) -> None:
        """Move an open message to those that were redriven. Killed in between, it is open still."""
        self._put(redriven(key), message.model_copy(update={"redriven_at": at}))
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def _put(self, key: str, message: DeadLetterMessage) -> None:
        self._client.put_object(
            Bucket=self._bucket,
            Key=key,
            Body=message.model_dump_json(exclude_none=True).encode(),
            ContentType="application/json",
        )

    def _keys(self, prefix: str, after: str = "") -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=after
        )
        for page in pages:
            yield from (each["Key"] for each in page.get("Contents", []))
