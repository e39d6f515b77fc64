"""The bucket of dead-letter messages: storing one, finding those that are open, marking what was redriven."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from handlers.dead_letters.message import OPEN, REDRIVEN, DeadLetterKey, DeadLetterMessage, redriven

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READ_AT_ONCE = 8
_NOT_THERE = {"NoSuchKey", "NoSuchVersion"}


class Version(NamedTuple):
    """One version of a stored message. Where the bucket keeps none, the message itself, as ``null``."""

    key: str
    version_id: str


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
        content = self._content(Key=key)
        return None if content is None else DeadLetterMessage.model_validate_json(content)

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

    def versions(self, after: Version | None = None) -> Iterator[list[Version]]:
        """Every version of every message, open and redriven, page by page; those after one."""
        request: dict[str, Any] = {"Bucket": self._bucket}
        if after:
            request |= {"KeyMarker": after.key, "VersionIdMarker": after.version_id}
        while True:
            page = self._client.list_object_versions(**request)
            yield [Version(each["Key"], each["VersionId"]) for each in page.get("Versions", [])]
            if not page["IsTruncated"]:
                return
            request |= {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def contents(self, versions: Sequence[Version]) -> Iterator[tuple[Version, bytes]]:
        """What these versions hold, in order, readable or not; those that are gone are left out."""
        for version in versions:
            content = self._content(Key=version.key, VersionId=version.version_id)
            if content is not None:
                yield version, content

    def delete_version(self, version: Version) -> None:
        """Delete a version for good. Doing so again changes nothing."""
        self._client.delete_object(Bucket=self._bucket, Key=version.key, VersionId=version.version_id)

    def _content(self, **which: Any) -> bytes | None:
        try:
            answer = self._client.get_object(Bucket=self._bucket, **which)
        except ClientError as failure:
            if failure.response["Error"]["Code"] in _NOT_THERE:
                return None
            raise
        return answer["Body"].read()

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
