"""Payments: whatever gets lost on the way, the log, the gateway's books and the order's outcome agree on the money."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from events.ordering import OrderCancellationStarted, OrderPlaced
from events.payments import PaymentAuthorized, PaymentCaptured, PaymentDeclined, PaymentRefunded, PaymentVoided
from handlers.ordering import outcome
from handlers.ordering.order import Status, load
from handlers.ordering.refusals import AlreadyCaptured, OrderCancelling, OrderNotFound
from handlers.payments.payment_gateway import Charge, ChargeState
from handlers.payments.payment_steps import capture_payment
from handlers.payments.refusals import PaymentDeclined as Declined
from handlers.payments.refusals import PaymentGatewayUnreachable
from handlers.payments.sandbox_gateway import SandboxGateway
from handlers.retry_policy import Contended
from handlers.sandbox.books import Books
from handlers.table.event_store import EventStore
from tests.builders.orders import TOKEN, line
from tests.builders.races import cancelled_meanwhile, confirmed_meanwhile
from tests.builders.recorded_events import names
from tests.builders.stores import append, calls, events_of, items, place
from tests.builders.vault import authorize_payment, payment_tokens, refund_payment, vaulted
from tests.engines.saga_machine import order_saga

TOKENS = ["tok_approve", "tok_anything", "tok_timeout_once", "tok_lost_answer"]


class Unsteady:
    """The sandbox behind a line that breaks: these calls, counted from 1, have no answer.

    The value says whether the call reached the gateway, and only its answer got lost.
    """

    def __init__(self, store: EventStore, broken: dict[int, bool] | None = None) -> None:
        self._sandbox = SandboxGateway(Books(store.client, store.table, "payments"))
        self._broken = broken or {}
        self.asked: list[str] = []
        self.told: list[str] = []

    def call(self, name: str, call: Callable[[], Charge]) -> Charge:
        self.asked.append(name)
        reached = self._broken.get(len(self.asked))
        if reached is None:
            return call()
        if reached:
            call()
        raise PaymentGatewayUnreachable(name)

    def authorize(self, key: str, amount: int, currency: str, payment_token: str) -> Charge:
        self.told.append(payment_token)
        return self.call("authorize", lambda: self._sandbox.authorize(key, amount, currency, payment_token))

    def capture(self, key: str) -> Charge:
        return self.call("capture", lambda: self._sandbox.capture(key))

    def void(self, key: str) -> Charge:
        return self.call("void", lambda: self._sandbox.void(key))

    def refund(self, key: str) -> Charge:
        return self.call("refund", lambda: self._sandbox.refund(key))


def sums(store: EventStore, order_id: str = "demo.o1") -> dict[str, int]:
    """What the log says became of the money."""
    of: dict[type, str] = {
        PaymentAuthorized: "authorized",
        PaymentCaptured: "captured",
        PaymentVoided: "voided",
        PaymentRefunded: "refunded",
    }
    total = dict.fromkeys(of.values(), 0)
    for event in events_of(store, f"payment#{order_id}"):
        if isinstance(event, PaymentAuthorized | PaymentCaptured | PaymentVoided | PaymentRefunded):
            total[of[type(event)]] += event.amount
    return total


def book(store: EventStore, order_id: str = "demo.o1") -> dict[str, int]:
    """What the gateway says."""
    found = items(store, f"sandbox#payments#{order_id}")
    content = found[0] if found else {}
    names = ("authorized", "captured", "voided", "refunded")
    return {name: int(content.get(name, {"N": "0"})["N"]) for name in names}


def balances(store: EventStore, order_id: str = "demo.o1") -> None:
    """The money law, for an order that has its outcome."""
    order = load(store, order_id)
    assert order.status in {Status.CONFIRMED, Status.CANCELLED}
    money = sums(store, order_id)
    assert money == book(store, order_id)
    assert money["authorized"] == money["captured"] + money["voided"]
    kept = order.placed.total if order.status is Status.CONFIRMED else 0
    assert money["captured"] - money["refunded"] == kept


def until_answered(command: Callable[[], None], tries: int = 4) -> None:
    for _ in range(tries - 1):
        try:
            return command()
        except PaymentGatewayUnreachable:
            continue
    return command()


def run(store: EventStore, gateway: Unsteady, *, tries: int = 1, cancel_before: str | None = None) -> None:
    """The saga's payment steps: forward, and back where one is refused or has no answer for that many tries."""
    forward = {"authorize": authorize_payment, "capture": capture_payment}
    try:
        for name, step in forward.items():
            if name == cancel_before:
                outcome.start_cancellation(store, "demo.o1", "CancellationRequested")
            until_answered(lambda step=step: step(store, gateway, "demo.o1"), tries)  # type: ignore[misc]
        if cancel_before == "confirm":
            append(store, "order#demo.o1", OrderCancellationStarted(order_id="demo.o1", reason="CancellationRequested"))
        outcome.confirm_order(store, "demo.o1")
    except (Declined, PaymentGatewayUnreachable) as refusal:
        outcome.start_cancellation(store, "demo.o1", type(refusal).__name__)
    except OrderCancelling:
        pass
    else:
        return
    until_answered(lambda: refund_payment(store, gateway, "demo.o1"))
    outcome.cancel_order(store, "demo.o1")


@pytest.mark.parametrize("token", TOKENS)
def test_what_is_approved_in_the_end_is_captured(store: EventStore, token: str) -> None:
    place(store, "demo.o1", line(quantity=3, unit_price=100), payment_token=token)
    run(store, Unsteady(store), tries=3)
    assert names(events_of(store, "payment#demo.o1")) == ["PaymentAuthorized", "PaymentCaptured"]
    assert book(store) == {"authorized": 300, "captured": 300, "voided": 0, "refunded": 0}
    balances(store)


@pytest.mark.parametrize(
    ("token", "history"),
    [
        ("tok_decline", ["PaymentDeclined"]),
        ("tok_decline_capture", ["PaymentAuthorized", "PaymentDeclined", "PaymentVoided"]),
        ("tok_unreachable", ["PaymentVoided"]),
        ("tok_timeout_once", ["PaymentVoided"]),
        ("tok_lost_answer", ["PaymentAuthorized", "PaymentVoided"]),
    ],
)
def test_what_is_refused_at_the_first_try_is_undone(store: EventStore, token: str, history: list[str]) -> None:
    place(store, "demo.o1", payment_token=token)
    run(store, Unsteady(store))
    assert load(store, "demo.o1").status is Status.CANCELLED
    assert names(events_of(store, "payment#demo.o1")) == history
    balances(store)


@pytest.mark.parametrize("cancel_before", ["authorize", "capture", "confirm"])
@pytest.mark.parametrize("token", TOKENS)
def test_a_cancellation_at_any_step_gives_everything_back(store: EventStore, token: str, cancel_before: str) -> None:
    place(store, "demo.o1", payment_token=token)
    run(store, Unsteady(store), tries=3, cancel_before=cancel_before)
    assert load(store, "demo.o1").status is Status.CANCELLED
    balances(store)


BREAKS = [
    dict(zip(numbers, reached, strict=True))
    for count in (1, 2)
    for numbers in itertools.combinations(range(1, 6), count)
    for reached in itertools.product([True, False], repeat=count)
]


@pytest.mark.parametrize("broken", BREAKS, ids=str)
def test_the_money_balances_whatever_gets_lost(store: EventStore, broken: dict[int, bool]) -> None:
    """One or two calls without an answer, those that reached the gateway and those that did not; then all again."""
    place(store, "demo.o1", line(quantity=2, unit_price=50))
    run(store, Unsteady(store, broken))
    balances(store)
    before = items(store)
    if load(store, "demo.o1").status is Status.CONFIRMED:
        authorize_payment(store, Unsteady(store), "demo.o1")
        capture_payment(store, Unsteady(store), "demo.o1")
    else:
        refund_payment(store, Unsteady(store), "demo.o1")
    assert items(store) == before


@pytest.mark.parametrize(
    ("token", "broken", "history"),
    [
        ("tok_decline", 1, ["PaymentDeclined"]),
        ("tok_decline_capture", 1, ["PaymentAuthorized", "PaymentVoided"]),
        ("tok_decline_capture", 2, ["PaymentAuthorized", "PaymentDeclined", "PaymentVoided"]),
        ("tok_approve", 1, ["PaymentAuthorized", "PaymentVoided"]),
        ("tok_approve", 2, ["PaymentAuthorized", "PaymentCaptured", "PaymentRefunded"]),
    ],
)
def test_the_compensation_tells_what_a_lost_answer_said(
    store: EventStore, token: str, broken: int, history: list[str]
) -> None:
    place(store, "demo.o1", payment_token=token)
    run(store, Unsteady(store, {broken: True}))
    assert names(events_of(store, "payment#demo.o1")) == history
    balances(store)


@pytest.mark.parametrize("reached", [True, False])
@pytest.mark.parametrize("broken", [1, 2])
def test_the_money_balances_where_undoing_gets_lost(store: EventStore, broken: int, *, reached: bool) -> None:
    """A captured payment is refunded: void asks first, then refund; either has no answer once."""
    place(store)
    authorize_payment(store, Unsteady(store), "demo.o1")
    capture_payment(store, Unsteady(store), "demo.o1")
    append(store, "order#demo.o1", OrderCancellationStarted(order_id="demo.o1", reason="CancellationRequested"))
    gateway = Unsteady(store, {broken: reached})
    with pytest.raises(PaymentGatewayUnreachable):
        refund_payment(store, gateway, "demo.o1")
    until_answered(lambda: refund_payment(store, gateway, "demo.o1"))
    outcome.cancel_order(store, "demo.o1")
    assert names(events_of(store, "payment#demo.o1")) == ["PaymentAuthorized", "PaymentCaptured", "PaymentRefunded"]
    balances(store)


@pytest.mark.parametrize("token", [*TOKENS, "tok_decline", "tok_decline_capture", "tok_unreachable"])
def test_a_late_authorization_finds_the_payment_closed(store: EventStore, token: str) -> None:
    place(store, "demo.o1", payment_token=token)
    refund_payment(store, Unsteady(store), "demo.o1")
    before = events_of(store, "payment#demo.o1")
    for _ in range(2):
        with pytest.raises((OrderCancelling, PaymentGatewayUnreachable)):
            until_answered(lambda: authorize_payment(cancelled_meanwhile(store), Unsteady(store), "demo.o1"))
    assert events_of(store, "payment#demo.o1") == before
    assert sums(store) == book(store) == dict.fromkeys(("authorized", "captured", "voided", "refunded"), 0)


def test_a_late_authorization_nobody_answers_learns_from_the_log_that_the_payment_is_closed(store: EventStore) -> None:
    place(store, "demo.o1", payment_token="tok_unreachable")
    refund_payment(store, Unsteady(store), "demo.o1")
    with pytest.raises(OrderCancelling):
        authorize_payment(cancelled_meanwhile(store), Unsteady(store), "demo.o1")


@pytest.mark.parametrize("close", ["void", "refund"])
def test_a_late_capture_finds_the_payment_closed(store: EventStore, close: str) -> None:
    place(store)
    authorize_payment(store, Unsteady(store), "demo.o1")
    if close == "refund":
        capture_payment(store, Unsteady(store), "demo.o1")
    refund_payment(store, Unsteady(store), "demo.o1")
    with pytest.raises(RuntimeError, match="nobody cancels"):
        capture_payment(store, Unsteady(store), "demo.o1")
    with pytest.raises(OrderCancelling):
        capture_payment(cancelled_meanwhile(store), Unsteady(store), "demo.o1")
    assert sums(store) == book(store)
    assert sums(store)["captured"] == sums(store)["refunded"]


@pytest.mark.parametrize("step", [authorize_payment, capture_payment])
def test_a_late_step_of_a_confirmed_order_has_nothing_to_do(store: EventStore, step: Callable[..., None]) -> None:
    """Not even where the charge is undone by then: the cancellation that did it is somebody else's."""
    place(store)
    for forward in (authorize_payment, capture_payment):
        forward(store, Unsteady(store), "demo.o1")
    refund_payment(store, Unsteady(store), "demo.o1")
    before = events_of(store, "payment#demo.o1")
    step(confirmed_meanwhile(store), Unsteady(store), "demo.o1")
    assert events_of(store, "payment#demo.o1") == before


def test_an_order_over_nothing_asks_nobody_and_tells_all(store: EventStore) -> None:
    place(store, "demo.o1", line(unit_price=0), payment_token="tok_decline")
    gateway = Unsteady(store)
    run(store, gateway)
    assert gateway.asked == []
    history = events_of(store, "payment#demo.o1")
    assert names(history) == ["PaymentAuthorized", "PaymentCaptured"]
    assert [event.amount for event in history if isinstance(event, PaymentAuthorized | PaymentCaptured)] == [0, 0]
    balances(store)


@pytest.mark.parametrize("cancel_before", ["authorize", "capture", "confirm"])
def test_an_order_over_nothing_is_undone_like_any_other(store: EventStore, cancel_before: str) -> None:
    place(store, "demo.o1", line(unit_price=0))
    gateway = Unsteady(store)
    run(store, gateway, cancel_before=cancel_before)
    refund_payment(store, gateway, "demo.o1")
    assert gateway.asked == []
    closing = "PaymentRefunded" if cancel_before == "confirm" else "PaymentVoided"
    assert names(events_of(store, "payment#demo.o1")).count(closing) == 1
    balances(store)


def test_a_step_that_is_repeated_answers_from_the_log(store: EventStore) -> None:
    """Also where the gateway does not answer, and the token is still there: an execution was killed before."""
    of = place(store)
    for step in (authorize_payment, capture_payment):
        for _ in range(3):
            step(store, Unsteady(store), "demo.o1")
    kept = vaulted(store)
    assert names(events_of(store, "payment#demo.o1")) == ["PaymentAuthorized", "PaymentCaptured"]
    broken = Unsteady(store, {1: False, 2: True})
    payment_tokens(store).put(of, TOKEN)
    authorize_payment(store, broken, "demo.o1")
    capture_payment(store, broken, "demo.o1")
    assert broken.asked == ["authorize", "capture"]
    assert vaulted(store) == kept


# The token


def token_of(store: EventStore, placed: OrderPlaced) -> str | None:
    return payment_tokens(store).read(placed)


@pytest.mark.parametrize("token", ["tok_approve", "tok_lost_answer", "tok_timeout_once", "tok_decline"])
def test_the_token_is_told_to_the_gateway_and_deleted_once_it_has_answered(store: EventStore, token: str) -> None:
    of = place(store, "demo.o1", payment_token=token)
    gateway = Unsteady(store)
    with contextlib.suppress(Declined):
        for _ in range(3):
            try:
                authorize_payment(store, gateway, "demo.o1")
            except PaymentGatewayUnreachable:
                assert token_of(store, of) == token, "there is no answer yet"
    assert set(gateway.told) == {token}
    assert token_of(store, of) is None


@pytest.mark.parametrize(
    ("token", "refusal"), [("tok_approve", None), ("tok_decline", Declined), ("tok_decline_capture", None)]
)
def test_a_repeated_authorization_without_a_token_answers_from_the_log_and_asks_nobody(
    store: EventStore, token: str, refusal: type[Exception] | None
) -> None:
    def authorize(gateway: Unsteady) -> None:
        with pytest.raises(refusal) if refusal else contextlib.nullcontext():
            authorize_payment(store, gateway, "demo.o1")

    place(store, "demo.o1", payment_token=token)
    authorize(Unsteady(store))
    if refusal is None:
        with contextlib.suppress(Declined):
            capture_payment(store, Unsteady(store), "demo.o1")
    before = items(store), vaulted(store)
    gateway = Unsteady(store)
    for _ in range(2):
        authorize(gateway)
    assert gateway.asked == []
    assert (items(store), vaulted(store)) == before


def test_a_late_authorization_without_a_token_of_a_payment_that_was_undone_asks_nobody(store: EventStore) -> None:
    """Where the gateway had not been asked, the log has nothing but the end."""
    place(store)
    refund_payment(store, Unsteady(store), "demo.o1")
    before = items(store)
    gateway = Unsteady(store)
    with pytest.raises(RuntimeError, match="nobody cancels"):
        authorize_payment(store, gateway, "demo.o1")
    assert items(store) == before
    with pytest.raises(OrderCancelling):
        authorize_payment(cancelled_meanwhile(store), gateway, "demo.o1")
    assert gateway.asked == []


def test_a_token_that_is_gone_while_the_log_has_no_answer_is_waited_for(store: EventStore) -> None:
    """Contended is an error that the state machine retries, by its name."""
    of = place(store)
    payment_tokens(store).delete(of)
    before = items(store)
    gateway = Unsteady(store)
    with pytest.raises(Contended, match=r"token of order demo\.o1 is gone, and the log has no answer"):
        authorize_payment(store, gateway, "demo.o1")
    assert gateway.asked == []
    assert items(store) == before
    first, *_ = (
        retrier
        for retrier in order_saga()["States"]["AuthorizePayment"]["Retry"]
        if Contended.__name__ in retrier["ErrorEquals"]
    )
    assert first["MaxAttempts"] > 100


def test_who_finds_the_token_gone_before_the_undoing_is_recorded_learns_of_it_at_the_next_try(
    store: EventStore,
) -> None:
    """Another execution has deleted it: the gateway told it that the payment is undone."""
    payment_tokens(store).delete(place(store))
    with pytest.raises(Contended):
        authorize_payment(cancelled_meanwhile(store), Unsteady(store), "demo.o1")
    with pytest.raises(OrderCancelling):
        authorize_payment(store, Unsteady(store), "demo.o1")


@pytest.mark.parametrize("steps", [0, 1, 2], ids=["placed", "authorized", "captured"])
@pytest.mark.parametrize("unit_price", [100, 0])
def test_undoing_a_payment_deletes_the_token(store: EventStore, steps: int, unit_price: int) -> None:
    of = place(store, "demo.o1", line(unit_price=unit_price))
    for step in (authorize_payment, capture_payment)[:steps]:
        step(store, Unsteady(store), "demo.o1")
    assert (token_of(store, of) is None) == (steps > 0)
    payment_tokens(store).put(of, TOKEN)
    refund_payment(store, Unsteady(store), "demo.o1")
    assert token_of(store, of) is None
    payment_tokens(store).put(of, TOKEN)
    refund_payment(store, Unsteady(store), "demo.o1")
    assert token_of(store, of) is None, "nor where the payment was undone before"


def test_a_compensation_without_an_answer_keeps_the_token(store: EventStore) -> None:
    """The gateway may yet say that it has authorized nothing, so nothing is forgotten before it is closed."""
    of = place(store)
    with pytest.raises(PaymentGatewayUnreachable):
        refund_payment(store, Unsteady(store, {1: False}), "demo.o1")
    assert token_of(store, of) == TOKEN


def test_of_two_tokens_of_an_order_the_one_it_was_placed_with_pays(store: EventStore) -> None:
    """A submission that came too late, or was killed, has put one too, beside."""
    of = place(store)
    other = of.model_copy(update={"content_hash": "of another submission"})
    payment_tokens(store).put(other, "tok_other")
    gateway = Unsteady(store)
    authorize_payment(store, gateway, "demo.o1")
    assert gateway.told == [TOKEN]
    assert (token_of(store, of), token_of(store, other)) == (None, "tok_other")


@pytest.mark.parametrize(("token", "kept"), [("tok_4711", "other"), ("tok_decline_capture", "tok_decline_capture")])
def test_the_sandbox_keeps_no_token_but_its_own_codes_and_no_event_has_one(
    store: EventStore, token: str, kept: str
) -> None:
    place(store, payment_token=token)
    authorize_payment(store, Unsteady(store), "demo.o1")
    [book] = items(store, "sandbox#payments#")
    assert book["payment_token"] == {"S": kept}
    assert "tok_4711" not in str(items(store))


def test_a_decline_is_final(store: EventStore) -> None:
    place(store, "demo.o1", payment_token="tok_decline")
    for _ in range(3):
        with pytest.raises(Declined, match="insufficient funds"):
            authorize_payment(store, Unsteady(store), "demo.o1")
    for _ in range(2):
        refund_payment(store, Unsteady(store), "demo.o1")
    assert events_of(store, "payment#demo.o1") == [PaymentDeclined(order_id="demo.o1", reason="insufficient funds")]


def test_a_confirmed_order_has_nothing_left_to_pay(store: EventStore) -> None:
    place(store)
    run(store, Unsteady(store))
    gateway = Unsteady(store)
    authorize_payment(store, gateway, "demo.o1")
    capture_payment(store, gateway, "demo.o1")
    assert gateway.asked == []


@pytest.mark.parametrize("step", [authorize_payment, capture_payment, refund_payment])
def test_an_order_nobody_knows_asks_nobody(store: EventStore, step: Any) -> None:
    gateway = Unsteady(store)
    with pytest.raises(OrderNotFound):
        step(store, gateway, "demo.o9")
    assert gateway.asked == []
    assert items(store) == []


@pytest.mark.parametrize("cancelled_at", ["authorize", "capture"])
def test_two_executions_one_of_which_undoes_what_the_other_does(store: EventStore, cancelled_at: str) -> None:
    """While one execution waits for the gateway, another cancels: neither leaves money behind."""
    place(store)

    class Meanwhile(Unsteady):
        def call(self, name: str, call: Callable[[], Charge]) -> Charge:
            charge = super().call(name, call)
            if name == cancelled_at:
                outcome.start_cancellation(store, "demo.o1", "CancellationRequested")
                refund_payment(store, Unsteady(store), "demo.o1")
            return charge

    run(store, Meanwhile(store))
    assert load(store, "demo.o1").status is Status.CANCELLED
    balances(store)


def test_after_a_capture_the_saga_goes_forward_only(store: EventStore) -> None:
    place(store)
    authorize_payment(store, Unsteady(store), "demo.o1")
    capture_payment(store, Unsteady(store), "demo.o1")
    with pytest.raises(AlreadyCaptured):
        outcome.start_cancellation(store, "demo.o1", "PaymentGatewayUnreachable")


def test_the_first_step_of_a_payment_costs_a_read_and_a_write_of_log_and_vault_besides_the_gateway(
    store: EventStore,
) -> None:
    place(store, "demo.o1", line(unit_price=0))
    with calls(store.client) as made:
        authorize_payment(store, Unsteady(store), "demo.o1")
    assert made == ["Query", "GetItem", "PutItem", "DeleteItem"]


# The sandbox, as a gateway


def test_a_key_is_charged_once_and_closed_for_good(store: EventStore) -> None:
    """Any three calls in any order."""
    gateway = SandboxGateway(Books(store.client, store.table, "payments"))
    does: dict[str, Callable[[str], Charge]] = {
        "authorize": lambda key: gateway.authorize(key, 100, "GBP", "tok_approve"),
        "capture": gateway.capture,
        "void": gateway.void,
        "refund": gateway.refund,
    }
    for steps in itertools.product(("authorize", "void"), does, does):
        key = "-".join(steps)
        closed: Charge | None = None
        for step in steps:
            charge = does[step](key)
            assert closed is None or charge == closed
            closed = charge if charge.state in {ChargeState.VOIDED, ChargeState.REFUNDED} else None
        money = book(store, key)
        assert max(money.values()) <= 100
        assert money["captured"] + money["voided"] <= money["authorized"]
        assert money["refunded"] <= money["captured"]


@pytest.mark.parametrize("call", ["capture", "refund"])
def test_nothing_is_captured_or_refunded_that_nobody_authorized(store: EventStore, call: str) -> None:
    gateway = SandboxGateway(Books(store.client, store.table, "payments"))
    with pytest.raises(LookupError):
        getattr(gateway, call)("demo.o1")
    assert items(store) == []
