"""The vault: who is in it and under which key, when they get there, and that nobody comes back who was forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pytest
from botocore.stub import Stubber

from events import streams
from events.integration import Address, OrderSubmitted
from events.ordering import OrderPlaced, OrderRejected
from handlers.functions.main import order_intake
from handlers.ordering import order_requests
from handlers.ordering.submission import content_hash
from handlers.retry_policy import Throttled
from handlers.runtime import aws
from handlers.table.event_store import EventStore
from handlers.vault.payment_tokens import PaymentTokens
from handlers.vault.person import Person, person
from handlers.vault.rejection_key import KEPT_SECONDS, RejectionKey
from handlers.vault.vault import Known, Vault
from tests.builders.api import ask, content_of
from tests.builders.environment import REJECTION_KEY, VAULT_TABLE
from tests.builders.messages import CONTEXT, failed, from_publisher, request, sqs
from tests.builders.orders import CONTENT_KEY, EMAIL, STREET, TOKEN, line, order, placed, valid
from tests.builders.races import Raced
from tests.builders.recorded_events import START
from tests.builders.stores import calls, events_of, items, log, place
from tests.builders.vault import KEY_OF_REJECTIONS, forget, payment_tokens, submit, vault, vaulted

ADDRESS = Address(name="Ada Lovelace", street=STREET, city="London", postal_code="N1", country="GB")
GUEST = {"name": "Grace Hopper", "street": "1 Compiler Close", "city": "Leeds", "postal_code": "LS1", "country": "GB"}


def found(store: EventStore) -> set[tuple[str, str]]:
    """The keys in the vault."""
    return {(item["PK"]["S"], item["SK"]["S"]) for item in vaulted(store)}


def of_order(store: EventStore, order_id: str = "demo.o1") -> OrderPlaced:
    event = events_of(store, streams.order(order_id))[0]
    assert isinstance(event, OrderPlaced)
    return event


def token_of(event: OrderPlaced) -> tuple[str, str]:
    return event.order_id, f"token#{event.content_hash}"


@contextmanager
def requests(store: EventStore, operation: str) -> Iterator[list[dict[str, Any]]]:
    """The parameters of an operation of DynamoDB, as often as it is called inside the block."""
    made: list[dict[str, Any]] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        made.append(params)

    name = f"before-parameter-build.dynamodb.{operation}"
    store.client.meta.events.register(name, note)
    try:
        yield made
    finally:
        store.client.meta.events.unregister(name, note)


# Persons


def test_a_person_is_who_ordered_where_it_goes_and_how_the_lines_are_described() -> None:
    lines = (line("A", description="A ring for Bo"), line("B"), line("A", description=""))
    behind = person(OrderSubmitted.model_validate_json(valid(order("o1", *lines)).text))
    assert behind == Person(address=ADDRESS, email=EMAIL, descriptions={"0": "A ring for Bo", "2": ""})


def test_a_guest_is_a_person_too() -> None:
    behind = person(valid(order(customer=None, shipping_address=GUEST)).order)
    assert behind == Person(address=Address(**GUEST))


def test_persons_are_by_customer_and_guests_by_order(store: EventStore) -> None:
    place(store, "demo.o1")
    place(store, "demo.o2")
    place(store, "acme.o1")
    place(store, "demo.o3", customer=None)
    place(store, "demo.o4", customer={"email": EMAIL})
    tokens = {key for key in found(store) if "." in key[0]}
    assert found(store) - tokens == {
        ("demo#c1", "o1"),
        ("demo#c1", "o2"),
        ("acme#c1", "o1"),
        ("demo#order#o3", "o3"),
        ("demo#order#o4", "o4"),
    }
    assert len(tokens) == 5


@pytest.mark.parametrize("customer", [{"customer_id": "c1", "email": EMAIL}, {"email": EMAIL}, None])
def test_what_was_put_into_the_vault_is_read(store: EventStore, customer: dict[str, str] | None) -> None:
    event = place(store, customer=customer)
    behind = Person(address=ADDRESS, email=EMAIL if customer else None)
    assert vault(store).read(event) == Known(behind, None)
    assert vault(store).email(event) == behind.email
    assert vault(store).content_key(event) == CONTENT_KEY


def test_of_an_order_that_was_never_placed_nobody_is_known(store: EventStore) -> None:
    place(store, "demo.o1")
    for other in (placed("demo.o2"), placed("acme.o1"), placed("demo.o1", customer=None)):
        assert vault(store).read(other) is None
        assert vault(store).email(other) is None
        assert vault(store).content_key(other) is None


def test_a_person_is_put_where_there_is_none_and_never_in_place_of_another(store: EventStore) -> None:
    event = place(store)
    before = vaulted(store)
    other = person(valid(order(shipping_address=GUEST)).order)
    with pytest.raises(store.client.exceptions.TransactionCanceledException, match="ConditionalCheckFailed"):
        store.client.transact_write_items(TransactItems=[vault(store).put(event, other, b"another key")])
    assert vaulted(store) == before


def test_who_only_wants_the_key_of_the_hash_reads_nothing_personal(store: EventStore) -> None:
    event = place(store, "demo.o1", line(description="A ring for Bo"))
    with requests(store, "GetItem") as made:
        vault(store).content_key(event)
        vault(store).read(event)
    assert [each["ProjectionExpression"] for each in made] == ["PK, content_key", "PK, person, cancellation_reason"]
    assert all(each["ConsistentRead"] for each in made)


def test_who_left_no_address_is_not_even_looked_up(store: EventStore) -> None:
    event = place(store, customer={"customer_id": "c1"})
    with calls(store.client) as made:
        assert vault(store).email(event) is None
    assert made == []


def test_the_reason_of_a_cancellation_is_kept_with_the_person_as_it_was_said_first(store: EventStore) -> None:
    event = place(store)
    for reason in ("too late for Bo's birthday", "something else"):
        vault(store).keep_reason(event, reason)
    assert vault(store).read(event) == Known(Person(address=ADDRESS, email=EMAIL), "too late for Bo's birthday")


def test_keeping_a_reason_brings_nobody_back(store: EventStore) -> None:
    event = place(store)
    forget(store, event)
    vault(store).keep_reason(event, "too late for Bo's birthday")
    assert found(store) == {token_of(event)}
    assert vault(store).read(event) is None


CALLS: list[tuple[str, Callable[[Vault, PaymentTokens, OrderPlaced], object]]] = [
    ("get_item", lambda vault, _, event: vault.read(event)),
    ("get_item", lambda vault, _, event: vault.email(event)),
    ("get_item", lambda vault, _, event: vault.content_key(event)),
    ("update_item", lambda vault, _, event: vault.keep_reason(event, "r")),
    ("put_item", lambda _, tokens, event: tokens.put(event, TOKEN)),
    ("get_item", lambda _, tokens, event: tokens.read(event)),
    ("delete_item", lambda _, tokens, event: tokens.delete(event)),
]


@pytest.mark.parametrize(("operation", "call"), CALLS)
def test_where_the_vault_is_throttled_the_caller_may_try_again(
    store: EventStore, operation: str, call: Callable[[Vault, PaymentTokens, OrderPlaced], object]
) -> None:
    with Stubber(store.client) as stub:
        stub.add_client_error(operation, "ThrottlingException", "slow down")
        with pytest.raises(Throttled):
            call(vault(store), payment_tokens(store), placed())
        stub.assert_no_pending_responses()


# Intake


def test_an_order_is_placed_with_the_person_and_the_token(store: EventStore) -> None:
    submit(store, request(order("o1", line(description="A ring for Bo"))))
    event = of_order(store)
    assert vault(store).read(event) == Known(Person(address=ADDRESS, email=EMAIL, descriptions={"0": "A ring for Bo"}))
    assert payment_tokens(store).read(event) == TOKEN
    assert found(store) == {("demo#c1", "o1"), token_of(event)}


def test_the_content_hash_is_under_a_key_that_no_other_order_has(store: EventStore) -> None:
    submissions = [order("o1"), order("o2")]
    for submitted in submissions:
        submit(store, request(submitted))
    events = of_order(store, "demo.o1"), of_order(store, "demo.o2")
    keys = [vault(store).content_key(event) for event in events]
    for event, key, submitted in zip(events, keys, submissions, strict=True):
        assert key
        assert len(key) == 32
        assert event.content_hash == content_hash(key, valid(submitted).text)
        assert event.content_hash != sha256(valid(submitted).text.encode()).hexdigest()
    assert keys[0] != keys[1]


def test_somebody_is_in_the_vault_exactly_if_their_order_is_in_the_log(store: EventStore) -> None:
    """The token alone is there before; killed then, it expires."""

    def killed(_stream: str, _version: int) -> None:
        raise Throttled("killed")

    with pytest.raises(Throttled):
        submit(Raced(store, before_append=killed), request(order()))
    assert log(store) == []
    assert [key[0] for key in found(store)] == ["demo.o1"]
    submit(store, request(order()))
    assert ("demo#c1", "o1") in found(store)
    assert payment_tokens(store).read(of_order(store)) == TOKEN


@pytest.mark.parametrize(
    "submitted", [order("o1", payment_token="tok_other"), order("o1", shipping_address=GUEST), order("o1", line("B"))]
)
def test_another_content_under_an_id_that_is_taken_changes_nothing_in_the_vault(
    store: EventStore, submitted: dict[str, Any]
) -> None:
    submit(store, request(order()))
    before = vaulted(store)
    rejected = submit(store, request(submitted, "e2"))
    assert isinstance(rejected, OrderRejected)
    assert [reason.message for reason in rejected.reasons] == [
        "an order with this id and other content was placed before"
    ]
    assert vaulted(store) == before


def test_the_same_submission_again_is_the_order_that_stands(store: EventStore) -> None:
    submit(store, request(order()))
    before = vaulted(store)
    assert submit(store, request(order(), "e2")) == of_order(store)
    assert vaulted(store) == before


def test_a_late_redelivery_brings_nobody_back(store: EventStore) -> None:
    """Nobody can tell any more whether it is the same."""
    submit(store, request(order()))
    forget(store, of_order(store))
    payment_tokens(store).delete(of_order(store))
    for submitted in (order(), order("o1", line("B"))):
        rejected = submit(store, request(submitted, "e2"))
        assert isinstance(rejected, OrderRejected)
        assert [reason.message for reason in rejected.reasons] == ["an order with this id stands"]
    assert vaulted(store) == []


@pytest.mark.parametrize("submitted", [order("o1", line(quantity=0)), order("o1", customer={"email": STREET})])
def test_a_rejected_submission_puts_nobody_into_the_vault(store: EventStore, submitted: dict[str, Any]) -> None:
    assert isinstance(submit(store, request(submitted)), OrderRejected)
    assert vaulted(store) == []


def test_the_hash_of_a_rejection_is_under_the_environments_key(store: EventStore) -> None:
    rejected = submit(store, request(order("o1", line(quantity=0))))
    assert isinstance(rejected, OrderRejected)
    [stream] = {each.stream for each in log(store)}
    assert stream == streams.rejection("demo.o1", rejected.content_hash)
    assert submit(store, request(order("o1", line(quantity=0)), "e2")) == rejected
    aws.secretsmanager().put_secret_value(SecretId=REJECTION_KEY, SecretString="another")
    other = submit(store, request(order("o1", line(quantity=0)), "e3"))
    assert isinstance(other, OrderRejected)
    assert other.content_hash != rejected.content_hash


def shown(order_id: str) -> dict[str, Any]:
    """What the shop sees of an order's history, in which Ada is not."""
    answer = ask(f"/orders/{order_id}/events")
    assert EMAIL not in answer["body"]
    assert "Ada" not in answer["body"]
    content: dict[str, Any] = content_of(answer)
    return content


def test_a_guests_order_shows_nobody_whose_submission_under_its_id_was_rejected(store: EventStore) -> None:
    """Whether it came before the guest's or after, and whether it was valid or not."""
    wrong, late = order("o1", line(quantity=0)), order("o1", line("B"))
    guest = order("o1", customer=None, shipping_address=GUEST)
    assert failed(order_intake.handler(sqs(from_publisher(wrong), from_publisher(guest)), CONTEXT)) == []
    assert shown("o1")["person"]["address"] == GUEST
    assert failed(order_intake.handler(sqs(from_publisher(late)), CONTEXT)) == []
    assert shown("o1")["person"] == {"address": GUEST, "email": None, "descriptions": {}, "cancellation_reason": None}
    assert {key for key in found(store) if "#" in key[0]} == {("demo#order#o1", "o1")}
    forget(store, of_order(store))
    assert shown("o1")["person"] == "erased"
    assert "Grace" not in str(items(store))


def test_a_submission_that_was_rejected_shows_nobody(store: EventStore) -> None:
    assert isinstance(submit(store, request(order("o1", line(quantity=0)))), OrderRejected)
    assert vaulted(store) == []
    assert "Ada" not in str(items(store))


# Payment tokens


def test_a_token_is_there_until_it_is_deleted(store: EventStore) -> None:
    event, tokens = placed(), payment_tokens(store)
    assert tokens.read(event) is None
    for _ in range(2):
        tokens.put(event, "tok_\U0001f6d2")
        assert tokens.read(event) == "tok_\U0001f6d2"
    for _ in range(2):
        tokens.delete(event)
        assert tokens.read(event) is None
    assert vaulted(store) == []


def test_a_token_is_of_one_content_of_an_order(store: EventStore) -> None:
    """So one that was put for an event that was never appended is read by nobody."""
    event, other = placed(), placed(payment_token="tok_other")
    tokens = payment_tokens(store)
    tokens.put(event, TOKEN)
    tokens.put(other, "tok_other")
    assert (tokens.read(event), tokens.read(other)) == (TOKEN, "tok_other")
    tokens.delete(other)
    assert tokens.read(event) == TOKEN


def test_a_token_expires_after_fourteen_days_in_any_case(store: EventStore) -> None:
    PaymentTokens(store.client, VAULT_TABLE, lambda: START).put(placed(), TOKEN)
    [item] = vaulted(store)
    assert item["expires_at"]["N"] == str(int((START + timedelta(days=14)).timestamp()))
    assert (item["PK"]["S"], item["SK"]["S"]) == token_of(placed())


def test_a_person_does_not_expire(store: EventStore) -> None:
    event = place(store)
    payment_tokens(store).delete(event)
    [item] = vaulted(store)
    assert item.keys() == {"PK", "SK", "person", "content_key"}


def test_a_token_is_there_before_its_order_is(store: EventStore) -> None:
    seen: list[str] = []

    def note(stream: str, _version: int) -> None:
        seen.extend([stream, *(key[0] for key in found(store))])

    submit(Raced(store, before_append=note), request(order()))
    assert seen == ["order#demo.o1", "demo.o1"]


# The key of rejections


def test_the_key_of_rejections_is_read_again_after_five_minutes(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    secrets = aws.secretsmanager()
    key = RejectionKey(lambda: secrets, REJECTION_KEY)
    with calls(secrets) as made:
        assert {key.read() for _ in range(3)} == {KEY_OF_REJECTIONS}
        assert made == ["GetSecretValue"]
        secrets.put_secret_value(SecretId=REJECTION_KEY, SecretString="another")
        now += KEPT_SECONDS
        assert key.read() == KEY_OF_REJECTIONS
        now += 1
        assert {key.read() for _ in range(3)} == {b"another"}
    assert made == ["GetSecretValue", "PutSecretValue", "GetSecretValue"]
    assert KEPT_SECONDS == 5 * 60


def test_only_a_rejection_needs_the_key(store: EventStore) -> None:
    asked: list[str] = []

    def client() -> Any:
        asked.append("for a client")
        return aws.secretsmanager()

    key = RejectionKey(client, REJECTION_KEY)

    def submitting(submitted: dict[str, Any]) -> None:
        order_requests.submit(store, vault(store), payment_tokens(store), key, request(submitted))

    for _ in range(2):
        submitting(order())
    assert asked == []
    submitting(order("o2", line(quantity=0)))
    assert asked == ["for a client"]
