"""Every key of the one table. A new kind of item gets its key here, and nowhere else.

A key is the partition key and the sort key of an item, as texts. What comes before the changing part of a key is a
prefix: scans select by it, table streams are filtered by it, and IAM grants are patterns made of it (``level#*``).

The partition of an event is its stream. What streams are called is in `events.streams`, which publishers have too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

from events.shops import own_id, shop_of
from handlers.table.codec import encode

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

EVENT = "event#"
"""What the sort key of every event begins with, and of no other item."""

LEVEL = "level#"
VIEW = "view#"
APPLIED = "applied#"
GENERATIONS = "projection#"
SANDBOX = "sandbox#"
IMPORT = "import#"
"""What the partition keys of each other kind of item begin with."""


class Key(NamedTuple):
    """The key of an item: its partition key and its sort key."""

    pk: str
    sk: str

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Key:
        """The key of an item, or of what a page of a scan ends with, as DynamoDB returns it."""
        return cls(item["PK"]["S"], item["SK"]["S"])

    @property
    def attributes(self) -> dict[str, AttributeValueTypeDef]:
        """The key as DynamoDB takes it."""
        return encode({"PK": self.pk, "SK": self.sk})


class Index(NamedTuple):
    """A global secondary index, the names of its key attributes, and of the attributes that it holds besides keys.

    Its partitions may be those of another index, which is named then.
    """

    name: str
    holds: tuple[str, ...] = ()
    partitions_of: str = ""

    @property
    def pk(self) -> str:
        """The attribute that is its partition key."""
        return f"{self.partitions_of or self.name}PK"

    @property
    def sk(self) -> str:
        """The attribute that is its sort key."""
        return f"{self.name}SK"


ORDERS_BY_CUSTOMER = Index("GSI1")
"""The orders of a shop's customer by time: :func:`customer_partition`, :func:`by_time`.

It holds keys alone, so nothing is written to it when an order changes; who lists a customer's orders reads their views.
"""

ORDERS_BY_STATUS = Index("GSI2", ("order_id", "status", "currency", "total", "placed_at"))
"""A shop's orders of a status by time: :func:`status_partition`, :func:`by_time`. It holds what lists show."""

REQUESTS_BY_STATUS = Index("GSI3", partitions_of=ORDERS_BY_STATUS.name)
"""A shop's orders of a status that somebody asked to cancel, by what became of that: :func:`status_partition`,
:func:`request`. It holds keys alone.

An order that nobody asked to cancel has no such sort key, and is not in it: so a list of those that wait for an answer
costs nothing where none does, however many are confirmed.
"""

INDEXES = (ORDERS_BY_CUSTOMER, ORDERS_BY_STATUS, REQUESTS_BY_STATUS)
ATTRIBUTES = frozenset({"PK", "SK", *(name for index in INDEXES for name in (index.pk, index.sk))})
"""The names of all key attributes."""

PERSONS = "*#*"
"""The partitions of persons, in the vault: ``<shop>#<customer>``, of a guest ``<shop>#order#<own id>``."""

PAYMENT_TOKENS = "*.*"
"""The partitions of payment tokens, in the vault: an order's id. Neither kind has the other's separator."""

SWEEP = Key("sweep", "control")
"""Where the sweep goes on."""

_STATUS_SHARDS = 8
_VERSIONS_OF_A_MARKER = 16


def person(order_id: str, customer_id: str | None) -> Key:
    """The person behind an order, in the vault: with the others of the same customer, or a guest alone."""
    partition = persons_of(customer_id) if customer_id else f"{shop_of(order_id)}#order#{own_id(order_id)}"
    return Key(partition, own_id(order_id))


def persons_of(customer_id: str) -> str:
    """The partition of the persons behind a customer's orders, in the vault."""
    return f"{shop_of(customer_id)}#{own_id(customer_id)}"


def payment_tokens(order_id: str) -> str:
    """The partition of an order's payment tokens, in the vault."""
    return order_id


def payment_token(order_id: str, content_hash: str) -> Key:
    """The payment token of an order's submission, in the vault."""
    return Key(payment_tokens(order_id), f"token#{content_hash}")


def event(stream: str, version: int) -> Key:
    """An event of a stream."""
    return Key(stream, f"{EVENT}{version:010d}")


def version_of(sort_key: str) -> int:
    """The version that the sort key of an event has; raises ValueError for any other sort key."""
    return int(sort_key.removeprefix(EVENT))


def level(sku: str) -> Key:
    """The stock level of a SKU."""
    return Key(f"{LEVEL}{sku}", "level")


def generations(projection: str) -> Key:
    """The control item of a projection: which generations it has."""
    return Key(f"{GENERATIONS}{projection}", "control")


def views(kind: str) -> str:
    """The prefix of the views of a kind, such as ``sales``."""
    return f"{VIEW}{kind}#"


ORDER_VIEWS = views("order")


def order_view(order_id: str, generation: str) -> Key:
    """The view of an order in a generation."""
    return Key(f"{ORDER_VIEWS}{order_id}", generation)


def counter(view: str, generation: str, detail: str = "") -> Key:
    """A counter of the view with that partition key; ``detail`` distinguishes it from others of the same view."""
    return Key(view, f"{generation}#{detail}" if detail else generation)


def generation_of(sort_key: str) -> str:
    """The generation that the sort key of a view names."""
    return sort_key.partition("#")[0]


def detail_of(sort_key: str) -> str:
    """Which counter of its view a sort key names."""
    return sort_key.partition("#")[2]


def applied(projection: str, generation: str = "") -> str:
    """The prefix of the markers of applied events, of a projection or of one generation of it."""
    return f"{APPLIED}{projection}#{generation}#" if generation else f"{APPLIED}{projection}#"


def applied_marker(projection: str, generation: str, stream: str, version: int) -> Key:
    """The marker of what a generation has applied of a stream: that version, and the others next to it.

    A stream has one marker for sixteen versions, so that one does not grow without end.
    """
    return Key(f"{applied(projection, generation)}{stream}", f"{version // _VERSIONS_OF_A_MARKER:09d}")


def marked_stream(marker: Key) -> str:
    """The stream that a marker is about."""
    return marker.pk.split("#", 3)[3]


def books(sandbox: str) -> str:
    """The prefix of the books of a sandbox, such as ``payments``."""
    return f"{SANDBOX}{sandbox}#"


def book(sandbox: str, idempotency_key: str) -> Key:
    """What a sandbox holds under an idempotency key."""
    return Key(f"{books(sandbox)}{idempotency_key}", "book")


def imported(import_id: str) -> str:
    """The prefix of the markers of an import."""
    return f"{IMPORT}{import_id}#"


def imported_order(import_id: str, order_id: str) -> Key:
    """The marker of an order that an import met."""
    return Key(f"{imported(import_id)}{order_id}", "import")


def customer_partition(generation: str, customer_id: str) -> str:
    """The partition of the orders of a shop's customer, in `ORDERS_BY_CUSTOMER`."""
    return f"{generation}#customer#{customer_id}"


def status_partition(generation: str, status: str, order_id: str) -> str:
    """The partition of an order, in `ORDERS_BY_STATUS`: one of several, so that none gets all the writes."""
    return status_shard(generation, shop_of(order_id), status, crc32(order_id.encode()) % _STATUS_SHARDS)


def status_partitions(generation: str, shop: str, status: str) -> list[str]:
    """All the partitions of a shop's orders of a status, in `ORDERS_BY_STATUS`."""
    return [status_shard(generation, shop, status, shard) for shard in range(_STATUS_SHARDS)]


def status_shard(generation: str, shop: str, status: str, shard: int | str) -> str:
    """One partition of a shop's orders of a status, in `ORDERS_BY_STATUS`."""
    return f"{generation}#shop#{shop}#status#{status}#{shard}"


def by_time(at: str, order_id: str) -> str:
    """The sort key of an order in both indexes; ``at`` is a time as ISO 8601."""
    return f"{at}#{order_id}"


def request(answer: str, at: str, order_id: str) -> str:
    """The sort key of an order that somebody asked to cancel: how far that is (``requested``), and since when."""
    return f"{answer}#{by_time(at, order_id)}"


def time_of(sort_key: str) -> str:
    """The time that a sort key made by :func:`by_time` begins with."""
    return sort_key.partition("#")[0]
