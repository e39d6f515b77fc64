"""Every Lambda function of the pipeline, as data: what triggers it, what it is granted, how large it is.

Adding a handler is one entry in `FUNCTIONS`, in whatever order. A projection that counts needs none.
"""

from collections.abc import Sequence

from events import streams
from events.integration import ShipmentStatusReported, StockDelivered
from events.inventory import StockLow, StockReceived
from events.model import Model
from events.ordering import OrderCancelled, OrderConfirmed
from events.shipping import ShipmentDispatched
from handlers.notification.claims import FUNCTION_TIMEOUT
from handlers.projections.counting_projections import COUNTING_PROJECTIONS
from handlers.projections.engine.counting import FUNCTION, Counting
from handlers.projections.engine.projection import Definition
from handlers.projections.order_view import ORDER_VIEW
from handlers.projections.stock_view import STOCK_VIEW
from handlers.table import keys
from infra.function_spec import (
    BATCH_GET,
    BATCH_WRITE,
    CHECK,
    DELETE,
    GET,
    PUT,
    QUERY,
    SCAN,
    UPDATE,
    Bus,
    DeadLetterQueues,
    DeleteDeadLetters,
    DroppedFiles,
    ErasureLedger,
    FunctionSpec,
    Grant,
    HashRejections,
    PublishEvents,
    ReplayArchive,
    Rows,
    Schedule,
    SendEmail,
    Subscription,
    TableChanges,
    Tasks,
    VaultItems,
)

LOG = tuple(f"{kind}#*" for kind in streams.CONTEXTS)
"""The keys of every stream."""

PROJECTED = tuple(
    f"{kind}#*"
    for kind in ("order", "rejection", "cancellation", "reservation", "payment", "shipment", "delivery", "erasure")
)
"""The keys of the streams that projections keep something of."""

VIEWS_AND_MARKERS = (f"{keys.VIEW}*", f"{keys.APPLIED}*")
"""The keys of everything that projections keep."""

UNHURRIED = 5
"""For how many seconds messages are gathered where nobody waits for what becomes of them: fewer calls cost less."""


def subscriber(
    key: str, *events: type[Model], bus: Bus, grants: tuple[Grant, ...], all_but: bool = False
) -> FunctionSpec:
    """A function that events of `bus` trigger. For what it does about domain events nobody waits."""
    window = UNHURRIED if bus == "orders" else 0
    return FunctionSpec(key, grants, Subscription(bus, events, all_but, batching_window=window))


def projections(key: str, definitions: Sequence[Definition], *grants: Rows) -> FunctionSpec:
    """A function that keeps the views of projections, by replayed events too. Of several, each may fail by itself.

    Events are gathered: those of one order become one write, and what several add to one counter does, too.
    """
    trigger = Subscription(
        "orders",
        tuple(dict.fromkeys(event for each in definitions for event in each.events)),
        replays=True,
        batch_size=500,
        batching_window=UNHURRIED,
        postpones=len(definitions) > 1,
    )
    generations = Rows((GET,), tuple(keys.generations(each.name).pk for each in definitions))
    # Of several, one after the other, each has the time that it may wait for others.
    return FunctionSpec(key, (generations, *grants), trigger, timeout=30)


def counting(definitions: Sequence[Counting]) -> FunctionSpec:
    """The function that keeps these projections, which count. What each is granted follows from its definition."""
    return projections(
        FUNCTION,
        definitions,
        Rows((UPDATE,), tuple(f"{each.views.prefix}*" for each in definitions)),
        Rows((UPDATE,), tuple(f"{keys.applied(each.name)}*" for each in definitions)),
        Rows((QUERY,), tuple(sorted({f"{kind}#*" for each in definitions for kind in each.reads}))),
    )


def saga_service(key: str, *grants: Rows | VaultItems) -> FunctionSpec:
    """A function whose commands the sagas call."""
    return FunctionSpec(key, grants, Tasks(), local_concurrency=16)


FUNCTIONS: tuple[FunctionSpec, ...] = (
    subscriber(
        "order_intake",
        StockDelivered,
        ShipmentStatusReported,
        bus="intake",
        all_but=True,  # an unknown type is not dropped by a pattern: the function dead-letters it with the reason
        grants=(
            Rows((PUT,), ("order#*", "rejection#*", "cancellation#*", "unknown-order#*")),
            Rows((QUERY,), ("order#*",)),
            VaultItems((GET,), keys.PERSONS, attributes=("content_key",)),
            VaultItems((PUT, UPDATE), keys.PERSONS),
            VaultItems((PUT, DELETE), keys.PAYMENT_TOKENS),
            HashRejections(),
        ),
    ),
    subscriber(
        "delivery_intake",
        StockDelivered,
        bus="intake",
        grants=(Rows((PUT,), ("delivery#*",)), Rows((UPDATE,), (f"{keys.LEVEL}*",))),
    ),
    subscriber(
        "shipment_intake",
        ShipmentStatusReported,
        bus="intake",
        grants=(Rows((QUERY,), ("order#*", "shipment#*")), Rows((PUT,), ("shipment#*",))),
    ),
    FunctionSpec(
        "file_import",
        (Rows((BATCH_GET, BATCH_WRITE), (f"{keys.IMPORT}*",)),),
        DroppedFiles(orders_to="order_intake"),
        timeout=60,
        memory=1769,  # a whole processor: reading is all work and no waiting, so it costs no more and ends sooner
    ),
    FunctionSpec(
        "outbox",
        (PublishEvents(),),
        TableChanges(
            ("INSERT",),
            tuple(f"{kind}#" for kind in streams.PUBLISHED),
            sk_prefix=keys.EVENT,
        ),
        timeout=30,
    ),
    FunctionSpec(
        "stock_watch",
        (Rows((QUERY, PUT), ("stock#*",)),),
        TableChanges(("INSERT", "MODIFY"), (keys.LEVEL,), batching_window=UNHURRIED),
    ),
    subscriber(
        "replenishment",
        StockLow,
        StockReceived,
        bus="orders",
        grants=(Rows((QUERY, PUT), ("purchase#*",)), Rows((QUERY,), ("delivery#*",))),
    ),
    saga_service(
        "ordering_service",
        Rows((QUERY, PUT), ("order#*", "cancellation#*")),
        Rows((CHECK,), ("payment#*",)),
    ),
    saga_service(
        "inventory_service",
        Rows((QUERY,), ("order#*", "reservation#*")),
        Rows((PUT,), ("reservation#*",)),
        Rows((UPDATE,), (f"{keys.LEVEL}*",)),
    ),
    saga_service(
        "payments_service",
        Rows((QUERY,), ("order#*", "payment#*")),
        Rows((PUT,), ("payment#*",)),
        Rows((UPDATE,), (f"{keys.books('payments')}*",)),
        VaultItems((GET, DELETE), keys.PAYMENT_TOKENS),
    ),
    saga_service(
        "shipping_service",
        Rows((QUERY,), ("order#*", "shipment#*")),
        Rows((PUT,), ("shipment#*", "order#*")),  # recalling one starts to cancel the order, in one transaction
        Rows((UPDATE,), (f"{keys.books('shipping')}*",)),
        VaultItems((GET,), keys.PERSONS),
    ),
    subscriber(
        "shipped_stock",
        ShipmentDispatched,
        bus="orders",
        grants=(Rows((QUERY, PUT), ("reservation#*",)),),
    ),
    projections(
        "order_view",
        [ORDER_VIEW],
        Rows((UPDATE,), (f"{keys.ORDER_VIEWS}*",)),
        Rows((QUERY,), ("order#*", "cancellation#*", "reservation#*", "payment#*", "shipment#*")),
    ),
    counting(COUNTING_PROJECTIONS),
    FunctionSpec(
        "rebuild",
        (
            Rows((GET, PUT), (f"{keys.GENERATIONS}*",)),
            Rows((SCAN,), ("*",)),
            Rows((QUERY,), LOG),
            Rows((BATCH_GET,), (*PROJECTED, *VIEWS_AND_MARKERS)),
            Rows((UPDATE,), VIEWS_AND_MARKERS),
            Rows((BATCH_WRITE,), VIEWS_AND_MARKERS),
            ReplayArchive(),
        ),
        Tasks(),
        timeout=300,
        memory=1769,  # a whole processor, as for files
        local_concurrency=3,
    ),
    FunctionSpec(
        "erasure",
        (
            Rows((QUERY,), ("order#*", "cancellation#*")),
            Rows((PUT,), ("erasure#*",)),
            VaultItems((QUERY,), keys.PERSONS, attributes=()),
            VaultItems((QUERY,), keys.PAYMENT_TOKENS, attributes=()),
            VaultItems((DELETE,), keys.PERSONS),
            VaultItems((DELETE,), keys.PAYMENT_TOKENS),
            DeleteDeadLetters(),
            ErasureLedger(),
        ),
        Tasks(),
        timeout=300,
        memory=1769,  # a whole processor, as for files
    ),
    FunctionSpec(
        "sweep",
        (
            Rows((GET,), (keys.generations(ORDER_VIEW.name).pk,)),
            Rows((GET, PUT), (keys.SWEEP.pk,)),
            Rows((QUERY,), (keys.status_shard("*", "*", "*", "*"),), index=keys.ORDERS_BY_STATUS.name),
            Rows((QUERY,), (keys.status_shard("*", "*", "*", "*"),), index=keys.REQUESTS_BY_STATUS.name),
            Rows((QUERY,), ("order#*", "cancellation#*")),
        ),
        Schedule(every_minutes=1),
        timeout=55,  # one run at a time
    ),
    FunctionSpec(
        "order_emails",
        (
            SendEmail(),
            Rows((QUERY,), ("order#*", "notification#*", "customer#*")),
            Rows((PUT,), ("notification#*", "customer#*")),
            VaultItems((GET,), keys.PERSONS),
        ),
        # It sends four at a time, which comes to about SES's rate, 14 a second. A batch is small, so that there is time
        # to wait where the rate is exceeded.
        Subscription(
            "orders",
            (OrderConfirmed, OrderCancelled),
            batch_size=4,
            batching_window=UNHURRIED,
            max_concurrency=4,
            postpones=True,
        ),
        timeout=FUNCTION_TIMEOUT,
    ),
    FunctionSpec(
        "dead_letters",
        (Rows((PUT,), ("dead-letter#*",)),),
        DeadLetterQueues(),
        timeout=30,
    ),
    FunctionSpec(
        "api_query",
        (
            Rows((GET,), (f"{keys.ORDER_VIEWS}*", f"{keys.views('stock')}*", f"{keys.LEVEL}*")),
            Rows((GET,), tuple(keys.generations(each.name).pk for each in (ORDER_VIEW, STOCK_VIEW))),
            Rows((BATCH_GET,), (f"{keys.ORDER_VIEWS}*",)),
            VaultItems((GET,), keys.PERSONS),
            Rows((QUERY,), (keys.customer_partition("*", "*"),), index=keys.ORDERS_BY_CUSTOMER.name),
            Rows((QUERY,), (keys.status_shard("*", "*", "*", "*"),), index=keys.ORDERS_BY_STATUS.name),
            Rows(
                (QUERY,),
                (
                    "order#*",
                    "reservation#*",
                    "payment#*",
                    "shipment#*",
                    "cancellation#*",
                    "erasure#*",
                    "notification#*",
                    "rejection#*",
                    "unknown-order#*",
                ),
            ),
        ),
        package="api",
        local_concurrency=8,
    ),
)

AUTHORIZER = FunctionSpec("api_authorizer", package="api", local_concurrency=8)
"""Checks the tokens of callers of the API. Not in the list: the gateway's own authorizer may do that instead."""
