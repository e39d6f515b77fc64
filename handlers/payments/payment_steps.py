"""Authorizing, capturing, voiding and refunding: the gateway is asked, and its answer recorded."""

from collections.abc import Callable, Sequence

from events import streams
from events.envelope import Recorded
from events.model import DomainEvent
from events.ordering import OrderPlaced
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined
from handlers.ordering.order import Order, Status, load, load_going_forward, refuse_if_cancelling
from handlers.payments import payment, refusals
from handlers.payments.payment_gateway import Charge, ChargeState, PaymentGateway
from handlers.retry_policy import Contended
from handlers.table.event_store import EventStore
from handlers.vault.payment_tokens import PaymentTokens


def authorize_payment(store: EventStore, tokens: PaymentTokens, gateway: PaymentGateway, order_id: str) -> None:
    """Hold the order's total on the customer's account. An order over 0 asks nobody.

    Raises:
        OrderNotFound: there is no such order.
        OrderCancelling: a cancellation came first.
        PaymentDeclined: the gateway refused.
        PaymentGatewayUnreachable: no answer came, and the log has none either.
        Retryable: try again.
    """
    order = load_going_forward(store, order_id)
    if order.status is Status.CONFIRMED:
        return
    placed = order.placed
    token = tokens.read(placed)
    in_log: DomainEvent | None
    if token is None:
        in_log = _answered_before(store, order_id)
    else:
        in_log = _record(
            store,
            order,
            payment.AUTHORIZATION,
            lambda: gateway.authorize(order_id, placed.total, placed.currency, token),
            payment.authorization,
        )
        tokens.delete(placed)
    _answer(store, order_id, in_log, PaymentAuthorized)


def _answered_before(store: EventStore, order_id: str) -> DomainEvent:
    """The first event of a payment whose token is gone: it is deleted once the log has the gateway's answer.

    Raises:
        Contended: the log has none yet.
    """
    known = store.read(streams.payment(order_id))
    if not known:
        raise Contended(f"the payment token of order {order_id} is gone, and the log has no answer to it")
    return known[0].event


def capture_payment(store: EventStore, gateway: PaymentGateway, order_id: str) -> None:
    """Take the authorized amount.

    Raises:
        OrderNotFound: there is no such order.
        OrderCancelling: a cancellation came first.
        PaymentDeclined: the gateway refused.
        PaymentGatewayUnreachable: no answer came, and the log has none either.
        Retryable: try again.
    """
    order = load_going_forward(store, order_id)
    if order.status is Status.CONFIRMED:
        return
    in_log = _record(store, order, payment.CAPTURE, lambda: gateway.capture(order_id), payment.capture)
    _answer(store, order_id, in_log, PaymentCaptured)


def _record(
    store: EventStore,
    order: Order,
    version: int,
    ask: Callable[[], Charge],
    decide: Callable[[OrderPlaced, Charge], DomainEvent],
) -> DomainEvent | None:
    """Ask the gateway and record its answer; returns the event that the log has for the step, or None where the charge
    is voided or refunded.

    Where the gateway does not answer, the event of another execution of the same step is the answer.
    """
    stream = streams.payment(order.placed.order_id)
    try:
        charge = payment.FREE if order.placed.total == 0 else ask()
    except refusals.PaymentGatewayUnreachable:
        known = store.read(stream, after=version - 1)
        if not known:
            raise
        return known[0].event
    if charge.state in {ChargeState.VOIDED, ChargeState.REFUNDED}:
        return None
    return store.append_if_absent(stream, version, decide(order.placed, charge), **order.correlation).record.event


def refund_payment(store: EventStore, tokens: PaymentTokens, gateway: PaymentGateway, order_id: str) -> None:
    """Undo the payment: void what is authorized, refund what is captured, close the key where nothing was.

    The gateway's answer says what had happened before, also where an earlier answer was lost; events that the log lacks
    are appended first. Doing it again changes nothing.

    Raises:
        OrderNotFound: there is no such order.
        PaymentGatewayUnreachable: no answer came.
        Retryable: try again.
    """
    order = load(store, order_id)
    charge: Charge | None = None

    def decide(history: Sequence[Recorded]) -> list[DomainEvent]:
        nonlocal charge
        known = payment.fold(history)
        if known.closed:
            return []
        if order.placed.total == 0:
            charge = payment.free_of_charge(known)
        elif charge is None:
            charge = _undo(gateway, order_id)
        return payment.undone(known, order.placed, charge)

    store.execute(streams.payment(order_id), decide, **order.correlation)
    tokens.delete(order.placed)


def _undo(gateway: PaymentGateway, order_id: str) -> Charge:
    charge = gateway.void(order_id)
    return gateway.refund(order_id) if charge.state is ChargeState.CAPTURED else charge


def _answer(store: EventStore, order_id: str, in_log: DomainEvent | None, wanted: type[DomainEvent]) -> None:
    """Answer a command by the event that the log has for it."""
    if isinstance(in_log, wanted):
        return
    if isinstance(in_log, PaymentDeclined):
        raise refusals.PaymentDeclined(f"order {order_id}: {in_log.reason}")
    refuse_if_cancelling(store, order_id, "the payment")
