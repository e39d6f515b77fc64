"""The bucket of letters, for those who look through it: what is open, and marking what was redriven."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import TYPE_CHECKING

from handlers.dead_letters.message import OPEN, REDRIVEN, Letter, Place, redriven

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mypy_boto3_s3 import S3Client

_READ_AT_ONCE = 8


class StoredLetters:
    """The letters in a bucket.

    Args:
        client: an S3 client.
        bucket: the bucket's name.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def open(self, *, source: str | None = None, error: str | None = None, since: date | None = None) -> list[str]:
        """The keys of the open letters, day by day; of one source, of one error, from a day on."""
        places = map(Place.of, self._keys(OPEN, f"{OPEN}{since:%Y/%m/%d}" if since else OPEN))
        return [each.key for each in places if source in (None, each.source) and error in (None, each.error)]

    def of(self, letter_id: str) -> list[str]:
        """The keys of the letter with that id, open before redriven, the latest stay first."""
        keys = [key for prefix in (OPEN, REDRIVEN) for key in self._keys(prefix)]
        found = [key for key in keys if Place.of(key).letter_id == letter_id]
        return sorted(found, key=lambda key: (not key.startswith(OPEN), -Place.of(key).number))

    def read(self, key: str) -> Letter | None:
        """The letter with that key; None if it is gone."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except self._client.exceptions.NoSuchKey:
            return None
        return Letter.model_validate_json(answer["Body"].read())

    def read_all(self, keys: Iterable[str]) -> Iterator[tuple[str, Letter]]:
        """The letters with these keys, in order; those that are gone are left out."""
        keys = list(keys)
        with ThreadPoolExecutor(_READ_AT_ONCE) as readers:
            for key, letter in zip(keys, readers.map(self.read, keys), strict=True):
                if letter is not None:
                    yield key, letter

    def mark_redriven(self, key: str, letter: Letter, at: datetime) -> None:
        """Move an open letter to those that were redriven. Killed in between, it is open still."""
        marked = letter.model_copy(update={"redriven_at": at})
        self._client.put_object(
            Bucket=self._bucket,
            Key=redriven(key),
            Body=marked.model_dump_json(exclude_none=True).encode(),
            ContentType="application/json",
        )
        self._client.delete_object(Bucket=self._bucket, Key=key)

    def _keys(self, prefix: str, after: str = "") -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, StartAfter=after
        )
        for page in pages:
            yield from (each["Key"] for each in page.get("Contents", []))
