"""The ledger of erasures: what was erased, in a bucket that outlives backups.

A table that is restored from a backup has everybody back who was erased since: the ledger says whom to erase again. It
has an object for each entry, under a key that follows from it, so that writing it again changes nothing; and ids alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from pydantic import AwareDatetime

from events import streams
from events.envelope import Actor
from events.model import Model
from events.privacy import CustomerErased
from events.shops import own_id, shop_of
from handlers.retry_policy import classified

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PAGE = 100
"""How many entries are read at a time."""


class Entry(Model):
    """What was erased, when that was decided, and by whom."""

    erased: CustomerErased
    decided_at: AwareDatetime
    actor: Actor

    @property
    def stream(self) -> str:
        """The stream of the event that records it, whose one event it is."""
        order_id, customer_id = self.erased.order_id, self.erased.customer_id
        return streams.erasure(order_id) if order_id else streams.customer_erasure(customer_id or "")

    @property
    def about(self) -> str:
        """The id of the order, or of the customer."""
        return self.erased.order_id or self.erased.customer_id or ""

    @property
    def key(self) -> str:
        """The key of its object."""
        kind = "orders" if self.erased.order_id else "customers"
        return f"{kind}/{shop_of(self.about)}/{own_id(self.about)}.json"


class Ledger:
    """Writes entries, and reads them all.

    Args:
        client: an S3 client.
        bucket: the bucket's name.
    """

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def write(self, entry: Entry) -> None:
        """Write an entry, unless there is one of the same order or customer. Raises Retryable: try again."""
        try:
            with classified():
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=entry.key,
                    Body=entry.model_dump_json(exclude_none=True).encode(),
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "PreconditionFailed":
                raise

    def read(self, after: str | None) -> Iterator[tuple[str, Entry]]:
        """The next `PAGE` entries after the one with a key, with their keys. Raises Retryable: try again."""
        with classified():
            found = self._client.list_objects_v2(Bucket=self._bucket, StartAfter=after or "", MaxKeys=PAGE)
            for each in found.get("Contents", []):
                body = self._client.get_object(Bucket=self._bucket, Key=each["Key"])["Body"]
                yield each["Key"], Entry.model_validate_json(body.read())
