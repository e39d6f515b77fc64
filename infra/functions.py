"""Every Lambda function of the pipeline, as data: what starts it, what it may touch, how large it is.

Adding a handler or a projection is one entry in `FUNCTIONS`. Nothing here imports CDK or builds packages, so that
the command line, tests and benchmarks can read the list too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from events import streams
from infra.names import in_template

if TYPE_CHECKING:
    from infra.package import Package

Bus = Literal["intake", "orders"]

API_STAGE = "v1"

GET = "dynamodb:GetItem"
PUT = "dynamodb:PutItem"
QUERY = "dynamodb:Query"
UPDATE = "dynamodb:UpdateItem"
CHECK = "dynamodb:ConditionCheckItem"
BATCH_GET = "dynamodb:BatchGetItem"
BATCH_WRITE = "dynamodb:BatchWriteItem"
SCAN = "dynamodb:Scan"


LOG = tuple(f"{kind}#*" for kind in streams.CONTEXTS)
"""The keys of every stream."""


@dataclass(frozen=True)
class Rows:
    """A grant on the table: `actions` on the items whose partition key matches one of `keys` (IAM wildcards).

    With `index`, on that index and its partition keys instead.
    """

    actions: tuple[str, ...]
    keys: tuple[str, ...]
    index: str | None = None


@dataclass(frozen=True)
class Subscription:
    """Which events of a bus reach the function, through a queue of its own.

    `detail_types` are the events wanted; with `all_but` they are the ones not wanted. `replays`: replayed events too,
    which is right for projections and the audit alone. A call takes up to `batch_size` events, gathered for at most
    `batching_window` seconds.
    """

    bus: Bus
    detail_types: tuple[str, ...]
    all_but: bool = False
    replays: bool = False
    batch_size: int = 10
    batching_window: int = 0
    max_concurrency: int = 10


@dataclass(frozen=True)
class TableFeed:
    """Which changes of the table reach the function: those of items under these key prefixes, by stream event name."""

    event_names: tuple[str, ...]
    pk_prefixes: tuple[str, ...]
    sk_prefix: str | None = None
    batch_size: int = 100


@dataclass(frozen=True)
class FileDrop:
    """Files dropped into the bucket reach the function, one a call, through a queue of its own.

    It reads a file in stretches, between which it sends itself a message, and puts the orders in it on the queue of the
    function with the key `orders_to`.
    """

    orders_to: str
    max_concurrency: int = 2


@dataclass(frozen=True)
class DeadLetterFeed:
    """The messages of every dead-letter queue there is reach the function, up to `batch_size` of one queue a call.

    It stores them in the bucket of letters. A message that fails comes again as long as its queue keeps it.
    """

    batch_size: int = 10
    max_concurrency: int = 2


@dataclass(frozen=True)
class Function:
    """One Lambda function of the package that its code is in.

    `timeout` is in seconds, `memory` in MB. `local_concurrency` is its reserved concurrency on one machine, where each
    concurrent call is a process. `saga_placeholder`: the name that stands for its ARN in the sagas' definitions.
    `publishes`: it puts events on the orders bus. `sends_email`: it sends from the pipeline's address. `rebuilds`: it
    does the steps of the state machine that rebuilds projections.
    """

    key: str
    handler: str
    rows: tuple[Rows, ...] = ()
    trigger: Subscription | TableFeed | FileDrop | DeadLetterFeed | None = None
    saga_placeholder: str | None = None
    publishes: bool = False
    sends_email: bool = False
    rebuilds: bool = False
    timeout: int = 10
    memory: int = 512
    local_concurrency: int = 2
    package: Package = "functions"

    @property
    def name(self) -> str:
        """CamelCase of the key: the prefix of the function's ids in the template."""
        return in_template(self.key)

    @property
    def queued(self) -> bool:
        """Whether a queue of its own feeds it."""
        return isinstance(self.trigger, Subscription | FileDrop)

    @property
    def dead_letters(self) -> bool:
        """Whether it has a dead-letter queue, and sends there what it cannot handle, or can never publish."""
        return self.queued or self.publishes


def subscriber(
    key: str,
    handler: str,
    *,
    bus: Bus,
    detail_types: Sequence[str],
    rows: tuple[Rows, ...],
    all_but: bool = False,
    sends_email: bool = False,
) -> Function:
    """A function behind a queue that a rule on `bus` feeds."""
    trigger = Subscription(bus, tuple(detail_types), all_but)
    return Function(key, handler, rows, trigger, sends_email=sends_email)


def projection(key: str, *, detail_types: Sequence[str], rows: tuple[Rows, ...]) -> Function:
    """A function that keeps views of domain events, replayed ones too: `handlers/projections/<key>.py`.

    It gathers events for a second: those of one order become one write, and views are behind the log anyway.
    """
    trigger = Subscription("orders", tuple(detail_types), replays=True, batch_size=100, batching_window=1)
    generations = Rows((GET,), (f"projection#{key}",))
    return Function(key, f"handlers.projections.{key}.handler", (generations, *rows), trigger)


def counting(key: str, view: str, *, detail_types: Sequence[str], reads: tuple[str, ...] = ()) -> Function:
    """A projection that counts, in views `view`. `reads`: the streams of which an event alone does not say enough."""
    counters = Rows((UPDATE,), (f"view#{view}#*",))
    markers = Rows((PUT,), (f"applied#{key}#*",))
    history = (Rows((QUERY,), reads),) if reads else ()
    return projection(key, detail_types=detail_types, rows=(counters, markers, *history))


def saga_service(key: str, handler: str, placeholder: str, *rows: Rows) -> Function:
    """A function whose commands the sagas call."""
    return Function(key, handler, rows, saga_placeholder=placeholder, local_concurrency=8)


FUNCTIONS: tuple[Function, ...] = (
    subscriber(
        "order_intake",
        "handlers.ordering.intake.handler",
        bus="intake",
        detail_types=["StockDelivered", "ShipmentStatusReported"],
        all_but=True,  # an unknown type is not dropped by a pattern: the function dead-letters it with the reason
        rows=(Rows((PUT,), ("order#*", "rejection#*", "cancellation#*")), Rows((QUERY,), ("order#*",))),
    ),
    subscriber(
        "delivery_intake",
        "handlers.inventory.intake.handler",
        bus="intake",
        detail_types=["StockDelivered"],
        rows=(Rows((PUT,), ("delivery#*",)), Rows((UPDATE,), ("level#*",))),
    ),
    subscriber(
        "shipment_intake",
        "handlers.shipping.intake.handler",
        bus="intake",
        detail_types=["ShipmentStatusReported"],
        rows=(Rows((QUERY,), ("order#*", "shipment#*")), Rows((PUT,), ("shipment#*",))),
    ),
    Function(
        "file_import",
        "handlers.files.intake.handler",
        (Rows((BATCH_GET, BATCH_WRITE), ("import#*",)),),
        FileDrop(orders_to="order_intake"),
        timeout=60,
        memory=1769,  # a whole processor: reading is all work and no waiting, so it costs no more and ends sooner
    ),
    Function(
        "outbox",
        "handlers.outbox.handler",
        trigger=TableFeed(
            ("INSERT",),
            tuple(f"{kind}#" for kind in streams.PUBLISHED),
            sk_prefix="event#",
        ),
        publishes=True,
        timeout=30,
    ),
    Function(
        "stock_watch",
        "handlers.inventory.stock_watch.handler",
        (Rows((QUERY, PUT), ("stock#*",)),),
        TableFeed(("INSERT", "MODIFY"), ("level#",)),
    ),
    subscriber(
        "replenishment",
        "handlers.inventory.replenishment.handler",
        bus="orders",
        detail_types=["StockLow", "StockReceived"],
        rows=(Rows((QUERY, PUT), ("purchase#*",)), Rows((QUERY,), ("delivery#*",))),
    ),
    saga_service(
        "ordering_service",
        "handlers.ordering.service.handler",
        "OrderingServiceArn",
        Rows((QUERY, PUT), ("order#*", "cancellation#*")),
        Rows((CHECK,), ("payment#*",)),
    ),
    saga_service(
        "inventory_service",
        "handlers.inventory.service.handler",
        "InventoryServiceArn",
        Rows((QUERY,), ("order#*", "reservation#*")),
        Rows((PUT,), ("reservation#*",)),
        Rows((UPDATE,), ("level#*",)),
    ),
    saga_service(
        "payments_service",
        "handlers.payments.service.handler",
        "PaymentsServiceArn",
        Rows((QUERY,), ("order#*", "payment#*")),
        Rows((PUT,), ("payment#*",)),
        Rows((UPDATE,), ("sandbox#payments#*",)),
    ),
    saga_service(
        "shipping_service",
        "handlers.shipping.service.handler",
        "ShippingServiceArn",
        Rows((QUERY,), ("order#*", "shipment#*")),
        Rows((PUT,), ("shipment#*", "order#*")),  # recalling one starts to cancel the order, in one transaction
        Rows((UPDATE,), ("sandbox#shipping#*",)),
    ),
    subscriber(
        "shipped_stock",
        "handlers.inventory.shipped_stock.handler",
        bus="orders",
        detail_types=["ShipmentDispatched"],
        rows=(Rows((QUERY, PUT), ("reservation#*",)),),
    ),
    projection(
        "order_view",
        detail_types=[
            *("OrderPlaced", "OrderConfirmed", "OrderCancellationStarted", "OrderCancelled", "OrderRejected"),
            *("CancellationRequested", "OrderCancellationRefused"),
            *("StockReserved", "ReservationRefused", "StockReleased", "StockShipped"),
            *("PaymentAuthorized", "PaymentDeclined", "PaymentCaptured", "PaymentVoided", "PaymentRefunded"),
            *("ShipmentArranged", "ShipmentRejected", "ShipmentCancelled"),
            *("ShipmentDispatched", "ShipmentDelivered"),
        ],
        rows=(
            Rows((UPDATE,), ("view#order#*",)),
            Rows((QUERY,), ("order#*", "cancellation#*", "reservation#*", "payment#*", "shipment#*")),
        ),
    ),
    counting("daily_sales", "sales", detail_types=["OrderConfirmed", "OrderCancelled"], reads=("order#*",)),
    counting("stock_view", "stock", detail_types=["StockReceived", "StockReserved", "StockReleased", "StockShipped"]),
    counting(
        "customer_history",
        "customer",
        detail_types=["OrderPlaced", "OrderConfirmed", "OrderCancelled"],
        reads=("order#*",),
    ),
    Function(
        "rebuild",
        "handlers.projections.rebuild.handler",
        (
            Rows((GET, PUT), ("projection#*",)),
            Rows((SCAN,), ("*",)),
            Rows((QUERY,), LOG),
            Rows((BATCH_GET,), (*LOG, "view#*", "applied#*")),
            Rows((UPDATE,), ("view#*",)),
            Rows((PUT,), ("applied#*",)),
            Rows((BATCH_WRITE,), ("view#*", "applied#*")),
        ),
        rebuilds=True,
        timeout=300,
        memory=1769,  # a whole processor, as for files
        local_concurrency=3,
    ),
    subscriber(
        "order_notifications",
        "handlers.notification.order_emails.handler",
        bus="orders",
        detail_types=["OrderConfirmed", "OrderCancelled"],
        sends_email=True,
        rows=(Rows((QUERY,), ("notification#*", "order#*")), Rows((PUT,), ("notification#*",))),
    ),
    subscriber(
        "welcome_email",
        "handlers.notification.welcome_email.handler",
        bus="orders",
        detail_types=["OrderConfirmed"],
        sends_email=True,
        rows=(Rows((QUERY,), ("customer#*", "order#*")), Rows((PUT,), ("customer#*",))),
    ),
    Function(
        "dead_letters",
        "handlers.letters.keeping.handler",
        (Rows((PUT,), ("letter#*",)),),
        DeadLetterFeed(),
        timeout=30,
    ),
    Function(
        "api_query",
        "handlers.api.query.handler",
        (
            Rows((GET,), ("view#order#*", "view#stock#*", "level#*", "projection#order_view", "projection#stock_view")),
            Rows((QUERY,), ("*#customer#*",), index="GSI1"),
            Rows(
                (QUERY,),
                (
                    "order#*",
                    "reservation#*",
                    "payment#*",
                    "shipment#*",
                    "cancellation#*",
                    "notification#*",
                    "rejection#*",
                ),
            ),
        ),
        package="api",
        local_concurrency=8,
    ),
)

PROJECTIONS: Mapping[str, Subscription] = {
    function.key: function.trigger
    for function in FUNCTIONS
    if isinstance(function.trigger, Subscription) and function.handler.startswith("handlers.projections.")
}
"""The projections, by name, and the events that each is fed."""

AUTHORIZER = Function("api_authorizer", "handlers.api.authorizer.handler", package="api", local_concurrency=8)
"""Checks the tokens of callers of the API, where the gateway does not do so itself."""
