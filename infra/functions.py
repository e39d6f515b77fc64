"""Every Lambda function of the pipeline, as data: what starts it, what it may touch, how large it is.

Adding a handler or a projection is one entry in `FUNCTIONS`. Nothing here imports CDK or builds packages, so that tests
and benchmarks can read the list too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from events import streams
from events.integration import ShipmentStatusReported, StockDelivered
from events.inventory import StockLow, StockReceived
from events.model import Model
from events.ordering import OrderCancelled, OrderConfirmed
from events.shipping import ShipmentDispatched
from handlers.notification.claims import FUNCTION_TIMEOUT
from handlers.projections.customer_history import CUSTOMER_HISTORY
from handlers.projections.daily_sales import DAILY_SALES
from handlers.projections.engine.projection import Definition
from handlers.projections.order_view import ORDER_VIEW
from handlers.projections.stock_view import STOCK_VIEW
from handlers.table import keys
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

VIEWS_AND_MARKERS = (f"{keys.VIEW}*", f"{keys.APPLIED}*")
"""The keys of everything that projections keep."""


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

    `events` are the classes of the events wanted; with `all_but` they are the ones not wanted. `replays`:
    replayed events too, which is right for projections alone. A call takes up to `batch_size` events, gathered for
    at most `batching_window` seconds.
    """

    bus: Bus
    events: tuple[type[Model], ...]
    all_but: bool = False
    replays: bool = False
    batch_size: int = 10
    batching_window: int = 0
    max_concurrency: int = 10

    @property
    def detail_types(self) -> list[str]:
        """The events as EventBridge names them."""
        return [event.__name__ for event in self.events]


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
class DeadLetterQueues:
    """The messages of every dead-letter queue there is reach the function, up to `batch_size` of one queue a call.

    It stores them in the bucket of dead-letter messages. One that fails is delivered again as long as its queue keeps
    it.
    """

    batch_size: int = 10
    max_concurrency: int = 2


@dataclass(frozen=True)
class Function:
    """One Lambda function: `handlers/functions/<package>/<key>.py`.

    `timeout` is in seconds, `memory` in MB. `local_concurrency` is its reserved concurrency on one machine, where each
    concurrent call is a process. `saga_placeholder`: the name that stands for its ARN in the sagas' definitions.
    `publishes`: it puts events on the orders bus. `sends_email`: it sends from the pipeline's address. `rebuilds`: it
    does the steps of the state machine that rebuilds projections.
    """

    key: str
    rows: tuple[Rows, ...] = ()
    trigger: Subscription | TableFeed | FileDrop | DeadLetterQueues | None = None
    saga_placeholder: str | None = None
    publishes: bool = False
    sends_email: bool = False
    rebuilds: bool = False
    timeout: int = 10
    memory: int = 512
    local_concurrency: int = 2
    package: Package = "main"

    @property
    def handler(self) -> str:
        """What Lambda calls."""
        return f"handlers.functions.{self.package}.{self.key}.handler"

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
    *events: type[Model],
    bus: Bus,
    rows: tuple[Rows, ...],
    all_but: bool = False,
) -> Function:
    """A function behind a queue that a rule on `bus` feeds."""
    return Function(key, rows, Subscription(bus, events, all_but))


def notifier(key: str, *events: type[Model], stream: str) -> Function:
    """A function that sends e-mails about orders; it claims them in streams of the kind `stream`."""
    rows = (Rows((QUERY,), (f"{stream}#*", "order#*")), Rows((PUT,), (f"{stream}#*",)))
    return Function(key, rows, Subscription("orders", events), sends_email=True, timeout=FUNCTION_TIMEOUT)


def projection(definition: Definition, *, rows: tuple[Rows, ...]) -> Function:
    """A function that keeps the views of a projection, by replayed events too.

    It gathers events for a second: those of one order become one write, and views are behind the log anyway.
    """
    trigger = Subscription("orders", definition.events, replays=True, batch_size=100, batching_window=1)
    generations = Rows((GET,), (keys.generations(definition.name).pk,))
    return Function(definition.name, (generations, *rows), trigger)


def counting(definition: Definition, view: str, *, reads: tuple[str, ...] = ()) -> Function:
    """A projection that counts, in views `view`. `reads`: the streams of which an event alone does not say enough."""
    counters = Rows((UPDATE,), (f"{keys.views(view)}*",))
    markers = Rows((PUT,), (f"{keys.applied(definition.name)}*",))
    history = (Rows((QUERY,), reads),) if reads else ()
    return projection(definition, rows=(counters, markers, *history))


def saga_service(key: str, placeholder: str, *rows: Rows) -> Function:
    """A function whose commands the sagas call."""
    return Function(key, rows, saga_placeholder=placeholder, local_concurrency=8)


FUNCTIONS: tuple[Function, ...] = (
    subscriber(
        "order_intake",
        StockDelivered,
        ShipmentStatusReported,
        bus="intake",
        all_but=True,  # an unknown type is not dropped by a pattern: the function dead-letters it with the reason
        rows=(Rows((PUT,), ("order#*", "rejection#*", "cancellation#*")), Rows((QUERY,), ("order#*",))),
    ),
    subscriber(
        "delivery_intake",
        StockDelivered,
        bus="intake",
        rows=(Rows((PUT,), ("delivery#*",)), Rows((UPDATE,), (f"{keys.LEVEL}*",))),
    ),
    subscriber(
        "shipment_intake",
        ShipmentStatusReported,
        bus="intake",
        rows=(Rows((QUERY,), ("order#*", "shipment#*")), Rows((PUT,), ("shipment#*",))),
    ),
    Function(
        "file_import",
        (Rows((BATCH_GET, BATCH_WRITE), (f"{keys.IMPORT}*",)),),
        FileDrop(orders_to="order_intake"),
        timeout=60,
        memory=1769,  # a whole processor: reading is all work and no waiting, so it costs no more and ends sooner
    ),
    Function(
        "outbox",
        trigger=TableFeed(
            ("INSERT",),
            tuple(f"{kind}#" for kind in streams.PUBLISHED),
            sk_prefix=keys.EVENT,
        ),
        publishes=True,
        timeout=30,
    ),
    Function(
        "stock_watch",
        (Rows((QUERY, PUT), ("stock#*",)),),
        TableFeed(("INSERT", "MODIFY"), (keys.LEVEL,)),
    ),
    subscriber(
        "replenishment",
        StockLow,
        StockReceived,
        bus="orders",
        rows=(Rows((QUERY, PUT), ("purchase#*",)), Rows((QUERY,), ("delivery#*",))),
    ),
    saga_service(
        "ordering_service",
        "OrderingServiceArn",
        Rows((QUERY, PUT), ("order#*", "cancellation#*")),
        Rows((CHECK,), ("payment#*",)),
    ),
    saga_service(
        "inventory_service",
        "InventoryServiceArn",
        Rows((QUERY,), ("order#*", "reservation#*")),
        Rows((PUT,), ("reservation#*",)),
        Rows((UPDATE,), (f"{keys.LEVEL}*",)),
    ),
    saga_service(
        "payments_service",
        "PaymentsServiceArn",
        Rows((QUERY,), ("order#*", "payment#*")),
        Rows((PUT,), ("payment#*",)),
        Rows((UPDATE,), (f"{keys.books('payments')}*",)),
    ),
    saga_service(
        "shipping_service",
        "ShippingServiceArn",
        Rows((QUERY,), ("order#*", "shipment#*")),
        Rows((PUT,), ("shipment#*", "order#*")),  # recalling one starts to cancel the order, in one transaction
        Rows((UPDATE,), (f"{keys.books('shipping')}*",)),
    ),
    subscriber(
        "shipped_stock",
        ShipmentDispatched,
        bus="orders",
        rows=(Rows((QUERY, PUT), ("reservation#*",)),),
    ),
    projection(
        ORDER_VIEW,
        rows=(
            Rows((UPDATE,), (f"{keys.ORDER_VIEWS}*",)),
            Rows((QUERY,), ("order#*", "cancellation#*", "reservation#*", "payment#*", "shipment#*")),
        ),
    ),
    counting(DAILY_SALES, "sales", reads=("order#*",)),
    counting(STOCK_VIEW, "stock"),
    counting(CUSTOMER_HISTORY, "customer", reads=("order#*",)),
    Function(
        "rebuild",
        (
            Rows((GET, PUT), (f"{keys.GENERATIONS}*",)),
            Rows((SCAN,), ("*",)),
            Rows((QUERY,), LOG),
            Rows((BATCH_GET,), (*LOG, *VIEWS_AND_MARKERS)),
            Rows((UPDATE,), (f"{keys.VIEW}*",)),
            Rows((PUT,), (f"{keys.APPLIED}*",)),
            Rows((BATCH_WRITE,), VIEWS_AND_MARKERS),
        ),
        rebuilds=True,
        timeout=300,
        memory=1769,  # a whole processor, as for files
        local_concurrency=3,
    ),
    notifier("order_emails", OrderConfirmed, OrderCancelled, stream="notification"),
    notifier("welcome_email", OrderConfirmed, stream="customer"),
    Function(
        "dead_letters",
        (Rows((PUT,), ("dead-letter#*",)),),
        DeadLetterQueues(),
        timeout=30,
    ),
    Function(
        "api_query",
        (
            Rows((GET,), (f"{keys.ORDER_VIEWS}*", f"{keys.views('stock')}*", f"{keys.LEVEL}*")),
            Rows((GET,), tuple(keys.generations(each.name).pk for each in (ORDER_VIEW, STOCK_VIEW))),
            Rows((QUERY,), (keys.customer_partition("*", "*"),), index=keys.ORDERS_BY_CUSTOMER.name),
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

AUTHORIZER = Function("api_authorizer", package="api", local_concurrency=8)
"""Checks the tokens of callers of the API, where the gateway does not do so itself."""
