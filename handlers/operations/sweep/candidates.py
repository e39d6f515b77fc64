"""Which orders may stand still, as the indexes show them: page by page, from wherever the run before has ended.

An index may lag, or be wrong. Who finds an order here asks the log what it needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from handlers.ordering.order import Status
from handlers.retry_policy import classified
from handlers.table import keys
from handlers.table.codec import decode, encode
from handlers.table.keys import ORDERS_BY_STATUS, REQUESTS_BY_STATUS, Index, Key

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MOST_READ = 200
"""How many orders a run finds at most."""

MOST_ASKED = 480
"""How many pages a run asks for at most: those of twenty shops of which no order stands still."""

_OPEN = "requested"
"""What a view shows of a request to cancel an order that has no answer."""


class Place(NamedTuple):
    """A place in the lists: the partition of an index, and the sort key after which it is. Without them, the start."""

    partition: str = ""
    after: str = ""


class _List(NamedTuple):
    """What of a partition is wanted: from the first sort key to the last, by that index."""

    by: Index
    first: str
    last: str


class Candidates:
    """The orders of shops that are placed, or are being cancelled, or wait for the answer to a request to cancel them.

    They come list by list, the oldest of each first, and no more than a run may read. ``place`` is where the next run
    goes on: before the order that was given last, until another is asked for; the start, once all lists are through.

    Args:
        client: a DynamoDB client.
        table: the table of the order views.
        generation: the generation of the views to read.
        shops: theirs.
        before: orders placed later, and requests made later, are left out.
        place: where to begin. In no list, since views were rebuilt or a shop has left, it is the start.
    """

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        *,
        generation: str,
        shops: Iterable[str],
        before: datetime,
        place: Place,
    ) -> None:
        self._client = client
        self._table = table
        until = before.strftime("%Y-%m-%dT%H:%M:%S")
        wanted = {
            Status.PLACED: _List(ORDERS_BY_STATUS, "0", until),
            Status.CANCELLING: _List(ORDERS_BY_STATUS, "0", until),
            Status.CONFIRMED: _List(REQUESTS_BY_STATUS, keys.request(_OPEN, "", ""), keys.request(_OPEN, until, "")),
        }
        self._lists = {
            partition: part
            for shop in shops
            for status, part in wanted.items()
            for partition in keys.status_partitions(generation, shop, status)
        }
        self._following = dict(pairwise(self._lists))
        self.place = place if place.partition in self._lists else Place()

    def __iter__(self) -> Iterator[str]:
        """The orders' ids.

        Raises:
            Retryable: try again.
            ClientError: DynamoDB refuses.
        """
        left = MOST_READ
        for _ in range(MOST_ASKED):
            page, following = self._page(left)
            for order_id, after in page:
                yield order_id
                self.place = after
            self.place = following
            left -= len(page)
            if following == Place() or left == 0:
                return

    def _page(self, limit: int) -> tuple[list[tuple[str, Place]], Place]:
        """What follows in the list at hand, each with the place after it, and the place after all of it."""
        partition = self.place.partition or next(iter(self._lists))
        following = Place(self._following[partition]) if partition in self._following else Place()
        index, first, last = self._lists[partition]
        if self.place.after:
            first = _behind(self.place.after)
        if first > last:  # which DynamoDB refuses; orders may be overdue later than they were when it ended there
            return [], following
        with classified():
            answer = self._client.query(
                TableName=self._table,
                IndexName=index.name,
                KeyConditionExpression="#partition = :partition AND #at BETWEEN :first AND :last",
                ExpressionAttributeNames={"#partition": index.pk, "#at": index.sk},
                ExpressionAttributeValues=encode({":partition": partition, ":first": first, ":last": last}),
                Limit=limit,
            )
        page = [
            (Key.of(item).pk.removeprefix(keys.ORDER_VIEWS), Place(partition, str(decode(item)[index.sk])))
            for item in answer["Items"]
        ]
        if page and "LastEvaluatedKey" in answer:
            return page, page[-1][1]
        return page, following


def _behind(sort_key: str) -> str:
    """A text behind a sort key, and before every other that is behind it: ids have no character as small as this."""
    return f"{sort_key}!"
