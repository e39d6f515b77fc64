"""The audit finds nothing in a run that went well, and names what does not hold in one where something is broken."""

import inspect
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from events import streams
from events.envelope import event_id
from events.inventory import PurchaseOrderFulfilled, PurchaseOrderPlaced, StockReceived, StockShipped
from events.model import DomainEvent
from events.notification import WELCOME, CustomerNotified, EmailClaimed, EmailRefused
from events.ordering import CancellationRequested, Destination, OrderConfirmed
from events.privacy import CustomerErased
from events.shipping import ShipmentCancelled, ShipmentDispatched
from handlers.operations.audit import CHECKS, audit, inputs, views
from handlers.operations.audit.published_submission import Submission
from handlers.operations.audit.run import DeadLetter, Run, SentEmail
from handlers.projections.engine.projection import Count
from tests.builders.clean_run import (
    CLEAN,
    CONFIRMATION,
    DECLINED,
    DELIVERY,
    NAMELESS,
    PERSONS,
    SHELVED,
    STREAMS,
    TABLE,
    TAKEN,
    TEN_OF_A,
    VIEWS,
    WELCOMING,
    WELL,
    WRONG,
    erased,
    published,
    rejection,
    with_charge,
    with_counter,
    with_log,
    with_table,
    with_view,
    without,
)
from tests.builders.orders import CONTENT_KEY, order, placed
from tests.builders.recorded_events import record
from tests.builders.vault import KEY_OF_REJECTIONS

AGAIN = CONFIRMATION._replace(message_id="mail-3")


def notified(order_id: str, about: str, message_id: str, attempt: int = 1) -> CustomerNotified:
    return CustomerNotified(order_id=order_id, about=about, attempt=attempt, message_id=message_id)


def attempts(*, refused: bool = False) -> list[DomainEvent]:
    """Two attempts to send the confirmation, the first of which was refused, or taken over."""
    identity = {"order_id": "demo.well", "about": "OrderConfirmed"}
    first: list[DomainEvent] = [EmailClaimed(**identity, attempt=1)]
    if refused:
        first.append(EmailRefused(**identity, attempt=1, error="TooManyRequestsException"))
    return [*first, EmailClaimed(**identity, attempt=2), notified("demo.well", "OrderConfirmed", "mail-1", attempt=2)]


def test_a_sound_run_has_no_finding() -> None:
    assert audit(CLEAN) == []


OTHER = replace(WELL, detail={**WELL.detail, "payment_token": "tok_x"})
"""Another content under an id that is placed."""


def refusing(run: Run, submission: Submission) -> Run:
    """The run with a submission that was published, and refused."""
    content_hash = submission.content_hash(KEY_OF_REJECTIONS)
    refused = rejection().model_copy(update={"order_id": submission.order_id, "content_hash": content_hash})
    stream = streams.rejection(refused.order_id, content_hash)
    log = {**run.table.log, (stream, 1): record(refused, stream, 1)}
    submissions = [*run.submissions, submission]
    return replace(run, table=replace(run.table, log=log), bus=published(log), submissions=submissions)


def with_erased_and(welcome: CustomerNotified) -> Run:
    """The run whose confirmed order is erased, with a welcome of its customer."""
    run, stream = erased(), "customer#demo.c1"
    return replace(run, table=replace(run.table, log={**run.table.log, (stream, 1): record(welcome, stream, 1)}))


def knowing(run: Run, order_id: str, **changes: Any) -> Run:
    """The run with something else in the vault about the person behind an order."""
    known = json.loads(PERSONS[order_id]["person"]) | changes
    return replace(run, persons={**PERSONS, order_id: {**PERSONS[order_id], "person": json.dumps(known)}})


def placed_as(**changes: Any) -> Run:
    """The run with something else in the event that places an order, though under the content hash of the same one."""
    return with_log(
        "order#demo.well", placed("demo.well", *WELL.lines).model_copy(update=changes), STREAMS["order#demo.well"][1]
    )


def test_another_content_under_an_id_that_is_placed_has_to_be_refused() -> None:
    assert list(inputs.check(refusing(CLEAN, OTHER))) == []


@pytest.mark.parametrize("emails", [[], [AGAIN]], ids=["sent once", "sent twice"])
def test_an_e_mail_may_be_sent_twice_where_its_claim_was_taken_over(emails: list[SentEmail]) -> None:
    assert audit(replace(with_log("notification#demo.well", *attempts()), emails=[*CLEAN.emails, *emails])) == []


def test_of_an_erased_order_no_e_mail_is_expected_and_nobody_in_the_vault() -> None:
    assert audit(erased()) == []


def test_an_order_is_as_sound_where_its_e_mails_were_sent_before_it_was_erased() -> None:
    run, stream = erased(), "erasure#demo.well"
    log = {**TABLE.log, (stream, 1): run.table.log[stream, 1]}
    sent_before = replace(run, table=replace(run.table, log=log), bus=published(log), emails=CLEAN.emails)
    assert audit(sent_before) == []


def test_a_submission_that_was_refused_since_its_order_was_erased_may_be_that_order() -> None:
    assert list(inputs.check(refusing(erased(), WELL))) == []
    assert list(inputs.check(refusing(erased(), OTHER))) == []


def test_an_erasure_that_is_younger_than_a_restored_log_is_what_a_view_shows_alone() -> None:
    stream = "erasure#demo.lost"
    event = record(CustomerErased(order_id="demo.lost"), stream, 1)
    views_of = {**VIEWS, "demo.lost": {"personal_data": "erased", "erasure_version": 1}}
    run = with_table(log={**TABLE.log, (stream, 1): event}, views=views_of)
    assert list(views.check(run)) == []


BROKEN: dict[str, tuple[Callable[[], Run], int, str]] = {
    "a view that fell behind": (
        lambda: with_view("demo.well", status="PLACED"),
        1,
        "order demo.well: the view has status 'PLACED', the log 'CONFIRMED'",
    ),
    "a counter that is wrong": (
        lambda: with_counter("stock_view", Count("view#stock#A", "", "shipped", 2)),
        1,
        "view#stock#A: the view has 2 for shipped, the log 0",
    ),
    "a counter in another shard, which adds up": (
        lambda: with_counter("daily_sales", Count("view#sales#2026-01-02#7", "GBP", "orders", 1)),
        1,
        "view#sales#2026-01-02: the view has 2 for GBP orders, the log 1",
    ),
    "a counter in a shard that nobody reads": (
        lambda: with_counter("daily_sales", Count("view#sales#2026-01-02#8", "GBP", "orders", 1)),
        1,
        "view#sales#2026-01-02#8: the view has 1 for GBP orders, the log 0",
    ),
    "a customer whose orders were not counted": (
        lambda: with_table(counters={"customer_history": []}),
        1,
        "view#customer#demo.c1: the view has 0 for spent_GBP, the log 350",
    ),
    "a view that shows what is not in the log": (
        lambda: with_view("demo.wrong", payment="captured"),
        1,
        "order demo.wrong: the view has payment 'captured', the log None",
    ),
    "no view": (lambda: with_table(views=without(VIEWS, "demo.declined")), 1, "order demo.declined: has no view"),
    "a view of nothing": (
        lambda: with_table(views={**VIEWS, "demo.ghost": {"order_id": "demo.ghost"}}),
        1,
        "order demo.ghost: has a view, but the log knows nothing of it",
    ),
    "an event that cannot be read": (
        lambda: with_table(unreadable=["order#demo.x event#0000000001"]),
        1,
        "order#demo.x event#0000000001: the event cannot be read",
    ),
    "a submission that is gone": (
        lambda: replace(CLEAN, submissions=[*CLEAN.submissions, Submission("demo", order("gone"))]),
        2,
        "order demo.gone: no event says what became of ",
    ),
    "a second content under an id that is placed": (
        lambda: replace(CLEAN, submissions=[*CLEAN.submissions, OTHER]),
        2,
        "order demo.well: no event says what became of ",
    ),
    "an order with other content than was submitted": (
        lambda: with_log(
            "order#demo.well", placed("demo.well", *WELL.lines, payment_token="x"), STREAMS["order#demo.well"][1]
        ),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order of another shop than submitted it": (
        lambda: replace(CLEAN, submissions=[replace(WELL, shop="acme"), DECLINED, WRONG, NAMELESS]),
        2,
        "order acme.well: no event says what became of ",
    ),
    "an order that its shop did not submit, though another did": (
        lambda: replace(CLEAN, submissions=[replace(WELL, shop="acme"), DECLINED, WRONG, NAMELESS]),
        2,
        "order demo.well: was placed, though nobody submitted it",
    ),
    "an order of another shop's customer": (
        lambda: placed_as(customer_id="acme.c1"),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order with other lines than were submitted, under the right hash": (
        lambda: placed_as(lines=placed("demo.well").lines),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order in another currency than was submitted, under the right hash": (
        lambda: placed_as(currency="EUR"),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order that goes elsewhere than was submitted": (
        lambda: placed_as(destination=Destination(country="FR", postal_area="N1")),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order whose postal area is not of its postal code": (
        lambda: placed_as(destination=Destination(country="GB", postal_area="N2")),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order that says that there is no e-mail address": (
        lambda: placed_as(has_email=False),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order with somebody else in the vault": (
        lambda: knowing(CLEAN, "demo.well", email="somebody.else@customers.example"),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order that goes elsewhere, by the vault": (
        lambda: knowing(CLEAN, "demo.well", address={**WELL.detail["shipping_address"], "street": "1 Road"}),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order of which the vault describes another line": (
        lambda: knowing(CLEAN, "demo.well", descriptions={"1": "Green"}),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order without anybody in the vault": (
        lambda: replace(CLEAN, persons=without(PERSONS, "demo.well")),
        2,
        "order demo.well: was placed with other content than was submitted",
    ),
    "an order whose content key is not in the vault": (
        lambda: replace(CLEAN, persons={**PERSONS, "demo.well": {**PERSONS["demo.well"], "content_key": "00" * 32}}),
        2,
        "order demo.well: no event says what became of ",
    ),
    "somebody in the vault for a submission that was refused": (
        lambda: replace(CLEAN, persons={**PERSONS, "demo.wrong": PERSONS["demo.well"]}),
        2,
        "order demo.wrong: was not placed, but somebody is in the vault for it",
    ),
    "somebody in the vault for an order that is erased": (
        lambda: replace(erased(), persons=PERSONS),
        2,
        "order demo.well: is erased, but somebody is in the vault for it",
    ),
    "an erased order whose view does not say so": (
        lambda: replace(erased(), table=replace(erased().table, views=VIEWS)),
        1,
        "order demo.well: the view has personal_data None, the log 'erased'",
    ),
    "an erased order that nobody submitted": (
        lambda: replace(erased(), submissions=[DECLINED, WRONG, NAMELESS]),
        2,
        "order demo.well: was placed, though nobody submitted it",
    ),
    "a welcome for nothing of a customer whose order is erased": (
        lambda: with_erased_and(notified("demo.declined", WELCOME, "mail-3")),
        3,
        "customer demo.c1: was welcomed for order demo.declined; confirmed: demo.well",
    ),
    "a rejection whose hash is not under the environment's key": (
        lambda: replace(CLEAN, rejection_key=b"another"),
        2,
        "order demo.wrong: no event says what became of ",
    ),
    "an order of what is not valid": (
        lambda: replace(
            with_log(
                "order#demo.wrong",
                placed("demo.wrong").model_copy(update={"content_hash": WRONG.content_hash(CONTENT_KEY)}),
            ),
            persons={**PERSONS, "demo.wrong": PERSONS["demo.well"]},
        ),
        2,
        "order demo.wrong: was placed, though the submission is not valid",
    ),
    "a valid submission that was refused": (
        lambda: refusing(with_log("order#demo.well"), WELL),
        2,
        "order demo.well: a submission was rejected, though it is valid and no other order has its id",
    ),
    "a submission that was both placed and refused": (
        lambda: refusing(CLEAN, WELL),
        2,
        "order demo.well: a submission was rejected, though it is valid and no other order has its id",
    ),
    "an order that nobody submitted": (
        lambda: replace(CLEAN, submissions=[DECLINED, WRONG, NAMELESS]),
        2,
        "order demo.well: was placed, though nobody submitted it",
    ),
    "an input that is no dead letter": (
        lambda: replace(CLEAN, dead_letters=[]),
        2,
        "submission 'no id': is neither an event nor a dead letter",
    ),
    "a dead letter of what was valid": (
        lambda: replace(CLEAN, dead_letters=[*CLEAN.dead_letters, DeadLetter("intake", WELL.detail, "a bug")]),
        2,
        "a dead-letter message of intake: a bug: ",
    ),
    "a delivery that came in half": (
        lambda: replace(CLEAN, deliveries=[{"delivery_id": "d1", "lines": [*DELIVERY["lines"], TEN_OF_A]}]),
        2,
        "delivery d1: 20 of A were delivered, 10 received",
    ),
    "an event that did not go out": (
        lambda: replace(CLEAN, bus=CLEAN.bus - {event_id("payment#demo.well", 2)}),
        2,
        "payment#demo.well version 2: PaymentCaptured did not reach the orders bus",
    ),
    "an event that somebody forged": (
        lambda: replace(CLEAN, bus=CLEAN.bus | {"forged"}),
        2,
        "event forged: came over the orders bus, but is not in the log",
    ),
    "a message that stays in a queue": (
        lambda: replace(CLEAN, waiting={"OrderViewQueue": 3}),
        2,
        "the queue OrderViewQueue: 3 messages are left in it",
    ),
    "a charge without an order": (
        lambda: with_charge("demo.well-again", authorized=350, captured=350, currency="GBP"),
        3,
        "key demo.well-again: is in the gateway's books, but there is no such order",
    ),
    "a charge that the log does not know": (
        lambda: with_charge("demo.declined", captured=50),
        3,
        "payment of order demo.declined: the gateway's book has captured 50, the log None",
    ),
    "a charge that only the log knows": (
        lambda: with_table(charges=without(TABLE.charges, "demo.well")),
        3,
        "payment of order demo.well: the gateway's book has captured None, the log 350",
    ),
    "a parcel that was not called off": (
        lambda: with_table(consignments={**TABLE.consignments, "demo.declined": TABLE.consignments["demo.well"]}),
        3,
        "shipment of order demo.declined: the carrier's book has book_state 'arranged', the log 'cancelled'",
    ),
    "a payment captured twice": (
        lambda: with_log("payment#demo.well", *STREAMS["payment#demo.well"], STREAMS["payment#demo.well"][1]),
        3,
        "payment#demo.well: has PaymentCaptured 2 times",
    ),
    "a chunk reserved twice": (
        lambda: with_log("reservation#demo.well", *STREAMS["reservation#demo.well"] * 2),
        3,
        "reservation#demo.well: has StockReserved (1) 2 times",
    ),
    "low stock recorded twice": (
        lambda: with_log("stock#B", *STREAMS["stock#B"] * 2),
        3,
        "stock#B: has StockLow (2) 2 times",
    ),
    "an e-mail sent twice": (
        lambda: replace(CLEAN, emails=[*CLEAN.emails, AGAIN]),
        3,
        "e-mail mail-3: was sent, but the log has neither it nor a take-over for it",
    ),
    "an e-mail sent twice, after the first attempt was refused": (
        lambda: replace(with_log("notification#demo.well", *attempts(refused=True)), emails=[*CLEAN.emails, AGAIN]),
        3,
        "e-mail mail-3: was sent, but the log has neither it nor a take-over for it",
    ),
    "an e-mail sent three times with one take-over": (
        lambda: replace(
            with_log("notification#demo.well", *attempts()),
            emails=[*CLEAN.emails, AGAIN, AGAIN._replace(message_id="mail-4")],
        ),
        3,
        "e-mail mail-4: was sent, but the log has neither it nor a take-over for it",
    ),
    "an e-mail sent twice where another was taken over": (
        lambda: replace(
            with_log("notification#demo.well", *attempts()),
            emails=[*CLEAN.emails, WELCOMING._replace(message_id="mail-3")],
        ),
        3,
        "e-mail mail-3: was sent, but the log has neither it nor a take-over for it",
    ),
    "one e-mail that SES sent twice": (
        lambda: replace(CLEAN, emails=[*CLEAN.emails, CONFIRMATION]),
        3,
        "e-mail mail-1: was sent 2 times",
    ),
    "a customer who was notified twice": (
        lambda: with_log(
            "notification#demo.well", *STREAMS["notification#demo.well"], STREAMS["notification#demo.well"][1]
        ),
        3,
        "notification#demo.well: has CustomerNotified (OrderConfirmed) 2 times",
    ),
    "an e-mail that was not sent": (
        lambda: replace(CLEAN, emails=[]),
        3,
        "notification#demo.well: says that e-mail mail-1 was sent, but it was not",
    ),
    "a customer who was not notified": (
        lambda: with_log("notification#demo.well"),
        3,
        "order demo.well: nobody was notified of OrderConfirmed",
    ),
    "a customer who was notified of no outcome": (
        lambda: with_log("notification#demo.well", notified("demo.well", "?", "mail-1")),
        3,
        "order demo.well: an e-mail was sent about ?, which is no outcome",
    ),
    "a customer who was not welcomed": (
        lambda: with_log("customer#demo.c1", STREAMS["customer#demo.c1"][0]),
        3,
        "customer demo.c1: was welcomed for order None; confirmed: demo.well",
    ),
    "a customer who was welcomed for nothing": (
        lambda: with_log("customer#demo.c2", notified("demo.declined", WELCOME, "mail-3")),
        3,
        "customer demo.c2: was welcomed for order demo.declined; confirmed: none",
    ),
    "a welcome that was not sent": (
        lambda: replace(CLEAN, emails=[CONFIRMATION]),
        3,
        "customer#demo.c1: says that e-mail mail-2 was sent, but it was not",
    ),
    "a customer who was welcomed twice": (
        lambda: with_log("customer#demo.c1", *STREAMS["customer#demo.c1"], STREAMS["customer#demo.c1"][1]),
        3,
        "customer#demo.c1: has CustomerNotified (Welcome) 2 times",
    ),
    "low stock that nobody ordered": (
        lambda: with_log("purchase#po-B-2"),
        3,
        "stock#B version 1: was answered by 0 purchase orders",
    ),
    "low stock that was ordered twice": (
        lambda: with_log("purchase#again", PurchaseOrderPlaced(purchase_order_id="again", sku="B", quantity=3)),
        3,
        "stock#B version 1: was answered by 2 purchase orders",
    ),
    "an order of what is not low": (
        lambda: with_log("purchase#po-A-1", PurchaseOrderPlaced(purchase_order_id="po-A-1", sku="A", quantity=3)),
        3,
        f"SKU A: was ordered because of {event_id('stock#B', 1)}, which does not say that it was low",
    ),
    "a purchase order fulfilled by nothing": (
        lambda: with_log(
            "purchase#po-B-2",
            *STREAMS["purchase#po-B-2"],
            PurchaseOrderFulfilled(purchase_order_id="po-B-2"),
        ),
        3,
        "purchase#po-B-2: its delivery is here: False; it is fulfilled: True",
    ),
    "a purchase order that does not know of its delivery": (
        lambda: with_log("delivery#po-B-2", StockReceived(delivery_id="po-B-2", chunk=1, chunks=1, lines=SHELVED[1:])),
        3,
        "purchase#po-B-2: its delivery is here: True; it is fulfilled: False",
    ),
    "money taken for nothing": (
        lambda: with_log("payment#demo.declined", *STREAMS["payment#demo.well"], *STREAMS["payment#demo.declined"]),
        5,
        "GBP in the log: captured less refunded is 700, confirmed orders add up to 350",
    ),
    "money taken for nothing, in the books": (
        lambda: with_charge("demo.declined", captured=50),
        5,
        "GBP in the gateway's books: captured less refunded is 400, confirmed orders add up to 350",
    ),
    "an authorization that was left": (
        lambda: with_log("payment#demo.declined", *STREAMS["payment#demo.declined"][:2]),
        5,
        "GBP in the log: authorized is 400, captured and voided add up to 350",
    ),
    "a total that is not what the lines add up to": (
        lambda: with_log(
            "order#demo.well", placed("demo.well").model_copy(update={"total": 1}), STREAMS["order#demo.well"][1]
        ),
        5,
        "order demo.well: its total is 1, its lines add up to 100",
    ),
    "stock that went missing": (
        lambda: with_table(levels={**TABLE.levels, "A": {"available": 6, "version": 4}}),
        5,
        "SKU A: 6 are available, received less reserved is 7",
    ),
    "a level below nothing": (
        lambda: with_table(levels={**TABLE.levels, "B": {"available": -1, "version": 2}}),
        5,
        "SKU B: -1 are available",
    ),
    "a level changed without an event": (
        lambda: with_table(levels={**TABLE.levels, "A": {"available": 7, "version": 6}}),
        5,
        "SKU A: its level changed 6 times, the log explains 4",
    ),
    "goods of a cancelled order that were kept": (
        lambda: with_log("reservation#demo.declined", STREAMS["reservation#demo.declined"][0]),
        5,
        "order demo.declined: 5 of A are reserved, it takes 0",
    ),
    "a confirmed order without its goods": (
        lambda: with_log("reservation#demo.well"),
        5,
        "order demo.well: 0 of B are reserved, it takes 1",
    ),
    "an order confirmed after it was cancelled": (
        lambda: with_log(
            "order#demo.declined", *STREAMS["order#demo.declined"], OrderConfirmed(order_id="demo.declined")
        ),
        6,
        "order#demo.declined: its events are in no possible order: ",
    ),
    "an order cancelled though it is dispatched": (
        lambda: with_log(
            "shipment#demo.declined", STREAMS["shipment#demo.declined"][0], ShipmentDispatched(order_id="demo.declined")
        ),
        6,
        "order#demo.declined: is dispatched, but not confirmed: ",
    ),
    "a confirmed order without its shipment": (
        lambda: with_log(
            "shipment#demo.well",
            *STREAMS["shipment#demo.well"],
            ShipmentCancelled(order_id="demo.well", tracking_number="trk_well"),
        ),
        6,
        "order#demo.well: is confirmed, but its shipment is cancelled",
    ),
    "a request to cancel that nobody answers": (
        lambda: with_log("cancellation#demo.well", CancellationRequested(order_id="demo.well")),
        6,
        "order#demo.well: a request to cancel it has no answer",
    ),
    "goods shipped without their parcel": (
        lambda: with_log(
            "reservation#demo.well",
            *STREAMS["reservation#demo.well"],
            StockShipped(order_id="demo.well", chunk=1, lines=TAKEN),
        ),
        5,
        "order demo.well: 4 pieces are shipped, 4 set aside; dispatched: False",
    ),
    "a dispatched parcel without its goods": (
        lambda: with_log(
            "shipment#demo.well", *STREAMS["shipment#demo.well"], ShipmentDispatched(order_id="demo.well")
        ),
        5,
        "order demo.well: 0 pieces are shipped, 4 set aside; dispatched: True",
    ),
    "an order without an outcome": (
        lambda: replace(
            with_log("order#demo.well", STREAMS["order#demo.well"][0]),
            unfinished_sagas={"demo.well": "failed at CapturePayment: KeyError"},
        ),
        6,
        "order#demo.well: has no outcome: OrderPlaced; its saga: failed at CapturePayment: KeyError",
    ),
    "an order confirmed out of nothing": (
        lambda: with_log("order#demo.well", STREAMS["order#demo.well"][1]),
        6,
        "order#demo.well: its events are in no possible order: OrderConfirmed",
    ),
    "a version that is missing": (
        lambda: with_table(
            log={place: known for place, known in TABLE.log.items() if place != ("payment#demo.declined", 2)}
        ),
        6,
        "payment#demo.declined: its versions are not 1 to 2: [1, 3]",
    ),
    "an event in another's place": (
        lambda: with_table(
            log={
                **TABLE.log,
                ("stock#B", 1): TABLE.log["stock#B", 1]._replace(
                    metadata_json=record(STREAMS["stock#B"][0], "stock#A", 1).metadata_json
                ),
            }
        ),
        6,
        f"stock#B: version 1 says it is {event_id('stock#A', 1)} at ('stock#A', 1)",
    ),
    "an event before the one it follows": (
        lambda: with_table(
            log={
                **TABLE.log,
                ("order#demo.well", 2): TABLE.log["order#demo.well", 2]._replace(
                    metadata_json=TABLE.log["order#demo.well", 2].metadata_json.replace("2026", "2025")
                ),
            }
        ),
        6,
        "order#demo.well: version 2 occurred before version 1",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_is_named(case: str) -> None:
    broken, invariant, expected = BROKEN[case]
    findings = [str(finding) for finding in audit(broken())]
    assert any(finding.startswith(f"invariant {invariant}: {expected}") for finding in findings), findings


def test_money_of_an_order_that_is_still_open_is_in_no_sum() -> None:
    opened = with_log("order#demo.well", STREAMS["order#demo.well"][0])
    assert {finding.invariant for finding in audit(opened)} == {1, 3, 6}


INVARIANTS = Path(__file__).parents[2] / "docs" / "invariants.md"


def test_each_invariant_is_documented_with_what_holds_it() -> None:
    _, *sections = re.split(r"^## ", INVARIANTS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    holding: dict[int, set[Path]] = {}
    for section in sections:
        linked = re.findall(r"\]\(([^)]+)\)", section)
        holding[int(section.partition(".")[0])] = {(INVARIANTS.parent / link).resolve() for link in linked}
    assert list(holding) == list(range(1, 10))
    assert [str(file) for files in holding.values() for file in files if not file.exists()] == []
    assert all(any("tests" in file.parts for file in files) for files in holding.values())
    for number, (_, check) in CHECKS.items():
        assert Path(inspect.getfile(check)) in holding[number]
