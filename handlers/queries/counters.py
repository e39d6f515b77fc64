"""What views have counted: a day's sales, a SKU's stock, a customer's orders."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from handlers.projections.counter_views import CUSTOMERS, SALES, STOCK, CounterViews, day_views
from handlers.projections.engine.known_generations import KnownGenerations
from handlers.table import keys
from handlers.table.codec import encode, numbers
from handlers.table.event_store import EventStore

if TYPE_CHECKING:
    from handlers.projections.engine.projection import Item

_AFTER_HASH = "$"
"""The character after ``#``: what is greater than ``a$`` does not begin with ``a#``."""


class Product(NamedTuple):
    """A product as it is sold: in a currency."""

    currency: str
    sku: str


Counts = Mapping[str, int]
"""What was counted, by name."""

Key = TypeVar("Key", bound=Hashable)


class CounterQueries:
    """Reads counters, each time of one generation: the one that is live.

    Args:
        store: the log; the views are items of the same table.
        generations: which generations there are.
    """

    def __init__(self, store: EventStore, generations: KnownGenerations) -> None:
        self._client = store.client
        self._table = store.table
        self._generations = generations

    def stock(self, sku: str) -> Counts:
        """How much of a SKU was ``received``, is ``reserved`` and was ``shipped``; what is zero is left out."""
        return self._only(STOCK, sku)

    def customer(self, customer_id: str) -> Counts:
        """How many orders a customer ``placed``, were ``confirmed`` and ``cancelled``, and ``spent_<currency>``."""
        return self._only(CUSTOMERS, customer_id)

    def sales(self, day: str) -> dict[str, Counts]:
        """The ``orders`` confirmed on a day, and their ``total``, by currency."""
        generation = self._generations.live(SALES.projection)
        pieces = (
            (currency, item)
            for view in day_views(day)
            for currency, item in self._currencies(f"{SALES.prefix}{view}", generation)
        )
        return _sums(pieces)

    def products(self, day: str) -> dict[Product, Counts]:
        """The ``quantity`` of each product sold on a day, and what it came to (``total``)."""
        generation = self._generations.live(SALES.projection)
        pieces = (
            (Product(*_detail(item).split("#")), item)
            for view in day_views(day)
            for item in self._all(f"{SALES.prefix}{view}", generation)
            if "#" in _detail(item)
        )
        return _sums(pieces)

    def _only(self, views: CounterViews, view: str) -> Counts:
        """What a view counts that is one item."""
        key = keys.counter(f"{views.prefix}{view}", self._generations.live(views.projection))
        return numbers(self._client.get_item(TableName=self._table, Key=key.attributes).get("Item", {}))

    def _currencies(self, partition: str, generation: str) -> Iterator[tuple[str, Item]]:
        """The items of currencies, by a query each: one for all would read those of their products too."""
        after = f"{generation}#"
        while items := self._page(partition, after, f"{generation}{_AFTER_HASH}", Limit=1)["Items"]:
            [item] = items
            currency, _, product = _detail(item).partition("#")
            if not product:
                yield currency, item
            after = keys.counter(partition, generation, currency).sk + _AFTER_HASH

    def _all(self, partition: str, generation: str) -> Iterator[Item]:
        """All counters of a view."""
        more: dict[str, Any] = {}
        while True:
            page = self._page(partition, f"{generation}#", f"{generation}{_AFTER_HASH}", **more)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            more = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _page(self, partition: str, first: str, last: str, **more: Any) -> Mapping[str, Any]:
        """A page of the items whose sort keys are in a range."""
        return self._client.query(
            TableName=self._table,
            KeyConditionExpression="PK = :partition AND SK BETWEEN :first AND :last",
            ExpressionAttributeValues=encode({":partition": partition, ":first": first, ":last": last}),
            **more,
        )


def _detail(item: Item) -> str:
    return keys.detail_of(keys.Key.of(item).sk)


def _sums(pieces: Iterable[tuple[Key, Item]]) -> dict[Key, Counts]:
    """The counters of several shards added up, without those that came to nothing."""
    sums: dict[Key, Counter[str]] = defaultdict(Counter)
    for key, item in pieces:
        sums[key].update(numbers(item))
    return {key: counts for key, counts in sums.items() if any(counts.values())}
