"""The vault of tests: who is in it, and intake and the steps of the sagas with it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from events.model import DomainEvent
from events.ordering import OrderPlaced
from handlers.intake.requests import Request
from handlers.ordering import order_requests
from handlers.payments import payment_steps
from handlers.payments.payment_gateway import PaymentGateway
from handlers.runtime import aws
from handlers.shipping import shipment_steps
from handlers.shipping.carrier import Carrier
from handlers.table import keys
from handlers.table.event_store import EventStore
from handlers.vault.payment_tokens import PaymentTokens
from handlers.vault.person import person
from handlers.vault.rejection_key import RejectionKey
from handlers.vault.vault import Vault
from tests.builders.environment import REJECTION_KEY, VAULT_TABLE
from tests.builders.orders import CONTENT_KEY, TOKEN, valid

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

KEY_OF_REJECTIONS = b"the environment's key"


@cache
def secrets() -> SecretsManagerClient:
    """A client of Secrets Manager."""
    return aws.secretsmanager()


def create_rejection_key() -> None:
    """Let there be the environment's key."""
    secrets().create_secret(Name=REJECTION_KEY, SecretString=KEY_OF_REJECTIONS.decode())


def vault(store: EventStore) -> Vault:
    """The persons in the vault beside a store."""
    return Vault(store.client, VAULT_TABLE)


def payment_tokens(store: EventStore) -> PaymentTokens:
    """The payment tokens in the vault beside a store."""
    return PaymentTokens(store.client, VAULT_TABLE, store.clock)


def submit(store: EventStore, request: Request) -> DomainEvent:
    """What intake does with a submission."""
    key = RejectionKey(secrets, REJECTION_KEY)
    return order_requests.submit(store, vault(store), payment_tokens(store), key, request)


def request_cancellation(store: EventStore, request: Request) -> None:
    """What intake does with a request to cancel."""
    order_requests.request_cancellation(store, vault(store), request)


def authorize_payment(store: EventStore, gateway: PaymentGateway, order_id: str) -> None:
    """What the saga's first step of a payment does."""
    payment_steps.authorize_payment(store, payment_tokens(store), gateway, order_id)


def refund_payment(store: EventStore, gateway: PaymentGateway, order_id: str) -> None:
    """What the compensation of a payment does."""
    payment_steps.refund_payment(store, payment_tokens(store), gateway, order_id)


def arrange_shipment(store: EventStore, carrier: Carrier, order_id: str) -> None:
    """What the saga's step of a shipment does."""
    shipment_steps.arrange_shipment(store, vault(store), carrier, order_id)


def remember(store: EventStore, placed: OrderPlaced, submitted: dict[str, Any]) -> None:
    """Put the person behind an order into the vault, and the token that pays for it."""
    put = vault(store).put(placed, person(valid(submitted).order), CONTENT_KEY)
    store.client.transact_write_items(TransactItems=[put])
    payment_tokens(store).put(placed, submitted.get("payment_token", TOKEN))


def forget(store: EventStore, placed: OrderPlaced) -> None:
    """Take the person behind an order out of the vault."""
    person_key = keys.person(placed.order_id, placed.customer_id).attributes
    store.client.delete_item(TableName=VAULT_TABLE, Key=person_key)


def vaulted(store: EventStore) -> list[dict[str, Any]]:
    """Every item in the vault, by key."""
    items = store.client.scan(TableName=VAULT_TABLE)["Items"]
    return sorted((dict(item) for item in items), key=lambda item: (item["PK"]["S"], item["SK"]["S"]))
